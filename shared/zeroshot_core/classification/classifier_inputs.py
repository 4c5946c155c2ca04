"""What a classifier is given, checked: examples with labels, and texts without."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from zeroshot_core.classification.label_vectors import check_template
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.estimators.indexing import as_items
from zeroshot_core.novelty.scorer import check_false_alarm_rate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zeroshot_core.types import Item

__all__ = ["check_settings", "checked_examples", "checked_unlabelled", "linked"]


def check_settings(*, template: Any, false_alarm_rate: Any, top_k: Any) -> None:
    """Refuse settings that a classifier cannot work with.

    Raises
    ------
    InvalidInputError
        If one is wrong.
    """
    check_template(template)
    check_false_alarm_rate(false_alarm_rate)
    if isinstance(top_k, bool) or not isinstance(top_k, int) or top_k < 1:
        raise InvalidInputError(f"expected top_k as a whole number of at least 1, got {top_k!r}")


def checked_examples(X: Any, y: Any, *, prefix: str = "example-") -> tuple[list[Item], list[str] | None]:
    """Examples as items with their labels; nothing without examples.

    Raises
    ------
    InvalidInputError
        If only one of both is given, their numbers differ, or a label is no string.
    """
    if X is None and y is None:
        return [], None
    if X is None or y is None:
        raise InvalidInputError(
            f"expected examples X with their labels y, got only {'y' if X is None else 'X'}; "
            "give both, or neither and labels=[...]"
        )
    items, names = as_items(X, prefix=prefix), list(y)
    if len(names) != len(items):
        raise InvalidInputError(f"expected {len(items)} labels in y, one for each example, got {len(names)}")
    if not items:
        raise InvalidInputError(
            "expected at least 1 example in X, got none; leave X and y out, and give labels"
        )
    for row, name in enumerate(names):
        if not isinstance(name, str):
            raise InvalidInputError(
                f"y, row {row}: expected a label that is a string, got {name!r}; convert it with str()"
            )
    return items, [str(name) for name in names]


def checked_unlabelled(unlabelled: Any, items: Sequence[Item], n_labels: int) -> list[Item]:
    """Texts without labels as items, each once and none that is an example; nothing without any.

    Raises
    ------
    InvalidInputError
        If they are, with the examples, fewer than the labels.
    """
    if unlabelled is None:
        return []
    known = {item.text for item in items}
    found: dict[Any, Item] = {}
    for item in as_items(unlabelled, prefix="unlabelled-"):
        if item.text is None or item.text not in known:
            found.setdefault(item.text or item.id, item)
    if len(found) + len(items) < n_labels:
        raise InvalidInputError(
            f"expected at least as many distinct texts in unlabelled as the {n_labels} labels, got "
            f"{len(found)}; give more, or leave it out"
        )
    return list(found.values())


def linked(item: Item, label: str) -> Item:
    """Link an example to its label."""
    return replace(item, concepts=tuple(dict.fromkeys((*item.concepts, label))))
