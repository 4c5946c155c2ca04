"""Out-of-distribution scores: four ways to say how unlike the texts of known classes a text is.

They are the mean distance to the nearest known texts [1]_, the relative Mahalanobis distance to the classes
[2]_, the energy of the similarities to the classes' means [3]_, and what the highest probability of a
classifier leaves of 1 [4]_. Libraries of such scores judge networks that classify images; none takes vectors
and neighbours from an index.

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
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.estimators.logistic import fit_logistic
from zeroshot_core.novelty.class_gaussians import ClassGaussians, fit_class_gaussians

if TYPE_CHECKING:
    from zeroshot_core.types import Floats, Ints, Vectors

__all__ = ["KINDS", "OodScores", "energy", "fit_ood_scores"]

KINDS = ("knn_distance", "relative_mahalanobis", "energy", "doubt")
_TEMPERATURE = 0.1
# From 30 steps to 60 the order of held-out texts stays as it is.
_ROUGH_STEPS = 30


@dataclass(frozen=True, kw_only=True)
class OodScores:
    """The known classes as Gaussians, and a classifier of them.

    Parameters
    ----------
    gaussians
        Of m classes.
    coef, intercept
        Of a logistic regression, shapes (m, d) and (m,).
    """

    gaussians: ClassGaussians
    coef: Floats
    intercept: Floats

    def measure(self, vectors: Vectors, similarities: Floats | Vectors) -> Floats:
        """Score vectors, shape (q, 4) in the order of `KINDS`; the higher, the less like the known texts.

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
                _doubt(self.logits(vectors)),
            ]
        )

    def logits(self, vectors: Vectors) -> Floats:
        """Logits of the classes by the classifier, shapes (q, d) to (q, m)."""
        return np.asarray(vectors @ self.coef.T + self.intercept)


def fit_ood_scores(vectors: Vectors, codes: Ints) -> OodScores:
    """Learn from vectors (n, d) with the numbers of their classes (n,), in whose order classes come."""
    coef, intercept = fit_logistic(vectors, codes, rough_steps=_ROUGH_STEPS)
    return OodScores(gaussians=fit_class_gaussians(vectors, codes), coef=coef, intercept=intercept)


def energy(logits: Floats, temperature: float) -> Floats:
    """``-T log sum exp(s / T)`` over the classes of logits (q, m), shape (q,); the higher, the newer."""
    from scipy.special import logsumexp

    return np.asarray(-temperature * logsumexp(logits / temperature, axis=1))


def _doubt(logits: Floats) -> Floats:
    """One minus the highest probability, shape (q,)."""
    from scipy.special import softmax

    return np.asarray(1.0 - softmax(logits, axis=1).max(axis=1))
