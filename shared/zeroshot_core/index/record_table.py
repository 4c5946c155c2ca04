"""One collection of one version: its rows read, searched and written."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import chain, islice
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic

import numpy as np

from zeroshot_core.index.collection import LexicalResult, Record, SearchResult, check_ids, check_search
from zeroshot_core.index.connection import begin_each
from zeroshot_core.index.filters import (
    Filter,
    FilterColumns,
    holds,
    id_literal,
    id_literals,
    n_comparisons,
    render,
)
from zeroshot_core.index.lite_folder import data_files
from zeroshot_core.index.lite_rows import RecordColumns, read_lite_rows
from zeroshot_core.index.mirror import Mirror
from zeroshot_core.index.params import to_scores
from zeroshot_core.index.schema import ITEMS, LEXICAL, TEXT_BYTES, WORDS
from zeroshot_core.index.word_text import word_text
from zeroshot_core.types import Item

if TYPE_CHECKING:
    from zeroshot_core.index.connection import Connection
    from zeroshot_core.index.params import IndexParams
    from zeroshot_core.index.schema import RecordKind, Row
    from zeroshot_core.types import Floats, Vectors

__all__ = ["RecordTable"]

# Bounds of Milvus on one answer: rows, and bytes (servers send at most 100 MB, Lite 256 MB).
_MAX_ROWS = 16384
_SERVER_BYTES = 64_000_000
_LITE_BYTES = 200_000_000
_PAGE_BYTES = 16_000_000
_KEYS_PER_READ = 4096
_HITS_PER_CALL = 1_000_000
_QUERIES_PER_CALL = 1024
# Beyond so many, hits are read without their records, of which many are the same.
_READS_OF_HITS = 4
# From here on, reading all rows of a local file once costs less than reading these hits one by one, or than
# walking all rows in so many searches.
_MIRROR_HITS = 20_000
_MIRROR_SEARCHES = 64
_MIRROR_KEYS = 4096
# Files of so many bytes, of 100,000 rows and their vectors, are read in a second.
_MIRROR_BYTES = 200_000_000
# By these Milvus Lite compares a query with all rows too.
_EXACT = ("AUTOINDEX", "FLAT")
# Lite goes through a filter for each row, a hundredth of a millisecond for each value.
_MOST_COMPARISONS = 100
# A server answers several writes at once; a local file takes one after the other.
_SERVER_WRITERS = 4
# Rows written since the last flush that Lite may be left to scan.
_MOST_UNSEALED = 2000


class RecordTable(Generic[Record]):
    """Rows of one kind; each call to Milvus stays within its bounds.

    What is searched for often in a local file is answered from a copy of the rows in memory (`Mirror`).

    Parameters
    ----------
    collection
        Name in Milvus.
    kind
        What the rows hold.
    params
        How the vectors are indexed.
    """

    def __init__(
        self,
        connection: Connection,
        collection: str,
        kind: RecordKind[Record],
        dimension: int,
        params: IndexParams,
    ) -> None:
        self._connection = connection
        self._collection = collection
        self._kind: RecordKind[Record] = kind
        self._dimension = dimension
        self._params = params
        self._columns = FilterColumns(takes_lists=not connection.is_lite)
        self._n_unsealed = 0
        self._mirror: Mirror[Record] | None = None
        self._reading = Lock()
        self._n_hits = self._n_searches = 0
        self._hits_stamp = -1

    def where(self, expression: str, limit: int | None = None) -> list[Record]:
        """Read the records for which a rendered expression holds, in no order."""
        return [self._kind.record(row) for row in self._scan(expression, self._kind.fields, limit)]

    def sample(self, filter: Filter, limit: int) -> Vectors:
        """Vectors of the first rows for which a filter holds, shape (n, d), at most `limit`."""
        rows = self._scan(render(filter, self._columns), ("vector",), limit)
        vectors = np.asarray([row["vector"] for row in rows], dtype=np.float32)
        return vectors.reshape(-1, self._dimension)

    def placed(self, expression: str) -> dict[int, Record]:
        """Read the concepts or relations for which an expression holds, by their position in the graph."""
        rows = self._scan(expression, (*self._kind.fields, "position"))
        return {row["position"]: self._kind.record(row) for row in rows}

    def keys(self, expression: str = "") -> Iterator[str]:
        """Read all ids for which the expression holds."""
        return (row["id"] for row in self._scan(expression, ("id",)))

    def hashes(self, ids: Sequence[str] | None = None) -> dict[str, str]:
        """Read the content hash by id, of all rows that were written before this call, or of some ids."""
        fields = ("id", "content_hash")
        rows = (
            self._scan("", fields, consistency_level="Strong") if ids is None else self._rows_of(ids, fields)
        )
        return {row["id"]: row["content_hash"] for row in rows}

    def stored_pages(self) -> Iterator[tuple[list[Row], Vectors]]:
        """Read all rows as they were written, and their vectors, shape (n, d), by pages in order of ids."""
        fields = (*self._kind.stored, "vector")
        for page in self._pages("", fields, consistency_level="Strong"):
            vectors = np.asarray([row["vector"] for row in page], dtype=np.float32)
            rows = [{name: _plain(row[name]) for name in self._kind.stored} for row in page]
            yield rows, vectors.reshape(-1, self._dimension)

    def pages(self, fields: Sequence[str]) -> Iterator[Sequence[Row]]:
        """Read some fields of all rows that were written before, by pages in order of ids."""
        return self._pages("", fields, consistency_level="Strong")

    def count(self) -> int:
        """Count the rows, all writes included."""
        answer = self._call("query", filter="", output_fields=["count(*)"], consistency_level="Strong")
        return int(answer[0]["count(*)"])

    def get(self, ids: Collection[str]) -> dict[str, Record]:
        """Read records by id; ids that are not there are left out."""
        if self._reads_mirror(ids):
            mirror = self.mirrored()
            return {key: mirror.records[mirror.rows[key]] for key in ids if key in mirror.rows}
        rows = self._rows_of(list(ids), self._kind.fields)
        return {row["id"]: self._kind.record(row) for row in rows}

    def vectors(self, ids: Sequence[str]) -> Vectors:
        """Vectors in the order of the ids, shape (n, d).

        Raises
        ------
        InvalidInputError
            If an id is not there.
        """
        if self._reads_mirror(ids):
            known, vectors = self.mirrored().rows, self.mirrored().vectors
        else:
            rows = list(self._rows_of(list(dict.fromkeys(ids)), ("id", "vector")))
            known = {row["id"]: place for place, row in enumerate(rows)}
            vectors = np.asarray([row["vector"] for row in rows], dtype=np.float32)
        check_ids(self._kind.name, ids, known)
        return vectors.reshape(-1, self._dimension)[[known[key] for key in ids]]

    def search(
        self, vectors: Vectors, top_k: int, filter: Filter | None = None, *, from_copy: bool = False
    ) -> SearchResult[Record]:
        """Nearest records of each query vector.

        Parameters
        ----------
        vectors
            Shape (q, d), unit rows.
        top_k
            At most this many hits a query, 1 to 16384.
        from_copy
            Whether to search a copy of the rows, however few hits are asked for. On a server that is for rows
            that nobody writes any more, and not with a filter.

        Raises
        ------
        InvalidInputError
            If the vectors have another dimension than the index, or `top_k` is out of range.
        """
        return self.begin_search(vectors, top_k, filter, from_copy=from_copy, is_alone=True)()

    def begin_search(
        self,
        vectors: Vectors,
        top_k: int,
        filter: Filter | None = None,
        *,
        from_copy: bool = False,
        is_alone: bool = False,
    ) -> Callable[[], SearchResult[Record]]:
        """Begin a `search`: what it returns waits for a server's answer, or searches a local file.

        Parameters
        ----------
        is_alone
            Whether nothing else is done meanwhile.
        """
        queries = check_search(vectors, top_k, self._dimension)
        expression = render(filter, self._columns)
        n_hits = len(queries) * top_k
        is_long = n_comparisons(filter) > _MOST_COMPARISONS
        if self._connection.is_at_rest or (self._connection.is_lite and (from_copy or is_long)):
            return lambda: self._with_records(*self.mirrored().search(queries, top_k, self._allowed(filter)))
        if from_copy and not expression:
            return lambda: self._with_records(*self._from_copy(queries, top_k, expression))
        at_once = self._rows_per_read(self._kind.fields)
        is_large = top_k > at_once or n_hits > _READS_OF_HITS * at_once
        if is_large or self._reads_mirror(()) or self._is_for_copy(n_hits, expression):
            return lambda: self._with_records(*self._nearest(queries, top_k, expression))
        return self._begin_whole(queries, top_k, expression, is_alone=is_alone)

    def nearest(self, vectors: Vectors, top_k: int) -> tuple[list[list[str]], list[Floats]]:
        """Ids and scores alone of the nearest records of each query vector; see `search`."""
        return self._nearest(check_search(vectors, top_k, self._dimension), top_k, "")

    def begin_nearest(
        self, vectors: Vectors, top_k: int, filter: Filter | None, *, is_alone: bool
    ) -> Callable[[], tuple[list[list[str]], list[Floats]]]:
        """Begin `nearest` in Milvus itself; `is_alone` as in `begin_search`."""
        queries, expression = check_search(vectors, top_k, self._dimension), render(filter, self._columns)
        step = min(_QUERIES_PER_CALL, max(1, _HITS_PER_CALL // top_k))
        parts = (queries[start : start + step] for start in range(0, len(queries), step))
        begun = begin_each(
            lambda part: self._begin_hits(part, top_k, expression, (), is_alone=is_alone), parts
        )

        def answer() -> tuple[list[list[str]], list[Floats]]:
            hits = [found for part in begun for found in part]
            return [list(found.ids) for found in hits], _scores(hits, self._params.metric)

        return answer

    def begin_lexical_search(
        self, texts: Sequence[str], top_k: int, filter: Filter | None
    ) -> Callable[[], LexicalResult[Record]]:
        """Begin to find the best records of each text by its words; an empty text finds nothing.

        A local file's rows are searched in their copy: Milvus Lite takes a tenth of a second for each text in
        26,000 rows, and weighs words by segment, so that those of a row written alone count next to nothing.
        """
        if self._connection.is_lite:
            return lambda: self._words_of_copy(texts, top_k, filter)
        return self._begin_words(texts, top_k, filter)

    def _begin_words(
        self, texts: Sequence[str], top_k: int, filter: Filter | None
    ) -> Callable[[], LexicalResult[Record]]:
        """Begin a search by words in Milvus itself."""
        words = [word_text(text) for text in texts]
        asked = [row for row, text in enumerate(words) if text]
        expression, fields = render(filter, self._columns), (*self._kind.fields, "vector")
        step = max(1, self._rows_per_read(fields) // top_k)
        parts = ([words[row] for row in asked[at : at + step]] for at in range(0, len(asked), step))

        def begin(part: Sequence[str]) -> Callable[[], Any]:
            return self._connection.begin(
                "search",
                self._collection,
                is_alone=False,
                data=part,
                anns_field=LEXICAL,
                limit=top_k,
                filter=expression,
                output_fields=list(fields),
                search_params={"metric_type": "BM25"},
            )

        begun = begin_each(begin, parts)
        return lambda: self._words_found([hits for part in begun for hits in part], asked, len(texts))

    def _words_found(self, hits: Sequence[Any], asked: Sequence[int], n_texts: int) -> LexicalResult[Record]:
        """Give each text what was found for it; nothing for those that were not asked."""
        found = self._whole(hits, "BM25")
        rows = zip(chain.from_iterable(found.ids), chain.from_iterable(hits), strict=True)
        result = LexicalResult[Record](
            ids=[[] for _ in range(n_texts)],
            scores=[np.zeros(0) for _ in range(n_texts)],
            records=[[] for _ in range(n_texts)],
            vectors={id_: np.asarray(hit["entity"]["vector"], dtype=np.float32) for id_, hit in rows},
        )
        for place, row in enumerate(asked):
            result.ids[row] = found.ids[place]
            result.scores[row] = found.scores[place]
            result.records[row] = found.records[place]
        return result

    def _words_of_copy(
        self, texts: Sequence[str], top_k: int, filter: Filter | None
    ) -> LexicalResult[Record]:
        mirror = self.mirrored()
        ids, scores = mirror.search_words(texts, top_k, self._allowed(filter))
        return LexicalResult(
            ids=ids,
            scores=scores,
            records=[[mirror.records[mirror.rows[key]] for key in found] for found in ids],
            vectors={key: mirror.vectors[mirror.rows[key]] for found in ids for key in found},
        )

    def search_linked(
        self, vectors: Vectors, concept_ids: Sequence[Sequence[str]], top_k: int, filter: Filter | None
    ) -> SearchResult[Record]:
        """Nearest records of each query among those linked to its concepts, in the copy of a local file."""
        queries = check_search(vectors, top_k, self._dimension)
        return self._with_records(
            *self.mirrored().search_linked(queries, concept_ids, top_k, self._allowed(filter))
        )

    def _allowed(self, filter: Filter | None) -> Iterator[str] | None:
        """Ids of a local file's rows for which a filter holds; None for all."""
        if filter is None:
            return None
        mirror = self.mirrored()
        rows = zip(mirror.ids, mirror.records, strict=True)
        return (id_ for id_, record in rows if isinstance(record, Item) and holds(filter, record))

    def mirrored(self) -> Mirror[Record]:
        """Read all rows once, and of a local file again after a write: no other process has it."""
        with self._reading:
            if self._mirror is None or self._mirror.stamp != self._stamp:
                self._mirror = self._read_mirror()
            return self._mirror

    @property
    def is_mirrored(self) -> bool:
        """Whether a fresh copy of the rows is in memory."""
        return self._reads_mirror(())

    @property
    def n_writers(self) -> int:
        """How many writes may be under way at once."""
        return 1 if self._connection.is_lite else _SERVER_WRITERS

    def write(self, rows: Sequence[Row], vectors: Vectors, *, replace: bool) -> None:
        """Write rows in calls of a bounded number of bytes; `replace` for ids that may be there."""
        method = "upsert" if replace else "insert"
        step = max(1, _PAGE_BYTES // (4 * self._dimension + _largest_text(rows)))
        for start in range(0, len(rows), step):
            part = zip(rows[start : start + step], vectors[start : start + step], strict=True)
            self._call(method, [self._whole_row(row, vector) for row, vector in part])
        self._n_unsealed += len(rows)
        self._connection.note_write()

    def _whole_row(self, row: Row, vector: Any) -> Row:
        is_lexical = self._params.lexical and self._kind is ITEMS
        return {**row, "vector": vector, **({WORDS: word_text(row["text"])} if is_lexical else {})}

    def delete(self, ids: Sequence[str]) -> None:
        """Delete rows by id; unknown ids are passed over."""
        for part in _parts(list(ids), _KEYS_PER_READ):
            self._call("delete", filter=f"id in {id_literals(part)}")
        self._connection.note_write()

    def wait_for_writes(self) -> None:
        """Return when a read sees all writes so far, and finds them fast: Lite scans what is not flushed."""
        if not self._connection.is_lite:
            self.count()
        elif self._n_unsealed >= _MOST_UNSEALED:
            self._call("flush")
            self._n_unsealed = 0

    def _nearest(self, queries: Vectors, top_k: int, expression: str) -> tuple[list[list[str]], list[Floats]]:
        if self._is_for_copy(len(queries) * top_k, expression):
            return self._from_copy(queries, top_k, expression)
        return self._search_ids(queries, top_k, expression)

    def _is_for_copy(self, n_hits: int, expression: str) -> bool:
        """Whether so much was asked for, now or since the last write, that reading the rows pays."""
        if not self._connection.is_lite:
            return False
        if self._hits_stamp != self._connection.n_writes:
            self._hits_stamp, self._n_hits, self._n_searches = self._connection.n_writes, 0, 0
        # Lite finds the rows for which a filter holds by walking all, however few hits are asked for.
        if expression:
            return n_hits >= _MIRROR_HITS
        if self._reads_mirror(()):
            return True
        is_much = self._n_searches >= _MIRROR_SEARCHES or self._n_hits + n_hits >= _MIRROR_HITS
        return is_much or self._is_in_small_files()

    def _is_in_small_files(self) -> bool:
        """Whether all rows of a local file are soon read, and Milvus Lite would compare them all as well.

        A copy puts rows that are equally near in the order of their ids, so that a query finds the same alone
        and among others; which of them Milvus Lite gives depends even on the processor.
        """
        if self._params.index_type not in _EXACT:
            return False
        folder = self._connection.folder_of(self._collection)
        files = None if folder is None else data_files(folder)
        return files is not None and sum(file.stat().st_size for file in files) <= _MIRROR_BYTES

    def _from_copy(
        self, queries: Vectors, top_k: int, expression: str
    ) -> tuple[list[list[str]], list[Floats]]:
        self._n_hits += len(queries) * top_k
        allowed = self.keys(expression) if expression else None
        return self.mirrored().search(queries, top_k, allowed)

    def _search_ids(
        self, queries: Vectors, top_k: int, expression: str
    ) -> tuple[list[list[str]], list[Floats]]:
        """Search so many hits that their records, of which many are the same, had better be read once."""
        ids: list[list[str]] = []
        scores: list[Floats] = []
        step = min(_QUERIES_PER_CALL, max(1, _HITS_PER_CALL // top_k))
        for start in range(0, len(queries), step):
            part = queries[start : start + step]
            answer = self._begin_hits(part, top_k, expression, ("id",), is_alone=True)()
            ids += [list(hits.ids) for hits in answer]
            scores += _scores(answer, self._params.metric)
        return ids, scores

    def _begin_whole(
        self, queries: Vectors, top_k: int, expression: str, *, is_alone: bool
    ) -> Callable[[], SearchResult[Record]]:
        """Search and read the records by the same calls; a server is asked the later ones meanwhile."""
        fields = self._kind.fields
        step = max(1, self._rows_per_read(fields) // top_k)
        parts = (queries[start : start + step] for start in range(0, len(queries), step))
        is_alone = is_alone and len(queries) <= step
        begun = begin_each(
            lambda part: self._begin_hits(part, top_k, expression, fields, is_alone=is_alone), parts
        )
        return lambda: self._whole([hits for answer in begun for hits in answer], self._params.metric)

    def _begin_hits(
        self, queries: Vectors, top_k: int, expression: str, fields: Sequence[str], *, is_alone: bool
    ) -> Callable[[], Any]:
        self._n_hits += len(queries) * top_k
        self._n_searches += 1
        return self._connection.begin(
            "search",
            self._collection,
            is_alone=is_alone,
            data=queries.tolist(),  # the client packs Python's numbers in half the time of numpy's
            anns_field="vector",
            limit=top_k,
            filter=expression,
            output_fields=list(fields),
            search_params=self._params.search_options(top_k),
        )

    def _whole(self, answer: Sequence[Any], metric: str) -> SearchResult[Record]:
        known: dict[str, Record] = {}
        ids = [list(hits.ids) for hits in answer]
        for key, hit in zip(chain.from_iterable(ids), chain.from_iterable(answer), strict=True):
            if key not in known:
                known[key] = self._kind.record(hit["entity"])
        return SearchResult(
            ids=ids, scores=_scores(answer, metric), records=[[known[key] for key in found] for found in ids]
        )

    def _with_records(self, ids: list[list[str]], scores: list[Floats]) -> SearchResult[Record]:
        records = self.get({key for found in ids for key in found})
        for row, found in enumerate(ids):
            if any(key not in records for key in found):  # deleted between the two reads
                kept = [place for place, key in enumerate(found) if key in records]
                ids[row], scores[row] = [found[place] for place in kept], scores[row][kept]
        return SearchResult(
            ids=ids, scores=scores, records=[[records[key] for key in found] for found in ids]
        )

    def _read_mirror(self) -> Mirror[Record]:
        stamp, folder = self._stamp, self._connection.folder_of(self._collection)
        rows = folder and read_lite_rows(folder, self._kind.fields, self._dimension)
        if rows:
            columns = RecordColumns(rows.columns, self._kind.record)
            return Mirror(ids=tuple(columns.column("id")), vectors=rows.vectors, records=columns, stamp=stamp)
        ids: list[str] = []
        records: list[Record] = []
        vectors = [np.zeros((0, self._dimension), dtype=np.float32)]
        for page in self._pages("", (*self._kind.fields, "vector")):
            ids += [row["id"] for row in page]
            records += [self._kind.record(row) for row in page]
            page_vectors = np.asarray([row["vector"] for row in page], dtype=np.float32)
            vectors.append(page_vectors.reshape(len(page), self._dimension))
        return Mirror(ids=tuple(ids), vectors=np.concatenate(vectors), records=tuple(records), stamp=stamp)

    def _reads_mirror(self, ids: Collection[str]) -> bool:
        is_fresh = self._mirror is not None and self._mirror.stamp == self._stamp
        is_many = self._connection.is_lite and len(ids) >= _MIRROR_KEYS
        return is_fresh or is_many or self._connection.is_at_rest

    @property
    def _stamp(self) -> int:
        """Tells whether a copy is stale; on a server only what stays as it is gets copied."""
        return self._connection.n_writes if self._connection.is_lite else 0

    def _rows_of(self, ids: Sequence[str], fields: Sequence[str]) -> Iterator[Row]:
        for part in _parts(ids, min(_KEYS_PER_READ, self._rows_per_read(fields))):
            yield from self._call("query", filter=f"id in {id_literals(part)}", output_fields=list(fields))

    def _scan(
        self, expression: str, fields: Sequence[str], limit: int | None = None, **options: Any
    ) -> Iterator[Row]:
        if self._connection.is_lite:
            everything = expression or 'id != ""'
            yield from self._call("query", filter=everything, output_fields=list(fields), limit=limit)
        elif limit is not None and limit <= self._rows_per_read(fields):
            yield from self._call(
                "query", filter=expression, output_fields=list(fields), limit=limit, **options
            )
        else:
            rows = chain.from_iterable(self._pages(expression, fields, **options))
            yield from islice(rows, limit)

    def _pages(self, expression: str, fields: Sequence[str], **options: Any) -> Iterator[Sequence[Row]]:
        """Read all rows in order of their ids; `iterator` is what asks Milvus for that order."""
        size = self._rows_per_read(fields)
        last, page = "", None
        while page is None or len(page) == size:
            after = f"id > {id_literal(last)}" + (f" and ({expression})" if expression else "")
            page = self._call(
                "query", filter=after, output_fields=list(fields), limit=size, iterator="True", **options
            )
            yield page
            last = page[-1]["id"] if page else last

    def _rows_per_read(self, fields: Sequence[str]) -> int:
        """Rows that fit into one answer even if every text is as long as it may be."""
        bound = _LITE_BYTES if self._connection.is_lite else _SERVER_BYTES
        size = 1024 + TEXT_BYTES * len({"text", "name", "description"} & set(fields))
        size += 4 * self._dimension * ("vector" in fields)
        return min(_MAX_ROWS, max(1, bound // size))

    def _call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return self._connection.call(method, self._collection, *args, **kwargs)


def _scores(answer: Any, metric: str) -> list[Floats]:
    distances = [np.asarray(hits.distances, dtype=np.float64) for hits in answer]
    return [to_scores(each, metric) for each in distances]


def _plain(value: Any) -> Any:
    """Make a list of the client's own kind of array."""
    return value if isinstance(value, str | int | float | dict) else list(value)


def _largest_text(rows: Sequence[Row]) -> int:
    return max((4 * sum(len(str(value)) for value in row.values()) for row in rows), default=0)


def _parts(values: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (values[start : start + size] for start in range(0, len(values), size))
