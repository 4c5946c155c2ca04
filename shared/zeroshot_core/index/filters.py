"""Structured filters over items, rendered to Milvus expressions with every literal escaped.

``Condition("price", "<", 5.0)`` looks at the metadata key ``price``; the names ``id``, ``text`` and
``concepts`` are the item's own fields. ``AllOf``, ``AnyOf`` and ``Not`` combine conditions.
`filter_of` reads the same from plain mappings, as JSON has them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.types import Scalar

__all__ = [
    "AllOf",
    "AnyOf",
    "Condition",
    "Filter",
    "FilterColumns",
    "Not",
    "filter_of",
    "literal",
    "literals",
    "render",
]

Filter: TypeAlias = "Condition | AllOf | AnyOf | Not"

_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
_MEMBERSHIPS = ("in", "not in")
_OPERATORS = (*_COMPARISONS, *_MEMBERSHIPS, "contains")
_MAPPED = {
    "$eq": "==",
    "$ne": "!=",
    "$gt": ">",
    "$gte": ">=",
    "$lt": "<",
    "$lte": "<=",
    "$in": "in",
    "$nin": "not in",
    "$contains": "contains",
    "$any": "contains",
}
_ITEM_FIELDS = ("id", "text", "concepts")
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})


@dataclass(frozen=True)
class Condition:
    """One comparison of a field with a value.

    Parameters
    ----------
    field
        ``id``, ``text``, ``concepts``, or a metadata key.
    op
        ``==``, ``!=``, ``<``, ``<=``, ``>``, ``>=`` with a scalar; ``in``, ``not in`` with a sequence of
        scalars of one type; ``contains`` for ``concepts``, with one concept id or several (any of them).

    Raises
    ------
    InvalidInputError
        If the operator, the field or the value does not fit.
    """

    field: str
    op: str
    value: Scalar | Sequence[Scalar]

    def __post_init__(self) -> None:
        if not isinstance(self.field, str) or not self.field:
            raise InvalidInputError(f"expected a field name, got {self.field!r}")
        if self.op not in _OPERATORS:
            raise InvalidInputError(f"expected an operator among {', '.join(_OPERATORS)}, got {self.op!r}")
        if (self.field == "concepts") != (self.op == "contains"):
            raise InvalidInputError(
                f"expected the operator 'contains' with the field 'concepts' and only there, "
                f"got {self.field!r} {self.op!r}"
            )
        if isinstance(self.value, Sequence) and not isinstance(self.value, (str, bytes)):
            object.__setattr__(self, "value", tuple(self.value))
        self._check_value()

    def _check_value(self) -> None:
        several = isinstance(self.value, tuple)
        if self.op in _MEMBERSHIPS and not several:
            raise InvalidInputError(f"expected a sequence of values for {self.op!r}, got {self.value!r}")
        if self.op in _COMPARISONS and several:
            raise InvalidInputError(
                f"expected one value for {self.op!r}, got {self.value!r}; use 'in' for several"
            )
        for value in self.values:
            literal(value)
            if self.field in _ITEM_FIELDS and not isinstance(value, str):
                raise InvalidInputError(f"expected a string for the field {self.field!r}, got {value!r}")

    @property
    def values(self) -> tuple[Scalar, ...]:
        """The value or values, as a tuple."""
        return self.value if isinstance(self.value, tuple) else (self.value,)


@dataclass(frozen=True)
class AllOf:
    """Holds where every part holds; holds everywhere without parts."""

    parts: Sequence[Filter]

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", _checked_parts(self.parts))


@dataclass(frozen=True)
class AnyOf:
    """Holds where at least one part holds; holds nowhere without parts."""

    parts: Sequence[Filter]

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", _checked_parts(self.parts))


@dataclass(frozen=True)
class Not:
    """Holds where its part does not: also for items that lack the metadata key."""

    part: Filter

    def __post_init__(self) -> None:
        _checked_parts((self.part,))


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


class FilterColumns:
    """How a collection keeps what filters speak of; this is how our own items are kept."""

    def name(self, field: str) -> str:
        """Write the field of a condition."""
        return field if self.is_column(field) else f"metadata[{literal(field)}]"

    def is_column(self, field: str) -> bool:
        """Whether the field is there in every row."""
        return field in _ITEM_FIELDS

    def value(self, field: str, value: Scalar) -> str:
        """Write a value that a field is compared with."""
        return literal(value)

    def linked(self, concept_ids: Sequence[Scalar]) -> str:
        """Write that an item is linked to any of the concepts."""
        return f"array_contains_any(concepts, {literals(concept_ids)})"

    def constant(self, value: bool) -> str:
        """Write what holds for every row, or for none."""
        return 'id != ""' if value else 'id == ""'


_ITEMS = FilterColumns()


def render(filter: Filter | None, columns: FilterColumns = _ITEMS) -> str:
    """Write a filter as a Milvus expression; the empty string for None."""
    return "" if filter is None else _render(filter, columns, negated=False)


def literal(value: Scalar) -> str:
    """Write a scalar as a Milvus literal; strings are quoted and escaped.

    Raises
    ------
    InvalidInputError
        If it is no scalar, not finite, or holds a NUL character.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float) and math.isfinite(value):
        return repr(float(value))
    if isinstance(value, str) and "\0" not in value:
        return f'"{value.translate(_ESCAPES)}"'
    raise InvalidInputError(f"expected a string, a finite number or a boolean to filter by, got {value!r}")


def literals(values: Sequence[Scalar]) -> str:
    """Write scalars as a Milvus list literal."""
    return "[" + ", ".join(literal(value) for value in values) + "]"


def _render(filter: Filter, columns: FilterColumns, *, negated: bool) -> str:
    """Negations are pushed down to the conditions: Milvus Lite has null logic, a server has not."""
    if isinstance(filter, Not):
        return _render(filter.part, columns, negated=not negated)
    if isinstance(filter, Condition):
        return _render_condition(filter, columns, negated=negated)
    is_conjunction = isinstance(filter, AllOf) is not negated
    parts = [f"({_render(part, columns, negated=negated)})" for part in filter.parts]
    return (" and " if is_conjunction else " or ").join(parts) or columns.constant(is_conjunction)


def _render_condition(condition: Condition, columns: FilterColumns, *, negated: bool) -> str:
    if condition.op in ("!=", "not in"):
        positive = Condition(condition.field, "==" if condition.op == "!=" else "in", condition.value)
        return _render_condition(positive, columns, negated=not negated)
    if not condition.values:
        return columns.constant(negated)
    expression = _render_positive(condition, columns)
    if not negated:
        return expression
    if columns.is_column(condition.field):
        return f"not ({expression})"
    return f"(not ({expression})) or (not exists {columns.name(condition.field)})"


def _render_positive(condition: Condition, columns: FilterColumns) -> str:
    if condition.op == "contains":
        return columns.linked(condition.values)
    name = columns.name(condition.field)
    values = [columns.value(condition.field, value) for value in condition.values]
    if condition.op == "in" and columns.is_column(condition.field):
        return f"{name} in [{', '.join(values)}]"
    if condition.op == "in":
        return " or ".join(f"{name} == {value}" for value in values)
    return f"{name} {condition.op} {values[0]}"


def _checked_parts(parts: Sequence[Filter]) -> tuple[Filter, ...]:
    for part in parts:
        if not isinstance(part, (Condition, AllOf, AnyOf, Not)):
            raise InvalidInputError(f"expected a Condition, AllOf, AnyOf or Not, got {part!r}")
    return tuple(parts)


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
    if operator not in _MAPPED:
        raise InvalidInputError(
            f"filter on {key!r}: expected one of {', '.join(_MAPPED)}, $all (of a list), got {operator!r}"
        )
    return [Condition(key, _MAPPED[operator], operand)]


def _all_of(part: Filter | Mapping[str, Any]) -> Filter:
    return filter_of(part) or AllOf(())
