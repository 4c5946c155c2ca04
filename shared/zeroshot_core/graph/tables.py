"""Concepts and relations from the columns of a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from numbers import Number
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from zeroshot_core import checks
from zeroshot_core.dataframes import column_names, is_frame, read_columns
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.types import Concept, Relation, Scalar

if TYPE_CHECKING:
    from zeroshot_core.dataframes import Frame

__all__ = ["Table", "edge_columns", "table_concepts", "table_graph"]

Table: TypeAlias = "Sequence[Mapping[str, Scalar]] | Frame"


def table_graph(
    rows: Table, columns: Sequence[str], edges: Sequence[tuple[str, ...]] = ()
) -> tuple[list[Concept], list[Relation]]:
    """Turn the distinct values of columns into concepts, and pairs of columns into relations.

    Parameters
    ----------
    rows
        Mappings from column to value, or a table of pandas or polars; None, NaN and blank strings count as
        missing.
    columns
        Each distinct value becomes ``Concept(id="column:value", name="value", type="column")``.
    edges
        ``(child, parent)`` or ``(child, relation_type, parent)`` columns; the relation type is the parent's
        column where none is given. The weight is the share of the child's rows that carry the parent, in
        (0, 1].

    Raises
    ------
    InvalidInputError
        If the rows are no table, a column is in no row, an edge names another column, or a value is not a
        scalar.
    """
    rows, columns = _mappings(rows), _names(columns)
    triples = [edge_columns(edge, columns) for edge in checks.sequence("edges", edges, of="pairs of columns")]
    present = set().union(*rows) if rows else set()
    absent = [column for column in columns if column not in present]
    if absent:
        raise InvalidInputError(
            f"expected columns of the table, {checks.shown(sorted(map(str, present)))}, got "
            f"{checks.shown(absent)}; mend the names"
        )
    ids = {column: [_concept_id(column, row) for row in rows] for column in columns}
    concepts = [
        Concept(id=id_, name=id_[len(column) + 1 :], type=column)
        for column in columns
        for id_ in dict.fromkeys(ids[column])
        if id_
    ]
    relations = [
        relation for child, type_, parent in triples for relation in _shares(ids[child], type_, ids[parent])
    ]
    return concepts, relations


def table_concepts(rows: Table, columns: Sequence[str]) -> list[tuple[str, ...]]:
    """Concept ids of each row, in the order of `columns`, missing values left out; see `table_graph`."""
    columns = _names(columns)
    return [tuple(id_ for column in columns if (id_ := _concept_id(column, row))) for row in _mappings(rows)]


def _mappings(rows: Table) -> Sequence[Mapping[str, Scalar]]:
    """Give rows as mappings, those of a frame too."""
    if is_frame(rows):
        columns = read_columns(rows, column_names(rows))
        return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    given = checks.sequence("rows", rows, of="mappings from column to value")
    for number, row in enumerate(given):
        if not isinstance(row, Mapping):
            raise InvalidInputError(
                f"row {number}: expected a mapping from column to value, got {checks.shown(row)}"
            )
    return given


def _names(columns: Sequence[str]) -> list[str]:
    """Check names of columns."""
    given = checks.sequence("columns", columns, of="column names")
    for name in given:
        if not isinstance(name, str):
            raise InvalidInputError(f"expected columns as a list of names, got {checks.shown(name)} in it")
    return given


def edge_columns(edge: tuple[str, ...], columns: Sequence[str]) -> tuple[str, str, str]:
    """Check an edge of `table_graph`, and give child, relation type and parent.

    Raises
    ------
    InvalidInputError
        If it is none, or names a column that is not among the `columns`.
    """
    is_edge = isinstance(edge, tuple | list) and len(edge) in {2, 3}
    if (
        not is_edge
        or not all(isinstance(part, str) for part in edge)
        or not {edge[0], edge[-1]} <= set(columns)
    ):
        raise InvalidInputError(
            f"expected edges as (child, parent) or (child, relation_type, parent) of the columns "
            f"{checks.shown(list(columns))}, got {checks.shown(edge)}"
        )
    return edge[0], edge[-1] if len(edge) == 2 else edge[1], edge[-1]


def _concept_id(column: str, row: Mapping[str, Scalar]) -> str:
    """``column:value``, or an empty string where the value is missing."""
    value: Any = row.get(column)
    if isinstance(value, str):
        return f"{column}:{value}" if value.strip() else ""
    if value is None or _is_nan(value):
        return ""
    if not isinstance(value, Number | np.generic):
        raise InvalidInputError(
            f"column {column!r}: expected strings or numbers, got {checks.shown(value)}; "
            "give a column one value a row"
        )
    return f"{column}:{value}"


def _is_nan(value: Any) -> bool:
    try:
        return bool(value != value)
    except TypeError:  # pandas.NA refuses to be a bool
        return True
    except ValueError:  # arrays are refused by the caller
        return False


def _shares(children: Sequence[str], type_: str, parents: Sequence[str]) -> Iterator[Relation]:
    totals = Counter(children)
    pairs = Counter(zip(children, parents, strict=True))
    for (child, parent), count in pairs.items():
        if child and parent:
            yield Relation(head=child, type=type_, tail=parent, weight=count / totals[child])
