"""Filters written as plain mappings, as JSON has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.index.filters import AllOf, AnyOf, Condition, Filter, Not

__all__ = ["filter_of"]

_COMPARISONS = {"$eq": "==", "$ne": "!=", "$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
_OPERATORS = {**_COMPARISONS, "$in": "in", "$nin": "not in", "$contains": "contains", "$any": "contains"}


def filter_of(filter: Filter | Mapping[str, Any] | None) -> Filter | None:
    """Read a mapping such as ``{"brand": "acme", "price": {"$gt": 3}}``, whose entries must all hold.

    ``$and`` and ``$or`` take a list of mappings, ``$not`` takes one, and
    ``{"concepts": {"$contains": "type:wine"}}`` asks for items that are linked to a concept, ``$any`` and
    ``$all`` for those linked to one or all of a list. A filter, and None, come back as they are.

    Raises
    ------
    InvalidInputError
        If `filter` is neither a mapping nor a filter, or an operator is unknown.
    """
    if filter is None or isinstance(filter, Condition | AllOf | AnyOf | Not):
        return filter
    if not isinstance(filter, Mapping):
        raise InvalidInputError(f"expected a mapping or a filter, got {filter!r}")
    parts = [part for key, value in filter.items() for part in _entry(key, value)]
    return parts[0] if len(parts) == 1 else AllOf(parts)


def _entry(key: str, value: Any) -> list[Filter]:
    if key in {"$and", "$or"}:
        if not isinstance(value, list | tuple):
            raise InvalidInputError(f"filter {key}: expected a list of mappings, got {value!r}")
        parts = [_all_of(part) for part in value]
        return [AllOf(parts) if key == "$and" else AnyOf(parts)]
    if key == "$not":
        return [Not(_all_of(value))]
    asked = value if isinstance(value, Mapping) else {"$eq": value}
    return [part for operator, operand in asked.items() for part in _conditions(key, operator, operand)]


def _conditions(key: str, operator: str, operand: Any) -> list[Filter]:
    if operator == "$all" and isinstance(operand, list | tuple):
        return [Condition(key, "contains", one) for one in operand]
    if operator not in _OPERATORS:
        raise InvalidInputError(
            f"filter on {key!r}: expected one of {', '.join(_OPERATORS)}, $all (of a list), got {operator!r}"
        )
    return [Condition(key, _OPERATORS[operator], operand)]


def _all_of(part: Filter | Mapping[str, Any]) -> Filter:
    return filter_of(part) or AllOf(())
