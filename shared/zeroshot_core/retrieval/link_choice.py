"""The choice between candidate concepts for a text, and 'none of them', with calibrated probabilities."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph.names import stem_key

if TYPE_CHECKING:
    import numpy.typing as npt

    from zeroshot_core.types import Floats, Ints

__all__ = [
    "FEATURES",
    "LinkChoice",
    "candidate_features",
    "fit_choice",
    "letter_overlap",
    "word_overlap",
]

FEATURES = ("similarity", "letters", "words", "same")
# Where an ontology has few synonyms to learn from; round numbers, by which only near matches are likely.
_USUAL = (20.0, 4.0, 1.0, 3.0, 0.0, 17.0)
_STRENGTH_OF_USUAL = 0.01


@dataclass(frozen=True, kw_only=True)
class LinkChoice:
    """A conditional logit [1]_ with the outside option 'no concept'.

    A candidate with features f has the odds ``exp(weights[:4] @ f)`` against the others, and 'no concept' has
    ``exp(threshold + weights[4] * s)`` where half of the texts mean none; s is the highest similarity.

    Parameters
    ----------
    weights
        One for each of `FEATURES` (cosine similarity, overlap of letter triples and of words, and whether the
        normalised strings are the same), and one for the highest similarity.
    threshold
        Constant in the log odds of 'no concept'.

    References
    ----------
    .. [1] McFadden, "Conditional logit analysis of qualitative choice behavior", 1974.
    """

    weights: tuple[float, ...] = _USUAL[:-1]
    threshold: float = _USUAL[-1]

    def __post_init__(self) -> None:
        if len(self.weights) != len(_USUAL) - 1 or not np.isfinite((*self.weights, self.threshold)).all():
            raise InvalidInputError(
                f"expected {len(_USUAL) - 1} finite weights and a finite threshold, "
                f"got {self.weights} and {self.threshold}"
            )

    def probabilities(self, features: Floats, *, prior: float = 0.5) -> Floats:
        """Probability of each candidate that it is meant; what is missing to 1 is that of 'no concept'.

        Parameters
        ----------
        features
            Shape (n, 4), as `candidate_features` makes them.
        prior
            Share of texts that mean a concept at all, above 0 and below 1.
        """
        outside = self.threshold + self.weights[-1] * features[:, 0].max(initial=0.0) - _log_odds(prior)
        odds = np.append(features @ np.asarray(self.weights[:-1]), outside)
        powers = np.exp(odds - odds.max())
        shares: Floats = powers[:-1] / powers.sum()
        return shares


def candidate_features(text: str, names: Sequence[str], similarities: Floats) -> Floats:
    """Describe how well each candidate's name matches a text.

    Returns
    -------
    Floats
        Shape (n, 4), in the order of `FEATURES`.
    """
    asked = stem_key(text)
    rows = []
    for name, similarity in zip(names, similarities.tolist(), strict=True):
        known = stem_key(name)
        rows.append(
            (similarity, letter_overlap(asked, known), word_overlap(asked, known), float(asked == known))
        )
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(FEATURES))


def word_overlap(one: str, other: str) -> float:
    """Share of words that two names, as `stem_key` folds them, have in common: the Dice coefficient."""
    return _dice(Counter(one.split()), Counter(other.split()))


def letter_overlap(one: str, other: str) -> float:
    """Share of letter triples that two names, as `stem_key` folds them, have in common: as above."""
    return _dice(_triples(one), _triples(other))


@lru_cache(maxsize=65536)
def _triples(name: str) -> Mapping[str, int]:
    padded = f"  {name} "
    return Counter(padded[start : start + 3] for start in range(len(padded) - 2))


def _dice(one: Mapping[str, int], other: Mapping[str, int]) -> float:
    total = sum(one.values()) + sum(other.values())
    shared = sum(min(count, other[part]) for part, count in one.items() if part in other)
    return 2 * shared / total if total else 0.0


def fit_choice(features: Sequence[Floats], truths: Ints, shares: Floats, *, prior: float) -> LinkChoice:
    """Fit by maximum likelihood, then set the odds so that the best candidate is right as often as stated.

    Both are drawn towards usual values where there is little to learn from. Without the second step the
    probabilities are too low: 'no concept' also stands for texts whose concept is none of the candidates.

    Parameters
    ----------
    features
        For each text the features of its candidates.
    truths
        Shape (q,): which candidate is meant, -1 for none of them.
    shares
        Shape (q,): how much each text counts.
    prior
        Share of texts that mean a concept, by weight.
    """
    from scipy.optimize import minimize

    if not features:
        return LinkChoice()
    table, is_there = _with_outside_option(features)
    chosen = table[np.arange(len(table)), truths]
    usual = np.asarray(_USUAL)

    def loss(weights: Floats) -> tuple[float, Floats]:
        odds = np.where(is_there, table @ weights, -np.inf)
        highest = odds.max(axis=1, keepdims=True)
        powers = np.exp(odds - highest)
        totals = powers.sum(axis=1, keepdims=True)
        expected = np.einsum("qk,qkf->qf", powers / totals, table)
        likelihood = shares @ (chosen @ weights - (np.log(totals) + highest).ravel())
        drift = weights - usual
        penalty = _STRENGTH_OF_USUAL * (drift @ drift)
        return penalty - likelihood, 2 * _STRENGTH_OF_USUAL * drift - shares @ (chosen - expected)

    found = minimize(loss, usual, jac=True, method="L-BFGS-B").x
    scale, shift = _calibration(np.where(is_there, table @ found, -np.inf), truths, shares)
    weights = (scale * found).tolist()
    return LinkChoice(weights=tuple(weights[:-1]), threshold=weights[-1] + shift + _log_odds(prior))


def _calibration(odds: Floats, truths: Ints, shares: Floats) -> tuple[float, float]:
    """Scale of all log odds and shift of those of 'no concept', by the likelihood of the best being right.

    It is Platt's scaling [1]_, in a way that keeps the order of the candidates.

    References
    ----------
    .. [1] Platt, "Probabilistic Outputs for Support Vector Machines", Advances in Large Margin Classifiers,
       1999.
    """
    from scipy.optimize import minimize
    from scipy.special import logsumexp

    places = np.arange(len(odds))
    best = odds[:, :-1].argmax(axis=1)
    signs = np.where(best == truths, -1.0, 1.0)

    def loss(parameters: Floats) -> float:
        scale, shift = parameters
        moved = scale * odds
        moved[:, -1] += shift
        own = moved[places, best]
        moved[places, best] = -np.inf
        surprise = np.logaddexp(0, signs * (own - logsumexp(moved, axis=1)))
        return float(shares @ surprise + (scale - 1) ** 2 + shift**2)

    scale, shift = minimize(loss, (1.0, 0.0), method="Nelder-Mead", bounds=((0.1, 10), (-20, 20))).x.tolist()
    return scale, shift


def _with_outside_option(features: Sequence[Floats]) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Features of all options, 'no concept' last, and which of the options there are."""
    width = max(len(rows) for rows in features) + 1
    table = np.zeros((len(features), width, len(_USUAL)))
    is_there = np.zeros((len(features), width), dtype=bool)
    for number, rows in enumerate(features):
        table[number, : len(rows), : len(FEATURES)] = rows
        table[number, -1, -2] = rows[:, 0].max(initial=0.0)
        is_there[number, : len(rows)] = True
    table[:, -1, -1] = is_there[:, -1] = True
    return table, is_there


def _log_odds(share: float) -> float:
    return float(np.log(share / (1 - share)))
