"""Texts with what is known of them, each distinct text once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core.checks import numbers, sequence
from zeroshot_core.checks import text as checked_text
from zeroshot_core.errors import InvalidInputError, TooLittleError

if TYPE_CHECKING:
    from zeroshot_core.types import Floats, Ints

__all__ = ["Examples", "check_examples", "with_label_texts"]

# Targets this share of their standard deviation apart count as near.
_NEAR = 0.5


@dataclass(frozen=True, kw_only=True)
class Examples:
    """Distinct texts to learn from.

    Parameters
    ----------
    values
        Number of the label, shape (n,); or targets of shape (n, horizon), in units of the distance that
        counts as near.
    is_labelled
        Whether the values are labels.
    names
        Of the labels, in the order of their numbers; empty for targets.
    n_label_texts
        How many texts at the end are names or descriptions of labels.
    """

    texts: list[str]
    values: Ints | Floats
    is_labelled: bool
    names: tuple[str, ...] = ()
    n_label_texts: int = 0

    @property
    def n_examples(self) -> int:
        """Number of texts that are examples, the label texts not counted."""
        return len(self.texts) - self.n_label_texts

    def take(self, rows: Ints) -> Examples:
        """Pick some of the texts, in the given order; label texts among them count as examples."""
        return Examples(
            texts=[self.texts[row] for row in rows.tolist()],
            values=self.values[rows],
            is_labelled=self.is_labelled,
            names=self.names,
        )


def check_examples(texts: Sequence[str], labels_or_targets: Sequence[str] | Any) -> Examples:
    """Bring texts with labels (strings) or targets (numbers) into the form that training needs.

    Raises
    ------
    InvalidInputError
        If lengths differ, a text is empty, a text has two labels, there is one label only, or the targets are
        not finite numbers that vary.
    """
    first: dict[str, int] = {}
    texts = sequence("texts", texts, of="texts")
    for row, each in enumerate(texts):
        first.setdefault(checked_text(f"text {row}", each, remedy="drop it"), len(first))
    where = np.array([first[text] for text in texts], dtype=np.int64)
    is_table = getattr(labels_or_targets, "ndim", 1) > 1
    labels = labels_or_targets if is_table else sequence("labels", labels_or_targets, of="labels or targets")
    if len(labels) != len(where):
        raise InvalidInputError(
            f"expected one label or target for each of {len(where)} texts, got {len(labels)}"
        )
    if is_table or not any(isinstance(value, str) for value in labels):
        values = _graded(list(first), where, labels)
        return Examples(texts=list(first), values=values, is_labelled=False)
    codes = _codes(list(first), where, labels)
    names = tuple(sorted(set(labels)))
    return Examples(texts=list(first), values=codes, is_labelled=True, names=names)


def with_label_texts(examples: Examples, label_texts: Mapping[str, str | Sequence[str]]) -> Examples:
    """Add the names and descriptions of labels as texts of these labels.

    A text that is an example too, or a text of two labels, is left as it is; labels without examples are
    passed over, for there is nothing that they could be near to.

    Raises
    ------
    InvalidInputError
        If the examples have targets, or no label of theirs has a text.
    """
    if not examples.is_labelled:
        raise InvalidInputError("expected labels beside label_texts, got targets; leave label_texts out")
    codes = {name: code for code, name in enumerate(examples.names)}
    known = set(examples.texts)
    pairs = [
        (text, codes[name])
        for name, texts in label_texts.items()
        if name in codes
        for text in ((texts,) if isinstance(texts, str) else texts)
    ]
    if not pairs:
        raise InvalidInputError(
            f"expected texts of labels such as {examples.names[0]!r}, got texts of {sorted(label_texts)[:3]}"
        )
    owners: dict[str, set[int]] = {}
    for text, code in pairs:
        owners.setdefault(text, set()).add(code)
    new = {text: min(codes) for text, codes in owners.items() if len(codes) == 1 and text not in known}
    return Examples(
        texts=[*examples.texts, *new],
        values=np.concatenate([examples.values, np.array([*new.values()], dtype=np.int64)]),
        is_labelled=True,
        names=examples.names,
        n_label_texts=len(new),
    )


def _codes(texts: list[str], where: Ints, labels: Sequence[str]) -> Ints:
    """Give each distinct text the number of its label, shape (n,)."""
    stray = [label for label in labels if not isinstance(label, str)]
    if stray:
        raise InvalidInputError(
            f"expected labels that are all strings, got {stray[0]!r}; convert it with str()"
        )
    names = sorted(set(labels))
    if len(names) < 2:
        raise TooLittleError(f"expected at least 2 labels to tell apart, got {names}")
    codes = np.searchsorted(names, labels)
    of_text = np.zeros(len(texts), dtype=np.int64)
    of_text[where] = codes
    torn = np.flatnonzero(of_text[where] != codes)
    if len(torn):
        row = torn[0]
        raise InvalidInputError(
            f"expected one label for each text, got {labels[row]!r} and {names[of_text[where[row]]]!r} for "
            f"{texts[where[row]][:60]!r}; keep one of them"
        )
    return of_text


def _graded(texts: list[str], where: Ints, targets: Any) -> Floats:
    """Mean targets of each distinct text in units of nearness, shape (n, horizon)."""
    values = numbers("labels that are strings, or targets", targets).reshape(len(where), -1)
    if not np.isfinite(values).all():
        raise InvalidInputError("expected finite targets, got some that are not; drop these texts")
    sums = np.zeros((len(texts), values.shape[1]))
    np.add.at(sums, where, values)
    means = sums / np.bincount(where, minlength=len(texts))[:, None]
    scale = float(means.std(axis=0).mean()) if len(means) else 0.0
    if scale == 0.0:
        raise TooLittleError("expected targets that vary from text to text, got equal ones")
    return np.asarray((means - means.mean(axis=0)) / (_NEAR * scale))
