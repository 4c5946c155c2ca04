"""Items of a table, linked to the concepts of a graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import permutations
from typing import TYPE_CHECKING, Any

from zeroshot_core.checks import listed, shown
from zeroshot_core.errors import ArtifactError, InvalidInputError
from zeroshot_core.types import Item

if TYPE_CHECKING:
    from zeroshot_core.cli.tables import TextTable
    from zeroshot_core.graph import KnowledgeGraph

__all__ = ["TableColumns", "graph_of_columns", "linked_columns", "names_of", "new_values", "to_items"]

# Columns of a table for a model that was saved from Python, where nothing else is named.
_TEXT, _ID = "text", "id"


@dataclass(frozen=True, kw_only=True)
class TableColumns:
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
    def for_table(
        cls,
        table: TextTable,
        extra: Mapping[str, Any],
        *,
        text: str | None = None,
        concepts: tuple[str, ...] = (),
    ) -> TableColumns:
        """Take the columns that were saved with a model, or those that are named for one saved from Python.

        Parameters
        ----------
        extra
            Notes that were saved with the model.
        text, concepts
            What the caller names; it goes before what was saved.

        Raises
        ------
        ArtifactError
            If the model knows no column of texts, none is named, and the table has no column ``text``.
        """
        if "text" in extra:
            saved = cls(
                text=extra["text"],
                targets=tuple(extra["targets"]),
                id=extra["id"],
                concepts=tuple(extra["concepts"]),
            )
            return replace(saved, text=text or saved.text, concepts=concepts or saved.concepts)
        if text is None and _TEXT not in table.columns:
            raise ArtifactError(
                "expected a model that knows the columns of its tables, got one saved from Python; name the "
                f"column of {table.name} that describes an item with --text"
            )
        return cls(text=text or _TEXT, id=_ID if _ID in table.columns else None, concepts=concepts)


def names_of(option: str | None) -> tuple[str, ...]:
    """Take an option apart at its commas."""
    return tuple(name.strip() for name in option.split(",") if name.strip()) if option else ()


def to_items(
    table: TextTable, columns: TableColumns, graph: KnowledgeGraph | None, *, prefix: str
) -> list[Item]:
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


def new_values(table: TextTable, columns: Sequence[str], graph: KnowledgeGraph | None) -> dict[str, int]:
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


def linked_columns(table: TextTable, graph: KnowledgeGraph, other: Sequence[str | None]) -> tuple[str, ...]:
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
            f"the graph's begin with {shown(list(graph.concept_ids[:3]))[1:-1]}"
        )
    return found


def graph_of_columns(table: TextTable, columns: Sequence[str]) -> KnowledgeGraph:
    """Turn the values of columns into concepts; a value that stands with one wider value only is part of it.

    Raises
    ------
    InvalidInputError
        If a column is not there or a name appears twice.
    """
    from zeroshot_core.graph import KnowledgeGraph

    if len(set(columns)) != len(columns):
        raise InvalidInputError(f"expected distinct columns of concepts, got {listed(columns)}")
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


def _known(row: Mapping[str, str], columns: TableColumns) -> dict[str, str]:
    """Metadata to filter by: the cells of the columns of concepts."""
    return {column: row[column] for column in columns.concepts if row.get(column)}
