"""Items of any content: refused, or indexed, given back exactly, found by their id, and deleted."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st
from zeroshot_core import Item
from zeroshot_core.index import Condition, OpenVersion

from scripts.stability.families.oddities import ODD, TEXTS, shown
from scripts.stability.fuzz import Attempts
from scripts.stability.samples import ENCODER, GRAPH, Place, repaired_item, stock

__all__ = ["case", "opened"]

_SCALARS = TEXTS | st.integers() | st.floats() | st.booleans()
_IDS = st.text(min_size=1, max_size=12) | TEXTS | ODD
_METADATA = st.dictionaries(st.text(min_size=1, max_size=8) | TEXTS, _SCALARS, max_size=4)
_CONCEPTS = st.lists(st.sampled_from(GRAPH.concept_ids), max_size=3).map(tuple)


@contextlib.contextmanager
def opened(place: Place) -> Iterator[OpenVersion]:
    """Open an index with a few items."""
    with place.connect() as index:
        index.activate(index.build(stock(range(20)), ENCODER, GRAPH))
        yield index.open(fingerprint=ENCODER.fingerprint)


def case(case: Attempts, version: OpenVersion) -> None:
    """Try one item."""
    rarely = st.integers(0, 9)
    fields: dict[str, Any] = {
        "id": case.draw(_IDS),
        "text": case.draw(st.text(min_size=1, max_size=40) | TEXTS),
        "concepts": case.draw(_CONCEPTS if case.draw(rarely) else ODD),
        "metadata": case.draw(_METADATA if case.draw(rarely) else ODD),
    }
    if case.draw(rarely) == 0:
        fields[case.draw(st.sampled_from(("text", "image", "concepts", "metadata")))] = case.draw(ODD)
    what = f"Item({', '.join(f'{name}={shown(value)}' for name, value in fields.items())})"
    is_made, item = case.attempt(what, lambda: Item(**fields))
    if not is_made or item.image is not None:
        return
    is_written, _ = case.attempt(f"upsert of {what}", lambda: version.upsert([item], ENCODER))
    if not is_written:
        return
    expected = repaired_item(item)
    is_read, found = case.attempt(f"read of {what}", lambda: version.items([expected.id])[0])
    if is_read and not _is_same(found, expected):
        case.wrong(f"{what} came back as {found!r}")
    condition = Condition("id", "==", expected.id)
    vector = ENCODER.encode([expected.text])
    is_found, hits = case.attempt(
        f"search of {what}", lambda: version.search_items(vector, 5, condition).ids[0]
    )
    if is_found and hits != [expected.id]:
        case.wrong(f"the filter by the id of {what} finds {hits}")
    case.attempt(f"delete of {what}", lambda: version.delete([expected.id]))
    is_counted, count = case.attempt("count", version.count)
    if is_counted and count != 20:
        case.wrong(f"{count} rows after the delete of {what}, expected 20")
        version.delete([id_ for id_ in version.all_ids() if not id_.startswith("i")])


def _is_same(left: Item, right: Item) -> bool:
    kinds = [{key: type(value) for key, value in item.metadata.items()} for item in (left, right)]
    return left == right and kinds[0] == kinds[1]
