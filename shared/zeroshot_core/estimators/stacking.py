"""Labels with and without examples in one prediction: evidence weighed, and those with examples held back.

A label that has examples outscores one that has none, whatever the text says. Calibrated stacking [1]_ takes
a penalty off the scores of the former. Weights and penalty are learned on held-out labels: some labels with
examples are treated as if they had none, and their texts must be found among those of the labels left.
Scikit-learn's stacking knows no labels without examples, and statsmodels' conditional logit neither weights
nor a prior.

References
----------
.. [1] Chao et al., "An Empirical Study and Analysis of Generalized Zero-Shot Learning for Object Recognition
   in the Wild", ECCV 2016.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.errors import InvalidInputError

if TYPE_CHECKING:
    import numpy.typing as npt

    from zeroshot_core.types import Floats, Ints

    Mask = npt.NDArray[np.bool_]

__all__ = [
    "SHARE_OF_LABELS",
    "SeenUnseenCurve",
    "Stacking",
    "choose_penalty",
    "fit_stacking",
    "harmonic_mean",
    "hold_out_labels",
    "seen_unseen_curve",
    "stacked",
]

_N_FOLDS = 5
SHARE_OF_LABELS = 0.35
# Of the accuracy on labels with examples; with some held out it loses more than a prediction will.
_MOST_GIVEN_UP = 0.05
_RIDGE = 1e-4
# How many texts the weights that are learned toward count as, by their squared distance in standard units.
_PRIOR = 1.0


@dataclass(frozen=True, kw_only=True)
class SeenUnseenCurve:
    """Accuracy on texts of labels with and without examples, for every penalty that makes a difference.

    Parameters
    ----------
    penalties
        Shape (p,), rising.
    seen, unseen
        Shape (p,), accuracies among all labels; the first falls, the second rises.
    """

    penalties: Floats
    seen: Floats
    unseen: Floats

    @property
    def area(self) -> float:
        """Area under accuracy on unseen over accuracy on seen labels (AUSUC [1]_), in [0, 1]."""
        steps = self.seen[:-1] - self.seen[1:]
        return float((steps * (self.unseen[:-1] + self.unseen[1:]) / 2).sum())

    @property
    def harmonic_means(self) -> Floats:
        """Of both accuracies, shape (p,)."""
        return np.array([harmonic_mean(s, u) for s, u in zip(self.seen, self.unseen, strict=True)])


@dataclass(frozen=True, kw_only=True)
class Stacking:
    """Weights of k kinds of evidence, apart for labels with and without examples, and the penalty.

    Parameters
    ----------
    seen_weights, unseen_weights
        Shape (k,).
    offset
        Added to the score of a label with examples.
    penalty
        Taken off it again.
    """

    seen_weights: Floats
    unseen_weights: Floats
    offset: float
    penalty: float

    def scores(self, evidence: Floats, is_seen: Mask) -> Floats:
        """Score labels, shape (q, m): of evidence (q, m, k), where `is_seen` (m,) or (q, m) have examples."""
        return stacked(self._raw(evidence, is_seen), is_seen, self.penalty)

    def _raw(self, evidence: Floats, is_seen: Mask) -> Floats:
        known = evidence @ self.seen_weights + self.offset
        return np.where(is_seen, known, evidence @ self.unseen_weights)


def stacked(scores: Floats, is_seen: Mask, penalty: float) -> Floats:
    """Take a penalty off the scores (q, m) of labels with examples; `is_seen` has shape (m,) or (q, m)."""
    return np.asarray(scores - penalty * is_seen)


def harmonic_mean(seen: float, unseen: float) -> float:
    """``2 s u / (s + u)`` of two accuracies; 0 where both are."""
    return 2 * seen * unseen / (seen + unseen) if seen + unseen else 0.0


def seen_unseen_curve(scores: Floats, codes: Ints, is_seen: Mask) -> SeenUnseenCurve:
    """Follow both accuracies over all penalties.

    Parameters
    ----------
    scores
        Shape (n, m), without a penalty.
    codes
        Number of each text's label, shape (n,).
    is_seen
        Which labels have examples, shape (m,) or (n, m).

    Raises
    ------
    InvalidInputError
        If shapes differ, or there are no texts of one of both kinds.
    """
    seen = np.broadcast_to(is_seen, scores.shape) if is_seen.shape[-1:] == scores.shape[-1:] else is_seen
    if seen.shape != scores.shape or codes.shape != scores.shape[:1]:
        raise InvalidInputError(
            f"expected scores (n, m), n codes and is_seen (m,) or (n, m), got {scores.shape}, {codes.shape} "
            f"and {is_seen.shape}"
        )
    is_of_seen = seen[np.arange(len(codes)), codes]
    if is_of_seen.all() or not is_of_seen.any():
        raise InvalidInputError(
            f"expected texts of labels with and without examples, got {is_of_seen.sum()} with of {len(codes)}"
        )
    known, unknown = np.where(seen, scores, -np.inf), np.where(seen, -np.inf, scores)
    # A label with examples is predicted up to this penalty.
    leads = known.max(axis=1) - unknown.max(axis=1)
    seen_leads = leads[is_of_seen & (known.argmax(axis=1) == codes)]
    unseen_leads = leads[~is_of_seen & (unknown.argmax(axis=1) == codes)]
    places = np.sort(leads[np.isfinite(leads)])
    penalties = np.concatenate([places[:1] - 1, (places[:-1] + places[1:]) / 2, places[-1:] + 1])
    n_seen = int(is_of_seen.sum())
    return SeenUnseenCurve(
        penalties=penalties,
        seen=(len(seen_leads) - np.searchsorted(np.sort(seen_leads), penalties)) / n_seen,
        unseen=np.searchsorted(np.sort(unseen_leads), penalties) / (len(codes) - n_seen),
    )


def choose_penalty(
    scores: Floats, codes: Ints, is_seen: Mask, *, most_given_up: float = _MOST_GIVEN_UP
) -> float:
    """Find the penalty of the best harmonic mean that costs labels with examples no more than a share.

    Parameters
    ----------
    most_given_up
        Accuracy that texts of labels with examples may lose beside a choice among these labels alone.
    """
    curve = seen_unseen_curve(scores, codes, is_seen)
    is_fair = curve.seen >= curve.seen[0] - most_given_up
    return float(curve.penalties[np.where(is_fair, curve.harmonic_means, -1.0).argmax()])


def hold_out_labels(
    codes: Ints, *, random_state: int, share_of_labels: float = SHARE_OF_LABELS
) -> Iterator[tuple[Mask, Mask]]:
    """Deal examples into five folds, from each of which a share of the labels is missing as well.

    Parameters
    ----------
    share_of_labels
        In [0, 1); at least one label if it is above 0.

    Yields
    ------
    training, held
        Shape (n,): what may be learned from, and what is asked.
    """
    rng = np.random.default_rng(random_state)
    labels, where = np.unique(codes, return_inverse=True)
    order = rng.permutation(len(codes))
    order = order[np.argsort(where[order], kind="stable")]
    folds = np.empty(len(codes), dtype=np.int64)
    folds[order] = np.arange(len(codes)) % _N_FOLDS
    n_unseen = min(len(labels) - 1, max(1, round(share_of_labels * len(labels)))) if share_of_labels else 0
    for fold in range(_N_FOLDS):
        is_unseen = np.isin(where, rng.permutation(len(labels))[:n_unseen])
        held = folds == fold
        if held.any() and (~held & ~is_unseen).any():
            yield ~held & ~is_unseen, held


def fit_stacking(evidence: Floats, codes: Ints, is_seen: Mask, *, toward: Stacking | None = None) -> Stacking:
    """Learn weights by a conditional logit, in which both kinds of labels count alike, then the penalty.

    Parameters
    ----------
    evidence
        Of held-out texts for every label, shape (n, m, k): similarities and scores, each the higher the
        better, 0 where a label has no evidence of that kind.
    codes
        Shape (n,).
    is_seen
        Which labels had examples when a text was held out, shape (n, m).
    toward
        Weights that few texts are to leave nearly as they are; None for none.

    References
    ----------
    McFadden, "Conditional Logit Analysis of Qualitative Choice Behavior", 1974.
    """
    from scipy.optimize import minimize
    from scipy.special import softmax

    rows = np.arange(len(codes))
    is_of_seen = is_seen[rows, codes]
    parts = [part for part in (is_of_seen, ~is_of_seen) if part.any()]
    weights = sum(part / part.sum() / len(parts) for part in parts)
    known = is_seen[..., None]
    design = np.concatenate([evidence * known, evidence * ~known, known], axis=2)
    scale = np.sqrt((design**2).mean(axis=(0, 1)))
    scale[scale == 0] = 1.0
    design /= scale
    centre, pull = np.zeros(design.shape[2]), _RIDGE
    if toward is not None:
        centre = np.concatenate([toward.seen_weights, toward.unseen_weights, [toward.offset]]) * scale
        pull += _PRIOR / len(codes)

    def loss(beta: Floats) -> tuple[float, Floats]:
        raw = design @ beta
        shares = softmax(raw, axis=1)
        value = -(weights * np.log(np.maximum(shares[rows, codes], 1e-300))).sum()
        away = beta - centre
        shares[rows, codes] -= 1
        slope = np.tensordot(shares * np.asarray(weights)[:, None], design, axes=2)
        return float(value + pull * away @ away), slope + 2 * pull * away

    beta = minimize(loss, centre, jac=True, method="L-BFGS-B").x / scale
    k = evidence.shape[2]
    fitted = Stacking(
        seen_weights=beta[:k], unseen_weights=beta[k : 2 * k], offset=float(beta[-1]), penalty=0.0
    )
    if len(parts) < 2:
        return fitted
    penalty = choose_penalty(fitted.scores(evidence, is_seen), codes, is_seen)
    return Stacking(
        seen_weights=fitted.seen_weights,
        unseen_weights=fitted.unseen_weights,
        offset=fitted.offset,
        penalty=penalty,
    )
