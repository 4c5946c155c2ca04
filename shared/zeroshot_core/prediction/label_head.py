"""From a vector to probabilities of labels: nearness to the labels, blended with what examples teach."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from zeroshot_core.types import Floats, Ints, Vectors

__all__ = ["LabelHead", "fit_label_head"]

# Sentence similarities among labels differ by about a tenth.
_TEMPERATURE = 0.05
_TEMPERATURES = (0.01, 0.02, 0.05, 0.1, 0.2)
_SHARES = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0)
_PENALTIES = (0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0)
_N_FOLDS = 3
_INVERSE_REGULARISATION = 10.0


@dataclass(frozen=True, kw_only=True)
class LabelHead:
    """Probabilities of c labels for vectors of dimension d.

    ``p = share * softmax(coef v + intercept) + (1 - share) * softmax(labels v / temperature)``, then divided
    by ``exp(penalty)`` for labels that have examples, and normalised: the calibrated stacking of [1]_.

    Parameters
    ----------
    labels
        Shape (c, d), unit rows.
    temperature
        Above 0.
    coef, intercept
        Shapes (c, d) and (c,), of the logistic regression on the examples; zeros without any.
    share
        Weight of the logistic regression, in [0, 1].
    penalty
        Log-odds taken from labels with examples, at least 0.
    has_examples
        Shape (c,).

    References
    ----------
    .. [1] Chao et al., "An Empirical Study and Analysis of Generalized Zero-Shot Learning for Object
       Recognition in the Wild", ECCV 2016.
    """

    labels: Vectors
    temperature: float
    coef: Floats
    intercept: Floats
    share: float
    penalty: float
    has_examples: npt.NDArray[np.bool_]

    def probabilities(self, vectors: Vectors) -> Floats:
        """Probability of each label for each vector, shapes (q, d) to (q, c); rows sum to 1."""
        near = _softmax(vectors @ self.labels.T / self.temperature)
        learned = _softmax(vectors @ self.coef.T + self.intercept)
        blend = self.share * learned + (1.0 - self.share) * near
        weighed = blend * np.exp(-self.penalty * self.has_examples)
        return np.asarray(weighed / weighed.sum(axis=1, keepdims=True))


def fit_label_head(labels: Vectors, vectors: Vectors, codes: Ints, random_state: int) -> LabelHead:
    """Learn from examples, of which there may be none, few, or none for some labels.

    The label vectors are examples too, so every label can be predicted. Temperature, share and penalty are
    those of least log loss out of fold. Where some labels have no examples, each fold also leaves out all
    examples of some labels, and these count as much in the loss as those of the labels left in.

    Parameters
    ----------
    labels
        Shape (c, d), unit rows.
    vectors
        Of the examples, shape (n, d).
    codes
        Row of each example's label in `labels`, shape (n,).
    """
    has_examples = np.bincount(codes, minlength=len(labels)) > 0
    if len(codes):
        coef, intercept = _logistic(labels, vectors, codes)
        temperature, share, penalty = _tuned(labels, vectors, codes, random_state)
    else:
        coef, intercept = np.zeros(labels.shape), np.zeros(len(labels))
        temperature, share, penalty = _TEMPERATURE, 0.0, 0.0
    return LabelHead(
        labels=labels,
        temperature=temperature,
        coef=coef,
        intercept=intercept,
        share=share,
        penalty=penalty,
        has_examples=has_examples,
    )


def _logistic(labels: Vectors, vectors: Vectors, codes: Ints) -> tuple[Floats, Floats]:
    """Coefficients (c, d) and intercepts (c,) of a logistic regression on examples and label vectors.

    The vector of a label without examples weighs as much as the mean label's examples, lest it seem rare.
    """
    from sklearn.linear_model import LogisticRegression

    counts = np.bincount(codes, minlength=len(labels))
    weights = np.where(counts > 0, 1.0, len(codes) / max(1, (counts > 0).sum()))
    model = LogisticRegression(C=_INVERSE_REGULARISATION, max_iter=1000)
    with warnings.catch_warnings():
        # Few examples a label are the rule here, and no sign of a regression.
        warnings.filterwarnings("ignore", message="The number of unique classes is greater")
        model.fit(
            np.vstack([labels, vectors]).astype(np.float64),
            np.concatenate([np.arange(len(labels)), codes]),
            sample_weight=np.concatenate([weights, np.ones(len(codes))]),
        )
    if len(labels) > 2:
        return model.coef_, model.intercept_
    # Two labels get one row of coefficients, the log-odds of the second.
    return np.vstack([np.zeros_like(model.coef_), model.coef_]), np.array([0.0, model.intercept_[0]])


@dataclass(frozen=True, kw_only=True)
class _HeldOut:
    """What a head without their examples says of examples: all of shape (n, c), but `codes` (n,)."""

    similarities: Floats
    learned: Floats
    has_examples: npt.NDArray[np.bool_]
    codes: Ints

    def losses(self, temperature: float, share: float, penalties: Sequence[float]) -> list[float]:
        """Log loss for each penalty; of examples with and without seen labels alike."""
        rows = np.arange(len(self.codes))
        blend = share * self.learned + (1.0 - share) * _softmax(self.similarities / temperature)
        own, is_seen = blend[rows, self.codes], self.has_examples[rows, self.codes]
        seen = (blend * self.has_examples).sum(axis=1)
        found = []
        for penalty in penalties:
            factor = np.exp(-penalty)
            odds = own * np.where(is_seen, factor, 1.0) / (seen * factor + 1.0 - seen)
            logs = -np.log(np.maximum(odds, 1e-12))
            found.append(float(np.mean([logs[part].mean() for part in (is_seen, ~is_seen) if part.any()])))
        return found


def _tuned(labels: Vectors, vectors: Vectors, codes: Ints, random_state: int) -> tuple[float, float, float]:
    """Temperature, share and penalty of least loss out of fold; plain ones for a single example."""
    held_out = _cross_fit(labels, vectors, codes, np.random.default_rng(random_state))
    if held_out is None:
        return _TEMPERATURE, 0.5, 0.0
    is_seen = held_out.has_examples[np.arange(len(held_out.codes)), held_out.codes]
    is_closed = (np.bincount(codes, minlength=len(labels)) > 0).all()
    # What labels with examples must give up shows only beside labels without.
    penalties = _PENALTIES[:1] if is_closed or is_seen.all() or not is_seen.any() else _PENALTIES
    tried = {
        (loss, temperature, share, penalty)
        for temperature in _TEMPERATURES
        for share in _SHARES
        for penalty, loss in zip(penalties, held_out.losses(temperature, share, penalties), strict=True)
    }
    _, temperature, share, penalty = min(tried)
    return temperature, share, penalty


def _cross_fit(labels: Vectors, vectors: Vectors, codes: Ints, rng: np.random.Generator) -> _HeldOut | None:
    folds = rng.permutation(len(codes)) % _N_FOLDS
    label_folds = np.full(len(labels), -1)
    seen = np.unique(codes)
    if 1 < len(seen) < len(labels):
        label_folds[seen] = rng.permutation(len(seen)) % _N_FOLDS
    learned, rows, has_examples = [], [], []
    for fold in range(_N_FOLDS):
        held = (folds == fold) | (label_folds[codes] == fold)
        if held.all() or not held.any():
            continue
        coef, intercept = _logistic(labels, vectors[~held], codes[~held])
        learned.append(_softmax(vectors[held] @ coef.T + intercept))
        rows.append(np.flatnonzero(held))
        left = np.bincount(codes[~held], minlength=len(labels)) > 0
        has_examples.append(np.broadcast_to(left, learned[-1].shape))
    if not rows:
        return None
    order = np.concatenate(rows)
    return _HeldOut(
        similarities=(vectors @ labels.T).astype(np.float64)[order],
        learned=np.concatenate(learned),
        has_examples=np.concatenate(has_examples),
        codes=codes[order],
    )


def _softmax(logits: Floats | Vectors) -> Floats:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True), dtype=np.float64)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
