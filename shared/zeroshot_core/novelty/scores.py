"""How new a text is: far from its nearest neighbours, unlike every label, and hard to give one.

Four kinds of evidence are weighed: the mean distance to the nearest known texts [1]_, the relative
Mahalanobis distance to the labels [2]_, the energy of the similarities to the labels' means [3]_, and the
doubt of a classifier of the labels [4]_. The weights are those that best tell texts of held-out labels from
texts of the labels left (`novelty_fitting`).

References
----------
.. [1] Sun et al., "Out-of-Distribution Detection with Deep Nearest Neighbors", ICML 2022.
.. [2] Ren et al., "A Simple Fix to Mahalanobis Distance for Improving Near-OOD Detection", 2021.
.. [3] Liu et al., "Energy-based Out-of-distribution Detection", NeurIPS 2020.
.. [4] Hendrycks and Gimpel, "A Baseline for Detecting Misclassified and Out-of-Distribution Examples in
   Neural Networks", ICLR 2017.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.estimators.calibration import conformal_quantile

if TYPE_CHECKING:
    from zeroshot_core.index import OpenVersion
    from zeroshot_core.novelty.known_labels import KnownLabels
    from zeroshot_core.types import Floats, Vectors

__all__ = [
    "AUTO",
    "FEWEST_TEXTS",
    "N_NEIGHBOURS",
    "Novelty",
    "check_false_alarm_rate",
    "nearest_similarities",
]

AUTO = "auto"
# To learn what is usual from.
FEWEST_TEXTS = 10
N_NEIGHBOURS = 5


@dataclass(frozen=True, kw_only=True)
class Novelty:
    """What is usual, and how far from it something is.

    Parameters
    ----------
    labels
        What is known of the labels, or of the clusters in their place.
    centres, scales, weights
        Shape (4,): mean and deviation of each kind of evidence over known texts, and what it counts for.
    known
        Scores of known texts that were held out, shape (n,), rising.
    best_rate
        The rate of false alarms at which held-out labels were told best.
    """

    labels: KnownLabels
    centres: Floats
    scales: Floats
    weights: Floats
    known: Floats
    best_rate: float

    def score(self, vectors: Vectors, similarities: Floats | Vectors) -> Floats:
        """Score vectors (q, d) by `similarities` (q, k) to their nearest known ones, shape (q,).

        The higher, the newer; 0 is usual, and 1 about a standard deviation above it.
        """
        return self.weighed(self.labels.evidence(vectors, similarities))

    def weighed(self, evidence: Floats) -> Floats:
        """Weigh evidence (q, 4), shape (q,)."""
        return np.asarray((evidence - self.centres) / self.scales @ self.weights)

    def threshold(self, false_alarm_rate: float | str) -> float:
        """Score above which at most this share of known texts lies; ``"auto"`` is `best_rate`.

        Raises
        ------
        InvalidInputError
            If the rate is neither ``"auto"`` nor above 0 and below 1.
        """
        check_false_alarm_rate(false_alarm_rate)
        rate = self.best_rate if isinstance(false_alarm_rate, str) else false_alarm_rate
        return float(conformal_quantile(self.known[:, None], 1 - rate)[0])


def check_false_alarm_rate(rate: Any) -> None:
    """Refuse what is neither a share of known texts nor ``"auto"``.

    Raises
    ------
    InvalidInputError
        See above.
    """
    if isinstance(rate, str) and rate == AUTO:
        return
    if isinstance(rate, bool) or not isinstance(rate, int | float | np.floating) or not 0 < rate < 1:
        raise InvalidInputError(
            f"expected a false_alarm_rate above 0 and below 1, got {rate!r}; it is the share of known texts "
            f'that may be called new, such as 0.05, or "{AUTO}", which learns it from labels held out'
        )


def nearest_similarities(version: OpenVersion, vectors: Vectors, top_k: int = N_NEIGHBOURS) -> Floats:
    """Search Milvus for the cosines of vectors (q, d) with their nearest items, shape (q, top_k) at most."""
    scores = version.search_items(vectors, min(top_k, version.count())).scores
    return np.array([np.asarray(row, dtype=np.float64) for row in scores])
