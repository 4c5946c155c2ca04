"""Partial fit: a head takes in new labels and new examples one row at a time, all else held fixed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.estimators.logistic import refit_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zeroshot_core.classification.label_head import LabelHead
    from zeroshot_core.types import Ints, Vectors

__all__ = ["extended_head"]


def extended_head(
    head: LabelHead,
    places: Ints,
    new_labels: Vectors,
    vectors: Vectors,
    codes: Ints,
    others: Vectors,
    *,
    touched: Sequence[int],
) -> LabelHead:
    """Make room for new labels, and learn the rows of those that have something new.

    A row is that of least log loss on its texts, the other labels' vectors, and known texts near by, at a
    distance from where it was that costs as in a logistic regression; the other rows stay. The vector of a
    new label moves to the mean of its texts.

    Parameters
    ----------
    places
        Row in the new head of each row of the old one, shape (c,).
    new_labels
        Vectors of the labels that are new, in the order of the free rows, shape (m, d).
    vectors, codes
        Of new examples, shapes (n, d) and (n,): rows in the new head.
    others
        Texts near by that have other labels, shape (k, d).
    touched
        Rows to learn.
    """
    size = len(places) + len(new_labels)
    free = np.setdiff1d(np.arange(size), places)
    labels, coef = np.zeros((size, head.labels.shape[1])), np.zeros((size, head.labels.shape[1]))
    intercept, has_examples = np.zeros(size), np.zeros(size, dtype=np.bool_)
    labels[places], coef[places], intercept[places] = head.labels, head.coef, head.intercept
    has_examples[places] = head.has_examples
    for row, label in zip(free, new_labels, strict=True):
        mean = np.vstack([label, vectors[codes == row]]).mean(axis=0)
        labels[row] = mean / np.linalg.norm(mean)
    if head.coef.any():
        for row in touched:
            own = np.vstack([labels[row], vectors[codes == row]])
            rest = np.vstack([np.delete(labels, row, axis=0), vectors[codes != row], others])
            coef[row], intercept[row] = refit_row(coef, intercept, row, own, rest)
    return replace(
        head,
        labels=labels.astype(np.float32),
        coef=coef,
        intercept=intercept,
        has_examples=has_examples,
    )
