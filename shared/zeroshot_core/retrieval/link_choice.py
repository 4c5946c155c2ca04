"""The choice between candidate concepts for a text, and 'none of them', with calibrated probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.retrieval.name_matching import letter_overlap, normalised, word_overlap

if TYPE_CHECKING:
    from zeroshot_core.types import Floats, Ints

__all__ = ["FEATURES", "LinkChoice", "candidate_features", "fit_choice"]

FEATURES = ("similarity", "letters", "words", "same")
# Where an ontology has few synonyms to learn from; round numbers, by which only near matches are likely.
_USUAL = (20.0, 4.0, 1.0, 3.0, 17.0)
_STRENGTH_OF_USUAL = 0.01


@dataclass(frozen=True, kw_only=True)
class LinkChoice:
    """A conditional logit [1]_ with the outside option 'no concept'.

    A candidate with features f has the odds ``exp(weights @ f)`` against the others, and 'no concept' has
    ``exp(threshold)``.

    Parameters
    ----------
    weights
        One for each of `FEATURES`: cosine similarity, overlap of letter triples and of words, and whether the
        normalised strings are the same.
    threshold
        Log odds of 'no concept'.

    References
    ----------
    .. [1] McFadden, "Conditional logit analysis of qualitative choice behavior", 1974.
    """

    weights: tuple[float, ...] = _USUAL[:-1]
    threshold: float = _USUAL[-1]

    def __post_init__(self) -> None:
        values = (*self.weights, self.threshold)
        if len(self.weights) != len(FEATURES) or not np.isfinite(values).all():
            raise InvalidInputError(
                f"expected {len(FEATURES)} finite weights and a finite threshold, got {values}"
            )

    def probabilities(self, features: Floats, *, prior: float = 0.5) -> Floats:
        """Probability of each candidate that it is meant; what is missing to 1 is that of 'no concept'.

        Parameters
        ----------
        features
            Shape (n, 4), as `candidate_features` makes them.
        prior
            Share of texts that mean a concept at all, above 0 and below 1; half of them when it was fitted.
        """
        outside = self.threshold + np.log((1 - prior) / prior)
        odds = np.append(features @ np.asarray(self.weights), outside)
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
    asked = normalised(text)
    rows = []
    for name, similarity in zip(names, similarities.tolist(), strict=True):
        known = normalised(name)
        rows.append(
            (similarity, letter_overlap(asked, known), word_overlap(asked, known), float(asked == known))
        )
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(FEATURES))


def fit_choice(features: Sequence[Floats], truths: Ints) -> LinkChoice:
    """Fit by maximum likelihood, drawn towards usual weights where there is little to learn from.

    Parameters
    ----------
    features
        For each text the features of its candidates.
    truths
        Shape (q,): which candidate is meant, -1 for none of them.
    """
    from scipy.optimize import minimize

    if not features:
        return LinkChoice()
    width = max(len(rows) for rows in features) + 1
    # The outside option is the last one, with a feature of its own.
    table = np.zeros((len(features), width, len(_USUAL)))
    is_there = np.zeros((len(features), width), dtype=bool)
    for number, rows in enumerate(features):
        table[number, : len(rows), :-1] = rows
        is_there[number, : len(rows)] = True
    table[:, -1, -1] = is_there[:, -1] = True
    chosen = np.where(truths < 0, width - 1, truths)
    told = table[np.arange(len(table)), chosen]
    usual = np.asarray(_USUAL)

    def loss(weights: Floats) -> tuple[float, Floats]:
        odds = np.where(is_there, table @ weights, -np.inf)
        highest = odds.max(axis=1, keepdims=True)
        powers = np.exp(odds - highest)
        totals = powers.sum(axis=1, keepdims=True)
        expected = np.einsum("qk,qkf->qf", powers / totals, table)
        likelihood = (told @ weights).sum() - (np.log(totals) + highest).sum()
        drift = weights - usual
        penalty = _STRENGTH_OF_USUAL * (drift @ drift)
        return penalty - likelihood, 2 * _STRENGTH_OF_USUAL * drift - (told - expected).sum(axis=0)

    found = minimize(loss, usual, jac=True, method="L-BFGS-B").x.tolist()
    return LinkChoice(weights=tuple(found[:-1]), threshold=found[-1])
