"""Evidence that a text is new: what is known of labels, by their texts, and how unlike them a text is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.estimators.logistic import fit_logistic
from zeroshot_core.novelty.class_gaussians import ClassGaussians, fit_class_gaussians

if TYPE_CHECKING:
    from zeroshot_core.types import Floats, Ints, Vectors

__all__ = ["KINDS", "KnownLabels", "energy", "fit_known_labels"]

KINDS = ("knn_distance", "relative_mahalanobis", "energy", "doubt")
_TEMPERATURE = 0.1
# A rough optimum will do: from 30 steps to 60 the order of held-out texts stays as it is.
_ROUGH_STEPS = 30


@dataclass(frozen=True, kw_only=True)
class KnownLabels:
    """Labels as Gaussians, and a classifier of them.

    Parameters
    ----------
    gaussians
        Of m labels.
    coef, intercept
        Of a logistic regression, shapes (m, d) and (m,).
    """

    gaussians: ClassGaussians
    coef: Floats
    intercept: Floats

    def evidence(self, vectors: Vectors, similarities: Floats | Vectors) -> Floats:
        """Measure how unlike the known texts vectors are, shape (q, 4), in the order of `KINDS`.

        Mean distance to the nearest known texts; relative Mahalanobis distance to the labels; energy of the
        similarities to the labels' means; and what is left of 1 by the classifier's highest probability.

        Parameters
        ----------
        vectors, similarities
            Shapes (q, d), and (q, k) to the nearest known vectors.
        """
        means = self.gaussians.means + self.gaussians.centre
        units = means / np.linalg.norm(means, axis=1, keepdims=True)
        return np.column_stack(
            [
                1.0 - similarities.mean(axis=1),
                self.gaussians.relative_distance(vectors),
                energy(vectors @ units.T, _TEMPERATURE),
                _doubt(self.scores(vectors)),
            ]
        )

    def scores(self, vectors: Vectors) -> Floats:
        """Scores of the labels by the classifier, shapes (q, d) to (q, m)."""
        return np.asarray(vectors @ self.coef.T + self.intercept)


def fit_known_labels(vectors: Vectors, codes: Ints) -> KnownLabels:
    """Learn from vectors (n, d) with the numbers of their labels (n,); labels come in the order of these."""
    coef, intercept = fit_logistic(vectors, codes, rough_steps=_ROUGH_STEPS)
    return KnownLabels(gaussians=fit_class_gaussians(vectors, codes), coef=coef, intercept=intercept)


def energy(scores: Floats, temperature: float) -> Floats:
    """``-T log sum exp(s / T)`` over the labels of scores (q, m), shape (q,); the higher, the newer."""
    from scipy.special import logsumexp

    return np.asarray(-temperature * logsumexp(scores / temperature, axis=1))


def _doubt(scores: Floats) -> Floats:
    """One minus the highest probability [1]_, shape (q,).

    References
    ----------
    .. [1] Hendrycks and Gimpel, "A Baseline for Detecting Misclassified and Out-of-Distribution Examples in
       Neural Networks", ICLR 2017.
    """
    return np.asarray(1.0 - 1.0 / np.exp(scores - scores.max(axis=1, keepdims=True)).sum(axis=1))
