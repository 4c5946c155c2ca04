"""Columns of a table as lists, whatever it is made of: a table of pandas or polars, or rows as mappings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from zeroshot_core.checks import nearest_name, shown
from zeroshot_core.dataframes import column_names, is_frame, read_columns
from zeroshot_core.errors import InvalidInputError

if TYPE_CHECKING:
    from zeroshot_core.frames.table_schema import TableSchema

__all__ = ["is_table", "table_columns", "unused_columns"]


def is_table(value: object) -> bool:
    """Whether a value is a table: of a library, or a list of rows, each a mapping from column to value."""
    if isinstance(value, list | tuple):
        return bool(value) and all(isinstance(row, Mapping) for row in value)
    return is_frame(value)


def table_columns(
    table: Any, names: Sequence[str], *, optional: Sequence[str | None] = ()
) -> dict[str, list[Any]]:
    """Read columns of a table, in the order of its rows.

    Parameters
    ----------
    names
        Columns that must be there.
    optional
        Columns that are left out if they are not there; None is no column.

    Raises
    ------
    InvalidInputError
        If a column is missing; the message names the one that is spelt most like it.
    """
    known = _names(table)
    for name in names:
        if name not in known:
            nearest = nearest_name(name, [other for other in known if isinstance(other, str)])
            remedy = f"did you mean {nearest!r}?" if nearest else f"it has {shown(known)}"
            raise InvalidInputError(f"expected a column {shown(name)} in the table, got none; {remedy}")
    read = list(dict.fromkeys([*names, *(name for name in optional if name in known and name is not None)]))
    if is_frame(table):
        return read_columns(table, read)
    return {name: [row.get(name) for row in table] for name in read}


def unused_columns(table: Any, schema: TableSchema, others: Sequence[object] = ()) -> list[Any]:
    """Columns of a table that a schema gives no role, but for some others."""
    used = {*schema.columns, *schema.target, schema.id, *others}
    return [name for name in _names(table) if name not in used]


def _names(table: Any) -> list[Any]:
    if is_frame(table):
        return column_names(table)
    return list(dict.fromkeys(name for row in table for name in row))
