"""Edge lists and concept lists, row by row: what CSV files and data frames have in common."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph.records import Records, concept_of, relation_of
from zeroshot_core.graph.validation import refuse_damaged
from zeroshot_core.types import Concept, Relation

__all__ = ["CONCEPT_COLUMNS", "EDGE_COLUMNS", "check_columns", "concept_list", "edge_list"]

EDGE_COLUMNS = ("head", "type", "tail")
CONCEPT_COLUMNS = ("id",)

Rows: TypeAlias = Iterable[tuple[int, Mapping[Any, Any]]]
Record = TypeVar("Record")


def check_columns(origin: str, expected: Sequence[str], columns: Collection[str]) -> None:
    """Refuse a table that lacks one of the `expected` columns."""
    missing = [column for column in expected if column not in columns]
    if missing:
        raise InvalidInputError(
            f"{origin}: expected columns {', '.join(expected)}, got none for {missing}; mend the header"
        )


def edge_list(rows: Rows, concepts: Sequence[Concept] | None, *, origin: str, unit: str) -> Records:
    """Relations of rows, between `concepts` or, where None are given, between concepts named by their ids.

    Parameters
    ----------
    rows
        Number and cells of each row: head, type, tail and where known weight, sources, head_type, tail_type.
    origin, unit
        What the rows come from, and what one is called, for messages.

    Raises
    ------
    InvalidInputError
        If rows are damaged (one error for all).
    """
    types = {concept.id: concept.type for concept in concepts or ()}
    relations = _records(rows, lambda row: _edge(row, types), origin=origin, unit=unit)
    if concepts is not None:
        return list(concepts), relations
    return [Concept(id=id_, name=id_, type=type_ or "concept") for id_, type_ in types.items()], relations


def concept_list(rows: Rows, *, origin: str, unit: str) -> list[Concept]:
    """Concepts of rows with an id and where known a name, type, synonyms and description."""
    return _records(rows, _concept, origin=origin, unit=unit)


def _records(
    rows: Rows, read: Callable[[Mapping[Any, Any]], Record], *, origin: str, unit: str
) -> list[Record]:
    records: list[Record] = []
    damaged: list[tuple[int, str]] = []
    for number, row in rows:
        try:
            records.append(read(row))
        except ValueError as error:
            damaged.append((number, str(error)))
    refuse_damaged(origin, damaged, unit=unit)
    return records


def _edge(row: Mapping[Any, Any], types: dict[str, str]) -> Relation:
    """Relation of a row; notes the types of its ends in `types`."""
    # The csv module puts cells beyond the header under None.
    if None in row or not (row["head"] and row["type"] and row["tail"]):
        raise ValueError("expected as many cells as columns, with head, type and tail filled")
    relation = relation_of(row["head"], row["type"], row["tail"], row)
    for id_, type_ in ((relation.head, row.get("head_type")), (relation.tail, row.get("tail_type"))):
        known = types.get(id_, "")
        if known and type_ and known != type_:
            raise ValueError(f"{id_!r} is of type {known!r} above and {type_!r} here")
        types[id_] = known or type_ or ""
    return relation


def _concept(row: Mapping[Any, Any]) -> Concept:
    if None in row or not row["id"]:
        raise ValueError("expected as many cells as columns, with the id filled")
    return concept_of(row["id"], row, type_=row.get("type") or "concept")
