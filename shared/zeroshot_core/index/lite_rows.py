"""Rows of a Milvus Lite collection, read from its files.

Milvus Lite makes an object of each cell and sends it through a socket: 26,000 rows with vectors take three
seconds. Its files are Parquet and never change, so where they hold all rows of a collection, as they do once
a build has ended, they are read as they are, in a tenth of a second, and Milvus Lite, which
takes most of a second to import and to start, need not be there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, overload

import numpy as np

from zeroshot_core.index.collection import Record
from zeroshot_core.index.lite_folder import data_files

if TYPE_CHECKING:
    from pathlib import Path

    from zeroshot_core.types import Vectors

__all__ = ["LiteRows", "RecordColumns", "read_lite_rows"]

_JSON = "metadata"
_LISTS = ("concepts", "sources", "synonyms")
_NUMBERS = ("weight",)


@dataclass(frozen=True, kw_only=True)
class LiteRows:
    """All rows of a collection, in the order of their ids.

    Parameters
    ----------
    columns
        Values of each field, row by row; metadata as JSON.
    vectors
        Shape (n, d).
    """

    columns: Mapping[str, Sequence[Any]]
    vectors: Vectors


class RecordColumns(Sequence[Record], Generic[Record]):
    """Records of which each is made when it is asked for: of many rows, few are ever shown.

    Parameters
    ----------
    make
        Makes a record of a row.
    """

    def __init__(
        self, columns: Mapping[str, Sequence[Any]], make: Callable[[dict[str, Any]], Record]
    ) -> None:
        self._columns = columns
        self._make: Callable[[dict[str, Any]], Record] = make
        self._made: dict[int, Record] = {}

    def column(self, name: str) -> Sequence[Any]:
        """Values of a field, row by row; none if the rows have no such field."""
        return self._columns.get(name, ())

    def __len__(self) -> int:
        return len(self._columns["id"])

    @overload
    def __getitem__(self, row: int) -> Record: ...

    @overload
    def __getitem__(self, row: slice) -> list[Record]: ...

    def __getitem__(self, row: int | slice) -> Record | list[Record]:
        if isinstance(row, slice):
            return [self[each] for each in range(*row.indices(len(self)))]
        if row not in self._made:
            values = {name: column[row] for name, column in self._columns.items()}
            if _JSON in values:
                values[_JSON] = json.loads(values[_JSON])
            self._made[row] = self._make(values)
        return self._made[row]

    def __iter__(self) -> Iterator[Record]:
        return (self[row] for row in range(len(self)))


def read_lite_rows(collection: Path, fields: Sequence[str], dimension: int) -> LiteRows | None:
    """Read all rows of a collection from its files.

    Parameters
    ----------
    collection
        Its folder.
    fields
        Which to read, ``id`` among them.

    Returns
    -------
    LiteRows
        None where files alone don't tell: rows are in the log still, were deleted or replaced and stay there
        until Milvus Lite compacts, or the files are not as it writes them. Milvus Lite is to be asked then.
    """
    import pyarrow as pa

    if data_files(collection) == []:
        nothing = np.zeros((0, dimension), dtype=np.float32)
        return LiteRows(columns={name: () for name in fields}, vectors=nothing)
    try:
        table = _table(collection, (*fields, "vector"))
        if table is None or not _is_as_written(table, fields, dimension):
            return None
        ids = table.column("id").to_pylist()
        order = sorted(range(len(ids)), key=ids.__getitem__)
        if len(set(ids)) < len(ids):
            return None
        if order != list(range(len(ids))):
            table = table.take(order)
        vectors = table.column("vector").combine_chunks()
        flat = vectors.flatten().to_numpy() if len(ids) else np.zeros(0, dtype=np.float32)
        return LiteRows(
            columns={name: table.column(name).to_pylist() for name in fields},
            vectors=flat.reshape(len(ids), dimension),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, pa.ArrowException):
        return None


def _table(collection: Path, names: Sequence[str]) -> Any:
    """Read the files that a collection consists of; None if they are not all of it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = [pq.read_table(file, columns=list(names)) for file in data_files(collection) or ()]
    return pa.concat_tables(tables) if tables else None


def _is_as_written(table: Any, fields: Sequence[str], dimension: int) -> bool:
    """Whether each column has the type of its field, and no gaps."""
    import pyarrow as pa

    expected = {name: pa.string() for name in fields}
    expected |= {name: pa.list_(pa.string()) for name in _LISTS if name in expected}
    expected |= {name: pa.float64() for name in _NUMBERS if name in expected}
    expected["vector"] = pa.list_(pa.float32(), dimension)
    return all(
        table.schema.field(name).type == type_ and not table.column(name).null_count
        for name, type_ in expected.items()
    )
