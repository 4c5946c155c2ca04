"""What a forecast says: a distribution, and the numbers that stand for it.

A head's forecast for an item is a level and a scale; out-of-fold residuals of known items of such levels,
times the scale, are what else it may become. The expectation is the mean of that whole distribution in the
unit of the target: the mean of a transformed target, brought back, is too low (Duan, "Smearing estimate: a
nonparametric retransformation method", JASA 78, 1983). Only expectations may be summed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from zeroshot_core.estimators.calibration import ConformalCalibration
    from zeroshot_core.regression.targets import Targets
    from zeroshot_core.types import Floats

__all__ = ["STATISTICS", "PredictiveDistribution", "expectation_factors"]

STATISTICS = ("expectation", "median", "geometric")
# Items whose ratio is 1 that the ratio of all is weighed against, and items of that one for a bin's own.
_SHRINKAGE, _BIN_SHRINKAGE = 20.0, 200.0


@dataclass(frozen=True, kw_only=True)
class PredictiveDistribution:
    """What one head says of q items.

    Parameters
    ----------
    levels, scales
        Forecasts of the transformed level and of its absolute error, shape (q,).
    curves
        The transformed forecast of each step, shape (q, horizon).
    """

    levels: Floats
    scales: Floats
    curves: Floats
    calibration: ConformalCalibration
    targets: Targets

    def quantile(self, q: float) -> Floats:
        """Give the transformed value that the truth stays below with probability `q`, shape (q, horizon)."""
        return np.asarray(self.curves + self.scales[:, None] * self.calibration.quantile(self.levels, q))

    @property
    def expectation(self) -> Floats:
        """Mean in the unit of the target, shape (q, horizon).

        Each of equal parts of the distribution counts by its middle, and none by more than any known item
        had, so that a single extreme residual does not carry the mean; what that loses is in the factors of
        the calibration.
        """
        bins = self.calibration.bins(self.levels)
        total = np.zeros_like(self.curves)
        for atom in self.calibration.atoms:
            values = self.curves + self.scales[:, None] * atom[bins]
            total += self.targets.restore(np.minimum(values, self.targets.most))
        return np.asarray(total / len(self.calibration.atoms) * self.calibration.factors[bins][:, None])


def expectation_factors(distribution: PredictiveDistribution, truth: Floats) -> Floats:
    """Find what to multiply expectations by, shape (b,), a factor a bin of level, so that sums are right.

    The ratio of the sums of truth and expectation over the items of a bin, weighed against that of all items,
    and that against 1. Signed targets have no such ratio, and their distribution is not transformed: their
    factors are 1.

    Parameters
    ----------
    distribution
        Of items out of fold, with factors of 1.
    truth
        What came of them, shape (n, horizon).
    """
    n_bins = len(distribution.calibration.factors)
    if distribution.targets.kind == "real":
        return np.ones(n_bins)
    bins = distribution.calibration.bins(distribution.levels)
    expected = np.bincount(bins, distribution.expectation.sum(axis=1), n_bins)
    happened = np.bincount(bins, truth.sum(axis=1), n_bins)
    if not expected.all():
        return np.ones(n_bins)
    a_few = _SHRINKAGE * expected.sum() / len(bins)
    of_all = (happened.sum() + a_few) / (expected.sum() + a_few)
    some = _BIN_SHRINKAGE * expected / np.bincount(bins, minlength=n_bins)
    return np.asarray((happened + some * of_all) / (expected + some))
