"""Structured filters over items, rendered to Milvus expressions with every literal escaped.

``Condition("price", "<", 5.0)`` looks at the metadata key ``price``; the names ``id``, ``text`` and
``concepts`` are the item's own fields. ``AllOf``, ``AnyOf`` and ``Not`` combine conditions.
`filter_of` reads the same from plain mappings, as JSON has them.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from zeroshot_core.checks import has_control_character, nearest_name, shown
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.images import kept_image
from zeroshot_core.types import Item, Scalar

__all__ = [
    "AllOf",
    "AnyOf",
    "Condition",
    "Filter",
    "FilterColumns",
    "Not",
    "check_key",
    "filter_of",
    "holds",
    "id_literal",
    "id_literals",
    "literal",
    "literals",
    "n_comparisons",
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
_COMBINED = ("$and", "$or", "$not")
# And whether they hold where a value is the same.
_EQUALITIES = {"==": True, "in": True, "!=": False, "not in": False}
_COMPARES: Mapping[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_ITEM_FIELDS = ("id", "text", "concepts")
# What `schema.kept_metadata` adds.
_IMAGE_FIELDS = ("zeroshot.image", "zeroshot.modality")
# A server's parser, and Python's own stack, go no deeper than some hundred.
_MOST_LEVELS = 32
# Whole numbers that 64 bits hold.
SMALLEST, LARGEST = -(2**63), 2**63 - 1
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})


@dataclass(frozen=True)
class Condition:
    """One comparison of a field with a value.

    Parameters
    ----------
    field
        ``id``, ``text``, ``concepts``, or a metadata key; ``zeroshot.modality`` is ``"image"`` or
        ``"text+image"`` for items with an image.
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
        check_key("field name", self.field)
        if not isinstance(self.op, str) or self.op not in _OPERATORS:
            raise InvalidInputError(
                f"expected an operator among {', '.join(_OPERATORS)}, got {shown(self.op)}"
            )
        if (self.field == "concepts") != (self.op == "contains"):
            raise InvalidInputError(
                f"expected the operator 'contains' with the field 'concepts' and only there, "
                f"got {self.field!r} {self.op!r}"
            )
        value = self.value
        if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
            object.__setattr__(self, "value", tuple(map(_plain, value)))
        else:
            object.__setattr__(self, "value", _plain(value))
        self._check_value()

    def _check_value(self) -> None:
        several = isinstance(self.value, tuple)
        if self.op in _MEMBERSHIPS and not several:
            raise InvalidInputError(f"expected a sequence of values for {self.op!r}, got {shown(self.value)}")
        if self.op in _COMPARISONS and several:
            raise InvalidInputError(
                f"expected one value for {self.op!r}, got {shown(self.value)}; use 'in' for several"
            )
        for value in self.values:
            literal(value)
            if self.field in _ITEM_FIELDS and not isinstance(value, str):
                raise InvalidInputError(f"expected a string for the field {self.field!r}, got {shown(value)}")

    @property
    def values(self) -> tuple[Scalar, ...]:
        """The value or values, as a tuple."""
        return self.value if isinstance(self.value, tuple) else (self.value,)

    @cached_property
    def kinds_of_values(self) -> frozenset[tuple[bool, Scalar]]:
        """Each value beside whether it is a boolean, which Python takes for a number."""
        return frozenset((isinstance(value, bool), value) for value in self.values)


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
        If `filter` is neither a mapping nor a filter, an operator is unknown, or it is nested deeper than 32
        levels.
    """
    return None if filter is None else _filter_of(filter, _MOST_LEVELS)


def check_key(what: str, key: object) -> None:
    """Refuse a metadata key that not every Milvus can look up.

    Parameters
    ----------
    what
        What the key is for the caller, such as ``"metadata key"``.

    Raises
    ------
    InvalidInputError
        If it is no string, is empty, or holds a control character or ``][``.
    """
    if not isinstance(key, str) or not key:
        raise InvalidInputError(f"expected a {what} that is a non-empty string, got {shown(key)}")
    # Between these brackets a server takes an expression apart, within quotes too.
    if "][" in key or has_control_character(key):
        raise InvalidInputError(
            f"expected a {what} without control characters and '][', which Milvus cannot look up, got "
            f"{shown(key)}; rename it"
        )


class FilterColumns:
    """How a collection keeps what filters speak of; this is how our own items are kept.

    Parameters
    ----------
    takes_lists
        Whether the target finds a metadata key in a list. Milvus Lite doesn't; a server needs it: of 500
        comparisons joined by 'or' it makes an error after seconds.
    """

    def __init__(self, *, takes_lists: bool = False) -> None:
        self.takes_lists = takes_lists

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
    """Write a filter as a Milvus expression; the empty string for None.

    Raises
    ------
    InvalidInputError
        If it is something else, or nested deeper than 32 levels.
    """
    if filter is None:
        return ""
    _checked_parts((filter,))
    return _render(filter, columns, _MOST_LEVELS, negated=False)


def n_comparisons(filter: Filter | None) -> int:
    """Count the values that a filter compares with."""
    if filter is None:
        return 0
    if isinstance(filter, Condition):
        return len(filter.values)
    parts = (filter.part,) if isinstance(filter, Not) else filter.parts
    return sum(map(n_comparisons, parts))


def literal(value: Scalar) -> str:
    """Write a scalar as a Milvus literal; strings are quoted and escaped.

    Raises
    ------
    InvalidInputError
        If it is no scalar, not finite, over 64 bits, or holds a NUL character.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if not SMALLEST <= value <= LARGEST:
            raise InvalidInputError(f"expected a whole number of at most 64 bits, got {shown(value)}")
        return str(int(value))
    if isinstance(value, float) and math.isfinite(value):
        return repr(float(value))
    if isinstance(value, str) and "\0" not in value:
        return id_literal(value)
    raise InvalidInputError(
        f"expected a string, a finite number or a boolean to filter by, got {shown(value)}"
    )


def literals(values: Sequence[Scalar]) -> str:
    """Write scalars as a Milvus list literal."""
    return "[" + ", ".join(literal(value) for value in values) + "]"


def holds(filter: Filter, item: Item) -> bool:
    """Whether a filter leaves an item that is not in Milvus, as it would one that is."""
    if isinstance(filter, Not):
        return not holds(filter.part, item)
    if isinstance(filter, AllOf | AnyOf):
        each = (holds(part, item) for part in filter.parts)
        return all(each) if isinstance(filter, AllOf) else any(each)
    if filter.op == "contains":
        return any(value in item.concepts for value in filter.values)
    found = _value_of(item, filter.field)
    if filter.op in _EQUALITIES:
        return ((isinstance(found, bool), found) in filter.kinds_of_values) is _EQUALITIES[filter.op]
    return any(_compares(filter.op, found, value) for value in filter.values)


def _value_of(item: Item, field: str) -> object:
    """Find what a condition looks at; None where the item has no such key."""
    if field in _IMAGE_FIELDS and item.image is not None:
        return item.modality if field == "zeroshot.modality" else kept_image(item.image)
    return getattr(item, field) if field in _ITEM_FIELDS else item.metadata.get(field)


def _compares(op: str, found: object, value: Scalar) -> bool:
    """Whether one is larger or smaller: of numbers with numbers, of strings with strings."""
    if isinstance(found, bool) or isinstance(value, bool):
        return False
    if isinstance(found, str) and isinstance(value, str):
        return bool(_COMPARES[op](found, value))
    if isinstance(found, int | float) and isinstance(value, int | float):
        return bool(_COMPARES[op](found, value))
    return False


def id_literal(id: str) -> str:
    """Write a stored id as a Milvus literal: whatever it holds, what has been written is found by it."""
    return f'"{id.translate(_ESCAPES)}"'


def id_literals(ids: Iterable[str]) -> str:
    """Write stored ids as a Milvus list literal."""
    return "[" + ", ".join(map(id_literal, ids)) + "]"


def _render(filter: Filter, columns: FilterColumns, n_levels: int, *, negated: bool) -> str:
    """Negations are pushed down to the conditions: Milvus Lite has null logic, a server has not."""
    _check_levels(n_levels)
    if isinstance(filter, Not):
        return _render(filter.part, columns, n_levels - 1, negated=not negated)
    if isinstance(filter, Condition):
        return _render_condition(filter, columns, negated=negated)
    is_conjunction = isinstance(filter, AllOf) is not negated
    parts = [
        f"({_render(part, columns, n_levels - 1, negated=negated)})"
        for part in _merged(filter.parts, excludes=isinstance(filter, AllOf))
    ]
    return (" and " if is_conjunction else " or ").join(parts) or columns.constant(is_conjunction)


def _merged(parts: Sequence[Filter], *, excludes: bool) -> Iterator[Filter]:
    """Write equalities of one field as one list: any of several is 'in', none of several is 'not in'."""
    equal: dict[str, list[Condition]] = {}
    others: list[Filter] = []
    for part in parts:
        if isinstance(part, Condition) and _EQUALITIES.get(part.op) is (not excludes) and part.values:
            equal.setdefault(part.field, []).append(part)
        else:
            others.append(part)
    op = "not in" if excludes else "in"
    for field, alike in equal.items():
        values = tuple(value for part in alike for value in part.values)
        yield alike[0] if len(alike) == 1 else Condition(field, op, values)
    yield from others


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
        return " or ".join(_listed(name, condition.values, values, columns))
    return f"{name} {condition.op} {values[0]}"


def _listed(name: str, values: Sequence[Scalar], written: Sequence[str], columns: FilterColumns) -> list[str]:
    """Look for a metadata key in one list for each type of values, where the target takes lists."""
    if not columns.takes_lists or len(values) == 1:
        return [f"{name} == {value}" for value in written]
    by_type: dict[type, list[str]] = {}
    for value, words in zip(values, written, strict=True):
        by_type.setdefault(type(value), []).append(words)
    return [f"{name} in [{', '.join(each)}]" for each in by_type.values()]


def _checked_parts(parts: Sequence[Filter]) -> tuple[Filter, ...]:
    if not isinstance(parts, list | tuple):
        raise InvalidInputError(f"expected filters in a list, got {type(parts).__name__}; wrap it in a list")
    for part in parts:
        if not isinstance(part, (Condition, AllOf, AnyOf, Not)):
            raise InvalidInputError(f"expected a Condition, AllOf, AnyOf or Not, got {shown(part)}")
    return tuple(parts)


def _check_levels(n_levels: int) -> None:
    if n_levels < 1:
        raise InvalidInputError(
            f"expected a filter of at most {_MOST_LEVELS} levels, got a deeper one; write it flatter"
        )


def _plain(value: Any) -> Any:
    """Take a scalar of NumPy as Python's."""
    return value.item() if isinstance(value, np.generic) else value


def _filter_of(filter: Filter | Mapping[str, Any], n_levels: int) -> Filter:
    _check_levels(n_levels)
    if isinstance(filter, Condition | AllOf | AnyOf | Not):
        return filter
    if not isinstance(filter, Mapping):
        raise InvalidInputError(f"expected a mapping or a filter, got {shown(filter)}")
    parts = [part for key, value in filter.items() for part in _entry(key, value, n_levels - 1)]
    return parts[0] if len(parts) == 1 else AllOf(parts)


def _entry(key: object, value: Any, n_levels: int) -> list[Filter]:
    if key in ("$and", "$or"):
        if not isinstance(value, list | tuple):
            raise InvalidInputError(f"filter {key}: expected a list of mappings, got {shown(value)}")
        parts = [_filter_of(part, n_levels) for part in value]
        return [AllOf(parts) if key == "$and" else AnyOf(parts)]
    if key == "$not":
        return [Not(_filter_of(value, n_levels))]
    if not isinstance(key, str) or key.startswith("$"):
        nearest = nearest_name(str(key), _COMBINED)
        remedy = f"did you mean {nearest!r}?" if nearest else "a key of that name needs Condition(key, ...)"
        raise InvalidInputError(
            f"filter: expected metadata keys, or one of {', '.join(_COMBINED)}, got {shown(key)}; {remedy}"
        )
    asked = value if isinstance(value, Mapping) else {"$eq": value}
    if not asked:
        raise InvalidInputError(f"filter on {key!r}: expected an operator, got an empty mapping")
    return [part for operator, operand in asked.items() for part in _conditions(key, operator, operand)]


def _conditions(key: str, operator: object, operand: Any) -> list[Filter]:
    if operator == "$all" and isinstance(operand, list | tuple):
        return [Condition(key, "contains", one) for one in operand]
    if not isinstance(operator, str) or operator not in _MAPPED:
        raise InvalidInputError(
            f"filter on {key!r}: expected one of {', '.join(_MAPPED)}, $all (of a list), got "
            f"{shown(operator)}"
        )
    return [Condition(key, _MAPPED[operator], operand)]
