"""Probabilities of labels from vectors: nearness to what labels are called, and a regression on examples."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.estimators.logistic import fit_logistic
from zeroshot_core.estimators.stacking import SHARE_OF_LABELS, Stacking, fit_stacking, hold_out_labels

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from zeroshot_core.types import Floats, Ints, Vectors

    Mask = npt.NDArray[np.bool_]

__all__ = ["LabelHead", "fit_label_head", "fit_regression"]

# Temperature over the root of how much cosines between labels differ: on training texts of three sets 0.131,
# 0.133 and 0.139 make cosines as sure as they are right.
_TEMPERATURE = 0.135
# How much they differ in general, counted as five labels of those given.
_SPREAD, _N_SPREAD = 0.1, 5
_MOST_COMPARED = 1000
# With fewer texts held out, weights say more of these texts than of the evidence.
_FEWEST_HELD_OUT = 8
# What is learned elsewhere from one or two examples a label.
_DEFAULT_STACKING = Stacking(
    seen_weights=np.array([8.0, 2.0]),
    unseen_weights=np.array([8.0, 2.0]),
    offset=0.0,
    penalty=0.0,
)


@dataclass(frozen=True, kw_only=True)
class LabelHead:
    """Probabilities of c labels for vectors of dimension d.

    ``softmax(w1 labels v + w2 (coef v + intercept) - penalty)``: the cosine to a label's vector and the score
    of a logistic regression, with weights of their own for labels with and without examples, and the penalty
    of calibrated stacking for labels with examples.

    Parameters
    ----------
    labels
        Shape (c, d), unit rows.
    coef, intercept
        Shapes (c, d) and (c,), of the logistic regression on examples and label vectors; zeros without any.
    stacking
        Weights of both, and the penalty.
    has_examples
        Shape (c,).
    """

    labels: Vectors
    coef: Floats
    intercept: Floats
    stacking: Stacking
    has_examples: Mask

    def scores(self, vectors: Vectors) -> Floats:
        """Logarithms of probabilities but for a constant of each row, shapes (q, d) to (q, c)."""
        evidence = np.stack([vectors @ self.labels.T, vectors @ self.coef.T + self.intercept], axis=2)
        return self.stacking.scores(evidence.astype(np.float64), self.has_examples)

    def probabilities(self, vectors: Vectors) -> Floats:
        """Probability of each label for each vector, shapes (q, d) to (q, c); rows sum to 1."""
        from scipy.special import softmax

        return np.asarray(softmax(self.scores(vectors), axis=1))


def fit_label_head(
    labels: Vectors,
    vectors: Vectors,
    codes: Ints,
    random_state: int,
    *,
    untuned: tuple[Vectors, Vectors] | None = None,
) -> LabelHead:
    """Learn from examples, of which there may be none, few, or none for some labels.

    Label vectors are examples too, so every label can be predicted. How much each kind of evidence counts is
    learned from examples held out; where some labels have no examples, others are held out as a whole.

    Parameters
    ----------
    labels
        Shape (c, d), unit rows.
    vectors
        Of the examples, shape (n, d).
    codes
        Row of each example's label in `labels`, shape (n,).
    untuned
        Labels and examples by an encoder that has not been tuned on these examples, shapes (c, e) and (n, e):
        to a tuned one even an example that is held out is known. None if the vectors are such themselves.
    """
    has_examples = np.bincount(codes, minlength=len(labels)) > 0
    if not len(codes):
        coef, intercept, stacking = np.zeros(labels.shape), np.zeros(len(labels)), _without_examples(labels)
    else:
        coef, intercept = _fit_on_examples(labels, vectors, codes)
        stacking = _fit_stacking(*(untuned or (labels, vectors)), codes, random_state)
    return LabelHead(
        labels=labels, coef=coef, intercept=intercept, stacking=stacking, has_examples=has_examples
    )


def _without_examples(labels: Vectors) -> Stacking:
    """Cosines alone, the sharper the less those between labels differ."""
    some = labels[:: max(1, len(labels) // _MOST_COMPARED)].astype(np.float64)
    cosines = (some @ some.T)[~np.eye(len(some), dtype=np.bool_)].reshape(len(some), -1)
    own = float(cosines.std(axis=1).mean())
    spread = (len(some) * own + _N_SPREAD * _SPREAD) / (len(some) + _N_SPREAD)
    weights = np.array([1.0 / (_TEMPERATURE * np.sqrt(spread)), 0.0])
    return Stacking(seen_weights=np.zeros(2), unseen_weights=weights, offset=0.0, penalty=0.0)


def fit_regression(
    labels: Vectors,
    vectors: Vectors,
    codes: Ints,
    *,
    label_weights: Floats,
    weights: Floats,
    rough_steps: int | None = None,
) -> tuple[Floats, Floats]:
    """Coefficients (c, d) and intercepts (c,) of `fit_logistic` on texts and label vectors.

    Parameters
    ----------
    labels, label_weights
        Vectors (c, d) of the labels, each an example of its label, and how much each counts, shape (c,).
    vectors, codes, weights
        Of the texts, shapes (n, d), (n,) and (n,).
    rough_steps
        As in `fit_logistic`.
    """
    return fit_logistic(
        np.vstack([labels, vectors]).astype(np.float64),
        np.concatenate([np.arange(len(labels)), codes]),
        weights=np.concatenate([label_weights, weights]),
        rough_steps=rough_steps,
    )


def _fit_on_examples(labels: Vectors, vectors: Vectors, codes: Ints) -> tuple[Floats, Floats]:
    """Coefficients (c, d) and intercepts (c,) from examples.

    The vector of a label without examples weighs as much as the mean label's examples, lest it seem rare.
    """
    counts = np.bincount(codes, minlength=len(labels))
    label_weights = np.where(counts > 0, 1.0, len(codes) / max(1, (counts > 0).sum()))
    return fit_regression(labels, vectors, codes, label_weights=label_weights, weights=np.ones(len(codes)))


def _fit_stacking(labels: Vectors, vectors: Vectors, codes: Ints, random_state: int) -> Stacking:
    """Weights that make held-out examples most probable; set ones where these are too few."""
    counts = np.bincount(codes, minlength=len(labels))
    is_closed = bool((counts > 0).all())
    evidence, asked, seen = [], [], []
    share = 0.0 if is_closed else SHARE_OF_LABELS
    for training, held in hold_out_labels(codes, random_state=random_state, share_of_labels=share):
        # The only example of a label, held out, would say that those without examples are the ones asked for.
        own = np.flatnonzero(held & (counts > np.bincount(codes[held], minlength=len(labels)))[codes])
        if not len(own):
            continue
        coef, intercept = _fit_on_examples(labels, vectors[training], codes[training])
        own_vectors = vectors[own]
        scores = [own_vectors @ labels.T, own_vectors @ coef.T + intercept]
        evidence.append(np.stack(scores, axis=2).astype(np.float64))
        asked.append(codes[own])
        known = np.bincount(codes[training], minlength=len(labels)) > 0
        # In a closed set a label whose only example is held out is no newcomer.
        seen.append(np.broadcast_to(known | is_closed, evidence[-1].shape[:2]))
    if sum(map(len, asked)) < _FEWEST_HELD_OUT or not _asks_of_seen(asked, seen):
        return _DEFAULT_STACKING
    learned = fit_stacking(
        np.concatenate(evidence), np.concatenate(asked), np.concatenate(seen), toward=_DEFAULT_STACKING
    )
    # Few labels held out may say that those with examples deserve more; none does, with the weights learned.
    return replace(learned, penalty=max(0.0, learned.penalty))


def _asks_of_seen(asked: Sequence[Ints], seen: Sequence[Mask]) -> bool:
    return any(part[np.arange(len(codes)), codes].any() for codes, part in zip(asked, seen, strict=True))
