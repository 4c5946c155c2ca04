"""Concepts and relations from pandas frames."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from zeroshot_core.graph.edges import CONCEPT_COLUMNS, EDGE_COLUMNS, check_columns, concept_list, edge_list
from zeroshot_core.graph.records import Records, collector_paused

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["read_frame"]

_LISTS_AND_NUMBERS = frozenset({"synonyms", "sources", "weight"})


@collector_paused()
def read_frame(relations: pd.DataFrame, concepts: pd.DataFrame | None = None) -> Records:
    """Read an edge list, and where it is given a list of concepts, with the columns of `loaders.read_csv`.

    Missing cells count as empty, ids that are numbers as their text; synonyms and sources may also be lists.

    Raises
    ------
    InvalidInputError
        If columns are missing or rows are damaged (one error for all).
    """
    check_columns("relations", EDGE_COLUMNS, list(relations.columns))
    known = None
    if concepts is not None:
        check_columns("concepts", CONCEPT_COLUMNS, list(concepts.columns))
        known = concept_list(_rows(concepts), origin="concepts", unit="row")
    return edge_list(_rows(relations), known, origin="relations", unit="row")


def _rows(frame: pd.DataFrame) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the number, from 0, and the cells of each row."""
    columns = [str(column) for column in frame.columns]
    cells = frame.astype(object).where(frame.notna(), None)
    values = (cells[column].tolist() for column in frame.columns)
    for number, row in enumerate(zip(*values, strict=True)):
        yield number, {column: _cell(column, value) for column, value in zip(columns, row, strict=True)}


def _cell(column: str, value: Any) -> Any:
    return value if value is None or column in _LISTS_AND_NUMBERS or isinstance(value, str) else str(value)
