"""A head for labels that texts without labels have taught, with the confidence that these allow."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.classification.label_head import LabelHead, fit_regression
from zeroshot_core.classification.transduction import assign_labels, expected_accuracy, share_of_texts
from zeroshot_core.estimators.stacking import Stacking
from zeroshot_core.training.assignment import TEMPERATURE

if TYPE_CHECKING:
    import numpy.typing as npt
    from scipy.sparse import csr_matrix

    from zeroshot_core.types import Floats, Ints, Vectors

__all__ = ["fit_transduced_head"]

_TEMPERATURE = 0.07
# A rough optimum will do.
_ROUGH_STEPS = 100
_FEWEST_TO_SPARE = 500
_SHARPEST, _FLATTEST, _N_HALVINGS = 8.0, 0.125, 24


def fit_transduced_head(
    labels: Vectors,
    vectors: Vectors,
    graph: csr_matrix,
    known: Ints,
    random_state: int,
    *,
    temperature: float = TEMPERATURE,
    taught: LabelHead | None = None,
    accuracy: float | None = None,
) -> LabelHead:
    """Learn from texts, of which few or none have labels.

    A logistic regression learns the labels that `assign_labels` gives, each text weighed by how sure that is.
    It and what is known without these texts, which is the labels' own vectors or what the examples taught,
    count by the share that texts have in a prototype. Both are sharpened or flattened until the mean
    confidence is the accuracy to be expected, or, if that is more, the confidence of what is known. Of 500
    texts without labels or more, a tenth is kept from the regression to see this on, since it is less sure of
    texts that it has not learned.

    Parameters
    ----------
    labels, vectors
        Shapes (c, d) and (n, d), unit rows.
    graph
        Of the texts' neighbours, shape (n, n).
    known
        Shape (n,): the label of a text, or -1.
    temperature
        Of the assignment.
    taught
        Learned from the examples alone, where there are any; the assignment leans toward it as well.
    accuracy
        To be expected; None estimates it by `expected_accuracy`, which vectors of an encoder tuned on guesses
        for these texts would deceive.

    Raises
    ------
    InvalidInputError
        If there are fewer texts than labels.
    """
    before = taught or _untaught(labels)
    leaning = None if taught is None else taught.scores(vectors)
    assigned = assign_labels(labels, vectors, graph, known, temperature=temperature, leaning=leaning)
    is_kept = _kept(known, random_state)
    learns = ~is_kept | is_kept.all()
    coef, intercept = fit_regression(
        labels,
        vectors[learns],
        assigned[learns].argmax(axis=1),
        label_weights=np.ones(len(labels)),
        weights=assigned[learns].max(axis=1),
        rough_steps=_ROUGH_STEPS,
    )
    share = share_of_texts(len(vectors), len(labels))
    shown = vectors[is_kept]
    scores = before.scores(shown)
    if accuracy is None:
        accuracy = expected_accuracy(
            labels, vectors, graph, known, temperature=temperature, random_state=random_state
        )
    scale = _scale(
        (1 - share) * scores + share * (shown @ coef.T + intercept), max(_mean_confidence(scores), accuracy)
    )
    return _joined(before, (1 - share) * scale, coef, intercept, share * scale)


def _untaught(labels: Vectors) -> LabelHead:
    """Cosines alone."""
    weights = np.array([1.0 / _TEMPERATURE, 1.0])
    return LabelHead(
        labels=labels,
        coef=np.zeros(labels.shape),
        intercept=np.zeros(len(labels)),
        stacking=Stacking(seen_weights=weights, unseen_weights=weights, offset=0.0, penalty=0.0),
        has_examples=np.zeros(len(labels), dtype=np.bool_),
    )


def _joined(head: LabelHead, weight: float, coef: Floats, intercept: Floats, own_weight: float) -> LabelHead:
    """Add the scores of a regression to those of a head, each weighed, as one head."""
    known = head.stacking
    ratios = np.where(head.has_examples, known.seen_weights[1], known.unseen_weights[1]) * weight / own_weight
    return replace(
        head,
        # Coefficients keep the regression's scale, in which later examples are learned.
        coef=coef + ratios[:, None] * head.coef,
        intercept=intercept + ratios * head.intercept,
        stacking=Stacking(
            seen_weights=np.array([known.seen_weights[0] * weight, own_weight]),
            unseen_weights=np.array([known.unseen_weights[0] * weight, own_weight]),
            offset=known.offset * weight,
            penalty=known.penalty * weight,
        ),
    )


def _kept(known: Ints, random_state: int) -> npt.NDArray[np.bool_]:
    """Texts to match confidence on, shape (n,): a tenth of those without labels, or of few texts all."""
    without = np.flatnonzero(known < 0)
    is_kept = np.ones(len(known), dtype=np.bool_)
    if len(without) >= _FEWEST_TO_SPARE:
        is_kept[:] = False
        is_kept[np.random.default_rng(random_state).permutation(without)[: len(without) // 10]] = True
    return is_kept


def _scale(scores: Floats, confidence: float) -> float:
    """Find the factor of scores (n, c) at which the mean confidence is the one given."""
    low, high = np.log(_FLATTEST), np.log(_SHARPEST)
    for _ in range(_N_HALVINGS):
        middle = (low + high) / 2
        low, high = (
            (low, middle) if _mean_confidence(np.exp(middle) * scores) > confidence else (middle, high)
        )
    return float(np.exp((low + high) / 2))


def _mean_confidence(scores: Floats) -> float:
    return float((1.0 / np.exp(scores - scores.max(axis=1, keepdims=True)).sum(axis=1)).mean())
