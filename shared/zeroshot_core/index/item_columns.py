"""Which columns of a data set say what of an item: rows of Arrow tables as items."""

from __future__ import annotations

import math
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zeroshot_core import checks
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.index.builder import check_concepts, checked_items
from zeroshot_core.types import Item

if TYPE_CHECKING:
    from zeroshot_core.index.schema import Row

__all__ = ["ItemColumns"]


@dataclass(frozen=True, kw_only=True)
class ItemColumns:
    """Columns of a data set that make items.

    Parameters
    ----------
    id
        Texts or whole numbers, each once.
    text
        What is encoded.
    concepts
        Columns whose cells name concepts, each by an id or a list of ids. One that is not there names
        none.
    metadata
        Columns that are kept for filters and features; None for all others. Empty cells are left out.
    """

    id: str = "id"
    text: str = "text"
    concepts: tuple[str, ...] = ("concepts",)
    metadata: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        for name in ("id", "text"):
            checks.text(name, getattr(self, name), remedy="give the name of a column")

    def checked(self, block: Any, concepts: Container[str] | None = None) -> tuple[list[Item], list[Row]]:
        """Items of an Arrow table, and their rows without vectors.

        Parameters
        ----------
        concepts
            Ids of the graph's; None where there is no graph to check against.

        Raises
        ------
        InvalidInputError
            If a column is missing, or a row makes no item that can be written.
        """
        missing = [name for name in (self.id, self.text) if name not in block.column_names]
        if missing:
            raise InvalidInputError(
                f"expected columns {self.id!r} and {self.text!r}, got {checks.listed(block.column_names)}; "
                "name them by ItemColumns(id=..., text=...)"
            )
        items, rows = checked_items([self._item(row) for row in block.to_pylist()])
        if concepts is not None:
            check_concepts(items, concepts)
        return items, rows

    def _item(self, row: Mapping[str, Any]) -> Item:
        id_, text = row[self.id], row[self.text]
        if not isinstance(id_, str | int) or not isinstance(text, str):
            raise InvalidInputError(
                f"expected an id that is a text or a whole number, and a text, got {checks.shown(id_)} and "
                f"{checks.shown(text)}; leave such rows out"
            )
        taken = {self.id, self.text, *self.concepts}
        kept = row.keys() - taken if self.metadata is None else self.metadata
        cells = {name: row[name] for name in row if name in kept}
        return Item(
            id=str(id_),
            text=text,
            concepts=tuple(dict.fromkeys(name for column in self.concepts for name in _ids(row.get(column)))),
            metadata={name: cell for name, cell in cells.items() if not _is_missing(cell)},
        )


def _ids(cell: Any) -> list[str]:
    """Concepts of one cell."""
    cells = cell if isinstance(cell, list) else [cell]
    return [str(each) for each in cells if not _is_missing(each)]


def _is_missing(cell: Any) -> bool:
    return cell is None or cell == "" or (isinstance(cell, float) and math.isnan(cell))
