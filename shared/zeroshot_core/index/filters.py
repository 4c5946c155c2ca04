"""Structured filters over items, rendered to Milvus expressions with every literal escaped.

``Condition("price", "<", 5.0)`` looks at the metadata key ``price``; the names ``id``, ``text`` and
``concepts`` are the item's own fields. ``AllOf``, ``AnyOf`` and ``Not`` combine conditions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.types import Scalar

__all__ = ["AllOf", "AnyOf", "Condition", "Filter", "Not", "literal", "render"]

Filter: TypeAlias = "Condition | AllOf | AnyOf | Not"

_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
_MEMBERSHIPS = ("in", "not in")
_OPERATORS = (*_COMPARISONS, *_MEMBERSHIPS, "contains")
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


def render(filter: Filter | None) -> str:
    """Write a filter as a Milvus expression; the empty string for None."""
    return "" if filter is None else _render(filter, negated=False)


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


def _render(filter: Filter, *, negated: bool) -> str:
    """Negations are pushed down to the conditions: Milvus Lite has null logic, a server has not."""
    if isinstance(filter, Not):
        return _render(filter.part, negated=not negated)
    if isinstance(filter, Condition):
        return _render_condition(filter, negated=negated)
    is_conjunction = isinstance(filter, AllOf) is not negated
    parts = [f"({_render(part, negated=negated)})" for part in filter.parts]
    return (" and " if is_conjunction else " or ").join(parts) or _constant(is_conjunction)


def _render_condition(condition: Condition, *, negated: bool) -> str:
    if condition.op in ("!=", "not in"):
        positive = Condition(condition.field, "==" if condition.op == "!=" else "in", condition.value)
        return _render_condition(positive, negated=not negated)
    if not condition.values:
        return _constant(negated)
    expression = _render_positive(condition)
    if not negated:
        return expression
    if condition.field in _ITEM_FIELDS:
        return f"not ({expression})"
    return f"(not ({expression})) or (not exists {_name(condition.field)})"


def _render_positive(condition: Condition) -> str:
    if condition.op == "contains":
        return f"array_contains_any(concepts, {literals(condition.values)})"
    name = _name(condition.field)
    if condition.op == "in" and condition.field in _ITEM_FIELDS:
        return f"{name} in {literals(condition.values)}"
    if condition.op == "in":
        return " or ".join(f"{name} == {literal(value)}" for value in condition.values)
    return f"{name} {condition.op} {literal(condition.values[0])}"


def _name(field: str) -> str:
    return field if field in _ITEM_FIELDS else f"metadata[{literal(field)}]"


def _constant(value: bool) -> str:
    return 'id != ""' if value else 'id == ""'


def _checked_parts(parts: Sequence[Filter]) -> tuple[Filter, ...]:
    for part in parts:
        if not isinstance(part, (Condition, AllOf, AnyOf, Not)):
            raise InvalidInputError(f"expected a Condition, AllOf, AnyOf or Not, got {part!r}")
    return tuple(parts)
