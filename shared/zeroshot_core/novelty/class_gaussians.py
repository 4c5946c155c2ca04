"""Classes as Gaussians of one covariance: how far a vector is from each, and from all of them together.

Scikit-learn's linear discriminant analysis has no distances, and no Gaussian of all texts to compare with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from zeroshot_core.types import Floats, Ints, Vectors

__all__ = ["ClassGaussians", "fit_class_gaussians"]

# Share of the covariance that is made round: there are seldom more examples than dimensions by much.
_SHRINKAGE = 0.5
_LEAST_VARIANCE = 1e-6


@dataclass(frozen=True, kw_only=True)
class ClassGaussians:
    """Gaussians of m classes with one covariance, and one Gaussian of all texts.

    Parameters
    ----------
    means
        Shape (m, d), relative to `centre`.
    centre
        Shape (d,), mean of all vectors.
    within, total
        Shape (d, d), inverse covariances around the classes' means and around the centre.
    """

    means: Floats
    centre: Floats
    within: Floats
    total: Floats

    def discriminants(self, vectors: Vectors) -> Floats:
        """Log-likelihood of each class less that of the centre with the same covariance, shape (q, m)."""
        projected = self.means @ self.within
        half = 0.5 * np.einsum("md,md->m", projected, self.means)
        return np.asarray((vectors - self.centre) @ projected.T - half)

    def distances(self, vectors: Vectors) -> Floats:
        """Squared Mahalanobis distance to each class's mean, shape (q, m)."""
        return self._lengths(vectors, self.within)[:, None] - 2.0 * self.discriminants(vectors)

    def relative_distance(self, vectors: Vectors) -> Floats:
        """Least distance to a class less that to the centre (relative Mahalanobis [1]_), shape (q,).

        References
        ----------
        .. [1] Ren et al., "A Simple Fix to Mahalanobis Distance for Improving Near-OOD Detection", 2021.
        """
        return np.asarray(self.distances(vectors).min(axis=1) - self._lengths(vectors, self.total))

    def _lengths(self, vectors: Vectors, precision: Floats) -> Floats:
        centred = vectors - self.centre
        return np.asarray(np.einsum("qd,qd->q", centred @ precision, centred))


def fit_class_gaussians(vectors: Vectors, codes: Ints) -> ClassGaussians:
    """Estimate means and covariances, each halfway to a round one of the same volume of variance.

    Parameters
    ----------
    vectors
        Shape (n, d).
    codes
        Numbers of the classes, shape (n,); the means come in the order of those that occur.
    """
    _, where, counts = np.unique(codes, return_inverse=True, return_counts=True)
    order = np.argsort(where, kind="stable")
    starts = np.r_[0, np.cumsum(counts)[:-1]]
    centre = vectors.mean(axis=0, dtype=np.float64)
    centred = vectors - centre
    means = np.add.reduceat(centred[order], starts, axis=0) / counts[:, None]
    residuals = centred - means[where]
    # Each class's mean takes a degree of freedom.
    freedom = max(1, len(vectors) - len(counts))
    return ClassGaussians(
        means=means,
        centre=centre,
        within=_precision(residuals.T @ residuals / freedom),
        total=_precision(centred.T @ centred / len(vectors)),
    )


def _precision(covariance: Floats) -> Floats:
    d = len(covariance)
    mean = max(float(np.trace(covariance)) / d, _LEAST_VARIANCE)
    inverse = np.linalg.inv((1 - _SHRINKAGE) * covariance + _SHRINKAGE * mean * np.eye(d))
    return inverse.astype(np.float64, copy=False)
