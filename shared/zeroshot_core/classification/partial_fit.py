"""A head that takes in new labels and new examples, one row at a time, all else held fixed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zeroshot_core.classification.label_head import LabelHead
    from zeroshot_core.types import Floats, Ints, Vectors

__all__ = ["grown"]

_INVERSE_REGULARISATION = 10.0


def grown(
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
        Row in the grown head of each row of the head, shape (c,).
    new_labels
        Vectors of the labels that are new, in the order of the free rows, shape (m, d).
    vectors, codes
        Of new examples, shapes (n, d) and (n,): rows in the grown head.
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
            coef[row], intercept[row] = _row(coef, intercept, row, own, rest)
    return replace(
        head,
        labels=labels.astype(np.float32),
        coef=coef,
        intercept=intercept,
        has_examples=has_examples,
    )


def _row(coef: Floats, intercept: Floats, row: int, own: Floats, rest: Floats) -> tuple[Floats, float]:
    """Coefficients (d,) and intercept of one label of a multinomial regression whose other rows are fixed."""
    from scipy.optimize import minimize

    texts = np.vstack([own, rest])
    is_own = np.arange(len(texts)) < len(own)
    scores = texts @ np.delete(coef, row, axis=0).T + np.delete(intercept, row)
    highest = scores.max(axis=1)
    odds = highest + np.log(np.exp(scores - highest[:, None]).sum(axis=1))
    before = coef[row]

    def loss(parameters: Floats) -> tuple[float, Floats]:
        moved = parameters[:-1] - before
        margins = texts @ parameters[:-1] + parameters[-1] - odds
        slopes = 1.0 / (1.0 + np.exp(-np.clip(margins, -50, 50))) - is_own
        value = np.logaddexp(0, margins).sum() - margins[is_own].sum()
        penalty = moved @ moved / (2 * _INVERSE_REGULARISATION)
        gradient = texts.T @ slopes + moved / _INVERSE_REGULARISATION
        return float(value + penalty), np.append(gradient, slopes.sum())

    found = minimize(loss, np.append(before, intercept[row]), jac=True, method="L-BFGS-B")
    return found.x[:-1], float(found.x[-1])
