"""Rows of one collection of one version: read, written, deleted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Generic, cast

from zeroshot_core.index.collection import Record
from zeroshot_core.index.filters import literal, literals
from zeroshot_core.index.rows import to_record
from zeroshot_core.index.schema import TEXT_BYTES, output_fields

if TYPE_CHECKING:
    from zeroshot_core.index.connection import Connection
    from zeroshot_core.types import Vectors

__all__ = ["StoredRows"]

# Bounds of Milvus on one answer: rows, and bytes (servers send at most 100 MB, Lite 256 MB).
_MAX_ROWS = 16384
_SERVER_BYTES = 64_000_000
_LITE_BYTES = 200_000_000
_PAGE_BYTES = 16_000_000
_KEYS_PER_READ = 4096
# A server answers several writes at once; a local file takes one after the other.
_SERVER_WRITERS = 4
# Rows written since the last flush that Lite may be left to scan.
_MOST_UNSEALED = 2000


class StoredRows(Generic[Record]):
    """Reads and writes of rows by id or by a rendered filter, each call within the bounds of Milvus."""

    def __init__(self, connection: Connection, collection: str, kind: str, dimension: int) -> None:
        self._connection = connection
        self._collection = collection
        self._kind = kind
        self._dimension = dimension
        self._n_unsealed = 0

    def where(self, expression: str, limit: int | None = None) -> list[Record]:
        """Read the records for which a rendered expression holds, in no order."""
        rows = self._scan(expression, output_fields(self._kind), limit)
        return [self._record(row) for row in rows]

    def placed(self, expression: str) -> dict[int, Record]:
        """Read the concepts or relations for which an expression holds, by their position in the graph."""
        rows = self._scan(expression, [*output_fields(self._kind), "position"])
        return {row["position"]: self._record(row) for row in rows}

    def keys(self, expression: str = "") -> Iterator[str]:
        """Read all ids for which the expression holds."""
        return (row["id"] for row in self._scan(expression, ["id"]))

    def hashes(self) -> dict[str, str]:
        """Read the content hash by id, of all rows that were written before this call."""
        rows = self._scan("", ["id", "content_hash"], consistency_level="Strong")
        return {row["id"]: row["content_hash"] for row in rows}

    def count(self) -> int:
        """Count the rows, all writes included."""
        answer = self._call("query", filter="", output_fields=["count(*)"], consistency_level="Strong")
        return int(answer[0]["count(*)"])

    @property
    def n_writers(self) -> int:
        """How many writes may be under way at once."""
        return 1 if self._connection.is_lite else _SERVER_WRITERS

    def write(self, rows: Sequence[dict[str, Any]], vectors: Vectors, *, replace: bool) -> None:
        """Write rows in calls of a bounded number of bytes; `replace` for ids that may be there."""
        method = "upsert" if replace else "insert"
        step = max(1, _PAGE_BYTES // (4 * self._dimension + _largest_text(rows)))
        for start in range(0, len(rows), step):
            part = zip(rows[start : start + step], vectors[start : start + step], strict=True)
            self._call(method, [{**row, "vector": vector} for row, vector in part])
        self._n_unsealed += len(rows)
        self._connection.note_write()

    def delete(self, ids: Sequence[str]) -> None:
        """Delete rows by id; unknown ids are passed over."""
        for part in _parts(list(ids), _KEYS_PER_READ):
            self._call("delete", filter=f"id in {literals(part)}")
        self._connection.note_write()

    def wait_for_writes(self) -> None:
        """Return when a read sees all writes so far, and finds them fast: Lite scans what is not flushed."""
        if not self._connection.is_lite:
            self.count()
        elif self._n_unsealed >= _MOST_UNSEALED:
            self._call("flush")
            self._n_unsealed = 0

    def _rows_of(self, ids: list[str], fields: list[str]) -> Iterator[dict[str, Any]]:
        for part in _parts(ids, min(_KEYS_PER_READ, self._rows_per_read(fields))):
            yield from self._call("query", filter=f"id in {literals(part)}", output_fields=fields)

    def _scan(
        self, expression: str, fields: list[str], limit: int | None = None, **options: Any
    ) -> Iterator[dict[str, Any]]:
        if self._connection.is_lite:
            everything = expression or 'id != ""'
            yield from self._call("query", filter=everything, output_fields=fields, limit=limit)
        elif limit is not None and limit <= self._rows_per_read(fields):
            yield from self._call("query", filter=expression, output_fields=fields, limit=limit, **options)
        else:
            rows = chain.from_iterable(self._pages(expression, fields, **options))
            yield from islice(rows, limit)

    def _pages(
        self, expression: str, fields: list[str], **options: Any
    ) -> Iterator[Sequence[dict[str, Any]]]:
        """Read all rows in order of their ids; `iterator` is what asks Milvus for that order."""
        size = self._rows_per_read(fields)
        last, page = "", None
        while page is None or len(page) == size:
            after = f"id > {literal(last)}" + (f" and ({expression})" if expression else "")
            page = self._call(
                "query", filter=after, output_fields=fields, limit=size, iterator="True", **options
            )
            yield page
            last = page[-1]["id"] if page else last

    def _rows_per_read(self, fields: list[str]) -> int:
        """Rows that fit into one answer even if every text is as long as it may be."""
        bound = _LITE_BYTES if self._connection.is_lite else _SERVER_BYTES
        size = 1024 + TEXT_BYTES * len({"text", "name", "description"} & set(fields))
        size += 4 * self._dimension * ("vector" in fields)
        return min(_MAX_ROWS, max(1, bound // size))

    def _record(self, row: dict[str, Any]) -> Record:
        return cast("Record", to_record(self._kind, row))

    def _call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return self._connection.call(method, self._collection, *args, **kwargs)


def _largest_text(rows: Sequence[dict[str, Any]]) -> int:
    return max((4 * sum(len(str(value)) for value in row.values()) for row in rows), default=0)


def _parts(values: list[str], size: int) -> Iterator[list[str]]:
    return (values[start : start + size] for start in range(0, len(values), size))
