"""A head learned from texts without labels by transduction, as sure of itself as these allow.

The regression learns the labels that transduction gives, so that new texts need none of it.
"""

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

__all__ = ["fit_transductive_head"]

_TEMPERATURE = 0.07
# A rough optimum will do.
_ROUGH_STEPS = 100
_FEWEST_TO_SPLIT = 500
_SHARPEST, _FLATTEST, _N_HALVINGS = 8.0, 0.125, 24


def fit_transductive_head(
    labels: Vectors,
    vectors: Vectors,
    graph: csr_matrix,
    known: Ints,
    random_state: int,
    *,
    temperature: float = TEMPERATURE,
    examples_head: LabelHead | None = None,
    accuracy: float | None = None,
) -> LabelHead:
    """Learn from texts, of which few or none have labels.

    A logistic regression learns the labels that `assign_labels` gives, each text weighed by how sure that is.
    It and what is known without these texts, which is the labels' own vectors or the head of the examples,
    count by the share that texts have in a prototype. A temperature scales both until the mean confidence is
    the accuracy to be expected, or, if that is more, the confidence of what is known. Of 500 texts without
    labels or more, a tenth is kept from the regression to see this on, since it is less sure of texts that it
    has not learned.

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
    examples_head
        Learned from the examples alone, where there are any; it is a prior of the assignment as well.
    accuracy
        To be expected; None estimates it by `expected_accuracy`, which vectors of an encoder tuned on
        pseudo-labels of these texts would deceive.

    Raises
    ------
    InvalidInputError
        If there are fewer texts than labels.
    """
    before = examples_head or _cosine_head(labels)
    prior = None if examples_head is None else examples_head.scores(vectors)
    assigned = assign_labels(labels, vectors, graph, known, temperature=temperature, prior_logits=prior)
    is_held_out = _confidence_split(known, random_state)
    learns = ~is_held_out | is_held_out.all()
    coef, intercept = fit_regression(
        labels,
        vectors[learns],
        assigned[learns].argmax(axis=1),
        label_weights=np.ones(len(labels)),
        weights=assigned[learns].max(axis=1),
        rough_steps=_ROUGH_STEPS,
    )
    share = share_of_texts(len(vectors), len(labels))
    held_out = vectors[is_held_out]
    scores = before.scores(held_out)
    if accuracy is None:
        accuracy = expected_accuracy(
            labels, vectors, graph, known, temperature=temperature, random_state=random_state
        )
    mixed = (1 - share) * scores + share * (held_out @ coef.T + intercept)
    scale = _inverse_temperature(mixed, max(_mean_confidence(scores), accuracy))
    return _joined(before, (1 - share) * scale, coef, intercept, share * scale)


def _cosine_head(labels: Vectors) -> LabelHead:
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


def _confidence_split(known: Ints, random_state: int) -> npt.NDArray[np.bool_]:
    """Texts to match confidence on, shape (n,): a tenth of those without labels, or of few texts all."""
    without = np.flatnonzero(known < 0)
    is_chosen = np.ones(len(known), dtype=np.bool_)
    if len(without) >= _FEWEST_TO_SPLIT:
        is_chosen[:] = False
        is_chosen[np.random.default_rng(random_state).permutation(without)[: len(without) // 10]] = True
    return is_chosen


def _inverse_temperature(scores: Floats, confidence: float) -> float:
    """Find the factor of scores (n, c) at which the mean confidence is the one given [1]_.

    References
    ----------
    .. [1] Guo et al., "On Calibration of Modern Neural Networks", ICML 2017 (temperature scaling).
    """
    low, high = np.log(_FLATTEST), np.log(_SHARPEST)
    for _ in range(_N_HALVINGS):
        middle = (low + high) / 2
        low, high = (
            (low, middle) if _mean_confidence(np.exp(middle) * scores) > confidence else (middle, high)
        )
    return float(np.exp((low + high) / 2))


def _mean_confidence(scores: Floats) -> float:
    """Mean over rows of scores (n, c) of the highest probability."""
    from scipy.special import softmax

    return float(softmax(scores, axis=1).max(axis=1).mean())
