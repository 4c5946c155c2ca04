"""Items of a table, linked to the concepts of a graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import permutations
from typing import TYPE_CHECKING, Any

from zeroshot_core.errors import ArtifactError, InvalidInputError
from zeroshot_core.types import Item

if TYPE_CHECKING:
    from zeroshot_core.cli.tables import Table
    from zeroshot_core.graph import KnowledgeGraph

__all__ = ["Columns", "graph_of_columns", "linked_columns", "new_values", "to_items"]


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Which columns of a table say what; kept with a model, so that new tables are read in the same way.

    Parameters
    ----------
    text
        Description of the item.
    targets
        What is predicted: one column for a number, several for a curve.
    id
        Name of the item; None numbers the rows.
    concepts
        Columns whose cells name concepts of the graph, as ``cell`` or as ``column:cell``.
    """

    text: str
    targets: tuple[str, ...] = ()
    id: str | None = None
    concepts: tuple[str, ...] = ()

    def to_extra(self) -> dict[str, Any]:
        """Give plain JSON types, to be saved with a model."""
        return asdict(self)

    @classmethod
    def of_model(cls, model: Any) -> Columns:
        """Read what was saved with a model.

        Raises
        ------
        ArtifactError
            If the model was not fitted by ``zeroshot fit`` or ``zeroshot demo``.
        """
        extra = model.saved_extra_
        if "text" not in extra:
            raise ArtifactError(
                "expected a model that knows the columns of its tables, got one saved from Python; "
                "predict with it in Python, or fit it with zeroshot fit"
            )
        targets, concepts = tuple(extra["targets"]), tuple(extra["concepts"])
        return cls(text=extra["text"], targets=targets, id=extra["id"], concepts=concepts)


def to_items(table: Table, columns: Columns, graph: KnowledgeGraph | None, *, prefix: str) -> list[Item]:
    """Make an item of each row, linked to those of its concepts that the graph holds.

    Raises
    ------
    InvalidInputError
        If the column of texts is not there, or a text or id is empty.
    """
    texts = table.column(columns.text)
    ids = [f"{prefix}-{number}" for number in range(1, len(texts) + 1)]
    if columns.id is not None and columns.id in table.columns:
        ids = table.column(columns.id)
    return [
        Item(id=id_, text=text, concepts=_links(row, columns.concepts, graph), metadata=_known(row, columns))
        for id_, text, row in zip(ids, texts, table.rows, strict=True)
    ]


def new_values(table: Table, columns: Sequence[str], graph: KnowledgeGraph | None) -> dict[str, int]:
    """Count the distinct values by column, of the `columns` that are there, that the graph does not hold."""
    if graph is None:
        return {}
    values = {
        column: {row[column] for row in table.rows} - {""} for column in columns if column in table.columns
    }
    counts = {
        column: sum(_concept_id(column, value, graph) is None for value in distinct)
        for column, distinct in values.items()
    }
    return {column: count for column, count in counts.items() if count}


def linked_columns(table: Table, graph: KnowledgeGraph, other: Sequence[str | None]) -> tuple[str, ...]:
    """Find the columns, but for some `other`, in which a cell names a concept of the graph.

    Raises
    ------
    InvalidInputError
        If there is none.
    """
    found = tuple(
        column
        for column in table.columns
        if column not in other and any(_concept_id(column, row[column], graph) for row in table.rows)
    )
    if not found:
        raise InvalidInputError(
            f"{table.name}: expected a column whose cells name concepts of the graph, got none; "
            f"the graph's begin with {', '.join(map(repr, graph.concept_ids[:3]))}"
        )
    return found


def graph_of_columns(table: Table, columns: Sequence[str]) -> KnowledgeGraph:
    """Turn the values of columns into concepts; a value that stands with one wider value only is part of it.

    Raises
    ------
    InvalidInputError
        If a column is not there or a name appears twice.
    """
    from zeroshot_core.graph import KnowledgeGraph

    if len(set(columns)) != len(columns):
        raise InvalidInputError(f"expected distinct columns of concepts, got {', '.join(columns)}")
    cells = {column: table.column(column) for column in columns}
    return KnowledgeGraph.from_table(table.rows, columns, edges=list(_nested(cells)))


def _nested(cells: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    """Pairs of columns, narrow and wide, where each narrow value stands with the same wide one."""
    for narrow, wide in permutations(cells, 2):
        pairs = set(zip(cells[narrow], cells[wide], strict=True))
        n_narrow, n_wide = len(set(cells[narrow])), len(set(cells[wide]))
        if len(pairs) == n_narrow > n_wide:
            yield narrow, wide


def _links(row: Mapping[str, str], columns: Sequence[str], graph: KnowledgeGraph | None) -> tuple[str, ...]:
    if graph is None:
        return ()
    ids = (_concept_id(column, row.get(column, ""), graph) for column in columns)
    return tuple(dict.fromkeys(id_ for id_ in ids if id_))


def _concept_id(column: str, value: str, graph: KnowledgeGraph) -> str | None:
    return next((id_ for id_ in (f"{column}:{value}", value) if value and id_ in graph), None)


def _known(row: Mapping[str, str], columns: Columns) -> dict[str, str]:
    """Metadata to filter by: the cells of the columns of concepts."""
    return {column: row[column] for column in columns.concepts if row.get(column)}
