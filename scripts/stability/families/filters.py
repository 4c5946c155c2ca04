"""Filters, sound and malformed, nested and huge: refused, or they find exactly what they say."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from hypothesis import strategies as st
from zeroshot_core import Item
from zeroshot_core.index import AllOf, AnyOf, Condition, Filter, Not, OpenVersion
from zeroshot_core.index.filters import filter_of

from scripts.stability.families.oddities import ODD, TEXTS, shown
from scripts.stability.fuzz import Attempts
from scripts.stability.samples import ENCODER, GRAPH, PLACES, Place, stock

__all__ = ["case", "opened"]

_N = 40
# What no filter can express is tried apart.
_WORDS = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=6)
_NUMBERS = (
    st.integers(-5, 45) | st.floats(-5, 45, allow_nan=False) | st.sampled_from([2**62, -(2**62), 1e300, 0.25])
)
_VALUES = {
    "price": _NUMBERS,
    "size": _NUMBERS,
    "place": st.sampled_from(PLACES) | _WORDS,
    "rare": _NUMBERS,
    "id": st.integers(0, _N + 3).map(lambda n: f"i{n}") | _WORDS,
    "text": st.integers(0, _N).map(lambda n: f"article {n}"),
    "nowhere": _WORDS,
}
_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")


class Tried(NamedTuple):
    """An index and its items."""

    version: OpenVersion
    items: list[Item]


@contextlib.contextmanager
def opened(place: Place) -> Iterator[Tried]:
    """Open an index of forty items, of which some lack a key."""
    items = [
        Item(
            id=item.id,
            text=item.text,
            concepts=item.concepts,
            metadata={**item.metadata, **({"rare": n} if n % 7 == 0 else {})},
        )
        for n, item in enumerate(stock(range(_N)))
    ]
    with place.connect() as index:
        index.activate(index.build(items, ENCODER, GRAPH))
        yield Tried(index.open(fingerprint=ENCODER.fingerprint), items)


@st.composite
def _conditions(draw: Any) -> Condition:
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return Condition("even", draw(st.sampled_from(("==", "!="))), draw(st.booleans()))
    if kind == 1:
        return Condition("concepts", "contains", draw(st.sampled_from((*GRAPH.concept_ids, "nowhere"))))
    field = draw(st.sampled_from(sorted(_VALUES)))
    if kind < 4:
        values = draw(st.lists(_VALUES[field], max_size=4))
        return Condition(field, draw(st.sampled_from(("in", "not in"))), values)
    return Condition(field, draw(st.sampled_from(_COMPARISONS)), draw(_VALUES[field]))


_FILTERS = st.recursive(
    _conditions(),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(AllOf), st.lists(inner, max_size=3).map(AnyOf), inner.map(Not)
    ),
    max_leaves=8,
)
_KEYS = st.sampled_from(("price", "place", "concepts", "id", "$and", "$or", "$not", "$foo", "")) | TEXTS
_OPERATORS = st.sampled_from(("$eq", "$gt", "$in", "$nin", "$contains", "$any", "$all", "$foo", "eq", ""))
_MAPPINGS = st.recursive(
    st.dictionaries(_KEYS, ODD | st.dictionaries(_OPERATORS, ODD, max_size=2), max_size=2),
    lambda inner: st.dictionaries(_KEYS, st.lists(inner, max_size=2) | inner, max_size=2),
    max_leaves=4,
)


def case(case: Attempts, tried: Tried) -> None:
    """Try one filter."""
    kind = case.draw(st.integers(0, 9))
    if kind < 5:
        _sound(case, tried, case.draw(_FILTERS))
    elif kind == 5:
        _sound(case, tried, _deep(case, case.draw(_conditions())))
    elif kind == 6:
        _sound(case, tried, _wide(case))
    elif kind == 7:
        field, op = (
            case.draw(TEXTS | ODD),
            case.draw(st.sampled_from((*_COMPARISONS, "in", "contains", "like", ""))),
        )
        value = case.draw(ODD)
        what = f"Condition({shown(field)}, {op!r}, {shown(value)})"
        is_made, made = case.attempt(what, lambda: Condition(field, op, value))
        if is_made:
            _search(case, tried, made, what)
    else:
        mapping = case.draw(_MAPPINGS | ODD)
        is_made, made = case.attempt(f"filter_of({shown(mapping)})", lambda: filter_of(mapping))
        if is_made:
            _search(case, tried, made, shown(mapping))


def _deep(case: Attempts, inner: Any) -> Any:
    depth = case.draw(st.sampled_from((10, 50, 200, 1000, 5000)))
    kinds = case.draw(st.lists(st.sampled_from(("not", "all", "any")), min_size=1, max_size=3))
    if case.draw(st.booleans()):
        mapping: Any = {"size": {"$lt": 20}}
        for level in range(depth):
            mapping = {"$not": mapping} if kinds[level % len(kinds)] == "not" else {"$and": [mapping]}
        return mapping
    for level in range(depth):
        kind = kinds[level % len(kinds)]
        is_made, outer = case.attempt(
            f"nested {depth} deep",
            lambda kind=kind, inner=inner: (
                Not(inner) if kind == "not" else (AllOf if kind == "all" else AnyOf)([inner])
            ),
        )
        if not is_made:
            return None
        inner = outer
    return inner


def _wide(case: Attempts) -> Filter:
    n = case.draw(st.sampled_from((50, 500, 3000, 20_000)))
    if case.draw(st.booleans()):
        return Condition("id", "in", [f"i{k}" for k in range(n)])
    return AnyOf([Condition("size", "==", k) for k in range(0, 2 * n, 2)])


def _sound(case: Attempts, tried: Tried, given: Any) -> None:
    what = f"filter {shown(given)}"
    is_read, found = case.attempt(what, lambda: filter_of(given))
    if is_read:
        is_found, ids = _search(case, tried, found, what)
        if is_found and found is not None and _depth(found) < 400:
            expected = {item.id for item in tried.items if _holds(found, item)}
            if set(ids) != expected or len(ids) != len(expected):
                other = sorted(expected ^ set(ids))[:5]
                case.wrong(f"{found!r} finds {len(ids)} items, expected {len(expected)}: {other}")


def _search(case: Attempts, tried: Tried, given: Any, what: str) -> tuple[bool, Any]:
    vector = ENCODER.encode(["article 7"])
    return case.attempt(f"search by {what}", lambda: tried.version.search_items(vector, 2 * _N, given).ids[0])


def _depth(given: Filter) -> int:
    depth, level = 0, [given]
    while level:
        depth += 1
        level = [part for each in level for part in _parts(each)]
    return depth


def _parts(given: Filter) -> list[Filter]:
    if isinstance(given, Not):
        return [given.part]
    return [] if isinstance(given, Condition) else list(given.parts)


def _holds(given: Filter, item: Item) -> bool:
    """Evaluate a filter in two-valued logic."""
    if isinstance(given, Not):
        return not _holds(given.part, item)
    if isinstance(given, AllOf):
        return all(_holds(part, item) for part in given.parts)
    if isinstance(given, AnyOf):
        return any(_holds(part, item) for part in given.parts)
    return _compares(given, item)


def _compares(given: Condition, item: Item) -> bool:
    if given.op == "contains":
        return any(value in item.concepts for value in given.values)
    own: Any = {"id": item.id, "text": item.text, **item.metadata}.get(given.field)
    if given.op in ("!=", "not in"):
        return own is None or own not in given.values
    if own is None:
        return False
    if given.op in ("==", "in"):
        return own in given.values
    value: Any = given.values[0]
    return {"<": own < value, "<=": own <= value, ">": own > value, ">=": own >= value}[given.op]
