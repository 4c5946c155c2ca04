"""A table of things with a number each to forecast: what every protocol of forecasts is run on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph import KnowledgeGraph, table_concepts
from zeroshot_core.types import Item

if TYPE_CHECKING:
    from zeroshot_core.types import Floats, Ints

__all__ = ["Catalogue"]


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """Items, what is known of each, and a number of at least 0 each to forecast; aligned by position.

    Parameters
    ----------
    name
        What the reports call it.
    items
        With a text and numeric metadata; not linked to concepts yet.
    rows
        The categories of each item by column; a missing one is left out.
    target
        Shape (n,), finite and at least 0.
    numeric
        Keys of the items' metadata that are numbers.
    graph_columns
        Columns of `rows` whose values are concepts.
    graph_edges
        Pairs of columns whose values are linked, narrow to wide.
    held_out
        By the name of a split, the column whose values are new as a whole in it.

    Raises
    ------
    InvalidInputError
        If lengths differ, a target is negative or not finite, or a split holds out another column.
    """

    name: str
    items: tuple[Item, ...]
    rows: tuple[Mapping[str, str], ...]
    target: Floats
    numeric: tuple[str, ...] = ()
    graph_columns: tuple[str, ...] = ()
    graph_edges: tuple[tuple[str, str], ...] = ()
    held_out: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.items)
        if len(self.rows) != n or self.target.shape != (n,):
            raise InvalidInputError(
                f"expected a row and a target for each of {n} items, got {len(self.rows)} rows and targets "
                f"of shape {self.target.shape}"
            )
        if not np.isfinite(self.target).all() or self.target.min(initial=0) < 0:
            raise InvalidInputError(
                "expected targets that are finite and at least 0, got others; leave those items out"
            )
        strange = sorted(set(self.held_out.values()) - set(self.graph_columns))
        if strange:
            raise InvalidInputError(
                f"expected to hold out one of the columns {list(self.graph_columns)}, got {strange}"
            )

    def __len__(self) -> int:
        return len(self.items)

    def take(self, indices: Ints) -> Catalogue:
        """Give the items at some positions."""
        return replace(
            self,
            items=tuple(self.items[i] for i in indices),
            rows=tuple(self.rows[i] for i in indices),
            target=self.target[indices],
        )

    def column(self, name: str) -> list[str]:
        """Give one category of every item, ``""`` where it is unknown."""
        return [row.get(name, "") for row in self.rows]

    def graph(self) -> KnowledgeGraph:
        """Make the concepts of the columns, and their relations."""
        return KnowledgeGraph.from_table(self.rows, self.graph_columns, self.graph_edges)

    def linked_items(self) -> tuple[Item, ...]:
        """Link every item to the concepts of its categories."""
        concepts = table_concepts(self.rows, self.graph_columns)
        return tuple(replace(item, concepts=ids) for item, ids in zip(self.items, concepts, strict=True))
