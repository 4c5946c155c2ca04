"""Searches of one collection of one version, by Milvus or in a copy of its rows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from itertools import chain
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core.index.collection import Record, SearchResult, check_ids, check_search
from zeroshot_core.index.connection import begin_each
from zeroshot_core.index.filters import Filter, render
from zeroshot_core.index.mirror import Mirror
from zeroshot_core.index.params import to_scores
from zeroshot_core.index.schema import output_fields
from zeroshot_core.index.stored_rows import StoredRows

if TYPE_CHECKING:
    from zeroshot_core.index.connection import Connection
    from zeroshot_core.index.params import IndexParams
    from zeroshot_core.types import Floats, Vectors

__all__ = ["Table"]

# Bounds of Milvus on one answer.
_HITS_PER_CALL = 1_000_000
_QUERIES_PER_CALL = 1024
# Beyond so many, hits are read without their records, of which many are the same.
_READS_OF_HITS = 4
# From here on, reading all rows of a local file once costs less than reading these hits one by one, or than
# walking all rows in so many searches.
_MIRROR_HITS = 20_000
_MIRROR_SEARCHES = 64
_MIRROR_KEYS = 4096


class Table(StoredRows[Record]):
    """A collection that is searched; what is asked for often is answered from a copy of its rows."""

    def __init__(
        self, connection: Connection, collection: str, kind: str, dimension: int, params: IndexParams
    ) -> None:
        super().__init__(connection, collection, kind, dimension)
        self._params = params
        self._mirror: Mirror[Record] | None = None
        self._reading = Lock()
        self._n_hits = self._n_searches = 0
        self._hits_stamp = -1

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
            Whether to search a copy of the rows, however few hits are asked for; with a filter it is not. On
            a server that is for rows that nobody writes any more.

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
        """Begin a `search`: what is given back waits for a server's answer, or searches a local file.

        Parameters
        ----------
        is_alone
            Whether nothing else is done meanwhile.
        """
        queries = check_search(vectors, top_k, self._dimension)
        expression, fields = render(filter), output_fields(self._kind)
        n_hits = len(queries) * top_k
        if from_copy and not expression:
            return lambda: self._with_records(*self._from_copy(queries, top_k, expression))
        at_once = self._rows_per_read(fields)
        is_large = top_k > at_once or n_hits > _READS_OF_HITS * at_once
        if is_large or self._reads_mirror(()) or self._is_for_copy(n_hits, expression):
            return lambda: self._with_records(*self._nearest(queries, top_k, expression))
        return self._begin_whole(queries, top_k, expression, fields, is_alone=is_alone)

    def nearest(self, vectors: Vectors, top_k: int) -> tuple[list[list[str]], list[Floats]]:
        """Ids and scores alone of the nearest records of each query vector; see `search`."""
        return self._nearest(check_search(vectors, top_k, self._dimension), top_k, "")

    def search_linked(
        self, vectors: Vectors, concept_ids: Sequence[Sequence[str]], top_k: int, filter: Filter | None
    ) -> SearchResult[Record]:
        """Nearest records of each query among those linked to its concepts, in the copy of a local file."""
        queries, expression = check_search(vectors, top_k, self._dimension), render(filter)
        allowed = self.keys(expression) if expression else None
        return self._with_records(*self.mirrored().search_linked(queries, concept_ids, top_k, allowed))

    def _is_for_copy(self, n_hits: int, expression: str) -> bool:
        """Whether so much was asked for, now or since the last write, that reading the rows pays."""
        if not self._connection.is_lite:
            return False
        if self._hits_stamp != self._connection.n_writes:
            self._hits_stamp, self._n_hits, self._n_searches = self._connection.n_writes, 0, 0
        # Lite finds the rows for which a filter holds by walking all, however few hits are asked for.
        if expression:
            return n_hits >= _MIRROR_HITS
        return self._n_searches >= _MIRROR_SEARCHES or self._n_hits + n_hits >= _MIRROR_HITS

    def _nearest(self, queries: Vectors, top_k: int, expression: str) -> tuple[list[list[str]], list[Floats]]:
        if self._is_for_copy(len(queries) * top_k, expression):
            return self._from_copy(queries, top_k, expression)
        return self._search_ids(queries, top_k, expression)

    def _from_copy(
        self, queries: Vectors, top_k: int, expression: str
    ) -> tuple[list[list[str]], list[Floats]]:
        self._n_hits += len(queries) * top_k
        allowed = self.keys(expression) if expression else None
        return self.mirrored().search(queries, top_k, allowed)

    def _begin_whole(
        self, queries: Vectors, top_k: int, expression: str, fields: list[str], *, is_alone: bool
    ) -> Callable[[], SearchResult[Record]]:
        """Search and read the records by the same calls; a server is asked the later ones meanwhile."""
        step = max(1, self._rows_per_read(fields) // top_k)
        parts = (queries[start : start + step] for start in range(0, len(queries), step))
        is_alone = is_alone and len(queries) <= step
        begun = begin_each(
            lambda part: self._begin_hits(part, top_k, expression, fields, is_alone=is_alone), parts
        )
        return lambda: self._whole([hits for answer in begun for hits in answer])

    def _whole(self, answer: Sequence[Any]) -> SearchResult[Record]:
        known: dict[str, Record] = {}
        ids = [list(hits.ids) for hits in answer]
        for key, hit in zip(chain.from_iterable(ids), chain.from_iterable(answer), strict=True):
            if key not in known:
                known[key] = self._record(hit["entity"])
        return SearchResult(
            ids=ids, scores=self._scores(answer), records=[[known[key] for key in found] for found in ids]
        )

    def _search_ids(
        self, queries: Vectors, top_k: int, expression: str
    ) -> tuple[list[list[str]], list[Floats]]:
        """Search so many hits that their records, of which many are the same, had better be read once."""
        ids: list[list[str]] = []
        scores: list[Floats] = []
        step = min(_QUERIES_PER_CALL, max(1, _HITS_PER_CALL // top_k))
        for start in range(0, len(queries), step):
            part = queries[start : start + step]
            answer = self._begin_hits(part, top_k, expression, ["id"], is_alone=True)()
            ids += [list(hits.ids) for hits in answer]
            scores += self._scores(answer)
        return ids, scores

    def _begin_hits(
        self, queries: Vectors, top_k: int, expression: str, fields: list[str], *, is_alone: bool
    ) -> Callable[[], Any]:
        self._n_hits += len(queries) * top_k
        self._n_searches += 1
        return self._connection.begin(
            "search",
            self._collection,
            is_alone=is_alone,
            data=list(queries),
            anns_field="vector",
            limit=top_k,
            filter=expression,
            output_fields=fields,
            search_params=self._params.search_options(top_k),
        )

    def _scores(self, answer: Any) -> list[Floats]:
        distances = [np.asarray(hits.distances, dtype=np.float64) for hits in answer]
        return [to_scores(each, self._params.metric) for each in distances]

    def _with_records(self, ids: list[list[str]], scores: list[Floats]) -> SearchResult[Record]:
        records = self.get({key for found in ids for key in found})
        for row, found in enumerate(ids):
            if any(key not in records for key in found):  # deleted between the two reads
                kept = [place for place, key in enumerate(found) if key in records]
                ids[row], scores[row] = [found[place] for place in kept], scores[row][kept]
        return SearchResult(
            ids=ids, scores=scores, records=[[records[key] for key in found] for found in ids]
        )

    def get(self, ids: Collection[str]) -> dict[str, Record]:
        """Read records by id; ids that are not there are left out."""
        if self._reads_mirror(ids):
            mirror = self.mirrored()
            return {key: mirror.records[mirror.rows[key]] for key in ids if key in mirror.rows}
        rows = self._rows_of(list(ids), output_fields(self._kind))
        return {row["id"]: self._record(row) for row in rows}

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
            rows = list(self._rows_of(list(dict.fromkeys(ids)), ["id", "vector"]))
            known = {row["id"]: place for place, row in enumerate(rows)}
            vectors = np.asarray([row["vector"] for row in rows], dtype=np.float32)
        check_ids(self._kind, ids, known)
        return vectors.reshape(-1, self._dimension)[[known[key] for key in ids]]

    def mirrored(self) -> Mirror[Record]:
        """All rows, read once, and of a local file again after a write: no other process has it."""
        with self._reading:
            return self._read_mirror()

    def _read_mirror(self) -> Mirror[Record]:
        stamp = self._stamp
        if self._mirror is None or self._mirror.stamp != stamp:
            ids: list[str] = []
            records: list[Record] = []
            vectors = [np.zeros((0, self._dimension), dtype=np.float32)]
            for page in self._pages("", [*output_fields(self._kind), "vector"]):
                ids += [row["id"] for row in page]
                records += [self._record(row) for row in page]
                page_vectors = np.asarray([row["vector"] for row in page], dtype=np.float32)
                vectors.append(page_vectors.reshape(len(page), self._dimension))
            self._mirror = Mirror(
                ids=tuple(ids), vectors=np.concatenate(vectors), records=tuple(records), stamp=stamp
            )
        return self._mirror

    def _reads_mirror(self, ids: Collection[str]) -> bool:
        is_fresh = self._mirror is not None and self._mirror.stamp == self._stamp
        return is_fresh or (self._connection.is_lite and len(ids) >= _MIRROR_KEYS)

    @property
    def _stamp(self) -> int:
        """Tells whether a copy is stale; on a server only what stays as it is gets copied."""
        return self._connection.n_writes if self._connection.is_lite else 0
