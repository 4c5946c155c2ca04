"""What a forecast says: a distribution, and the numbers that stand for it.

A head's forecast for an item is a level and a scale; out-of-fold residuals of known items of such levels,
times the scale, are what else it may become. The expectation is the mean of that whole distribution in the
unit of the target: the mean of a transformed target, brought back, is too low (Duan, "Smearing estimate: a
nonparametric retransformation method", JASA 78, 1983). Only expectations may be summed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.estimators.calibration import group_weights

if TYPE_CHECKING:
    from zeroshot_core.estimators.calibration import ConformalCalibration
    from zeroshot_core.regression.targets import Targets
    from zeroshot_core.types import Floats, Ints

__all__ = ["STATISTICS", "HeadForecast", "MixedForecast", "expectation_factors"]

STATISTICS = ("expectation", "median", "geometric")
# How far a ratio of sums lies from what it is shrunk to, as a standard deviation, before any item is seen.
_PRIOR_SPREAD = 0.05
Probability: TypeAlias = "float | Floats"


@dataclass(frozen=True, kw_only=True)
class HeadForecast:
    """What one head says of m items.

    Parameters
    ----------
    levels, scales
        Forecasts of the transformed level and of its absolute error, shape (m,).
    curves
        The transformed forecast of each step, shape (m, horizon).
    """

    levels: Floats
    scales: Floats
    curves: Floats
    calibration: ConformalCalibration
    targets: Targets

    def quantile(self, q: Probability) -> Floats:
        """Give the transformed value that the truth stays below with probability `q`, shape (m, horizon).

        Parameters
        ----------
        q
            One for all, or shape (m,).
        """
        return np.asarray(self.curves + self.scales[:, None] * self.calibration.quantile(self.levels, q))

    def value(self, q: Probability) -> Floats:
        """Give the value in the unit of the target, as the expectation counts it, at a probability `q`.

        It is at most the largest that any known item had, and has the factor of its level.
        """
        restored = self.targets.restore(np.minimum(self.quantile(q), self.targets.most))
        return np.asarray(restored * self._factors)

    @property
    def expectation(self) -> Floats:
        """Mean in the unit of the target, shape (m, horizon).

        Each of equal parts of the distribution counts by its middle, and none by more than any known item
        had, so that a single extreme residual does not carry the mean; what that loses is in the factors of
        the calibration.
        """
        bins, atoms = self.calibration.bins(self.levels), self.calibration.atoms
        total = np.zeros_like(self.curves)
        for atom in atoms:
            values = self.curves + self.scales[:, None] * atom[bins]
            total += self.targets.restore(np.minimum(values, self.targets.most))
        return np.asarray(total / len(atoms) * self._factors)

    @property
    def _factors(self) -> Floats:
        return np.asarray(self.calibration.factors[self.calibration.bins(self.levels)][:, None])


@dataclass(frozen=True, kw_only=True)
class MixedForecast:
    """What the heads say together of q items: all that may be asked of them comes from one pass of the heads.

    Parameters
    ----------
    shares
        Shape (q, s), how much each head counts for each item; rows sum to 1.
    rows, heads
        The items of which each head was asked, shape (m,), and what it says of them.
    """

    shares: Floats
    rows: tuple[Ints, ...]
    heads: tuple[HeadForecast, ...]
    targets: Targets

    @cached_property
    def expectation(self) -> Floats:
        """Mean in the unit of the target, shape (q, horizon)."""
        return self._mixed(lambda head, _: head.expectation)

    @property
    def median(self) -> Floats:
        """What the truth is as often above as below, shape (q, horizon)."""
        return self.quantile(0.5)

    @property
    def geometric(self) -> Floats:
        """Mean of the transformed target, brought back, shape (q, horizon)."""
        return self.targets.restore(self._mixed(lambda head, _: head.curves))

    def statistic(self, name: str) -> Floats:
        """Give the number that stands for each forecast, by one of `STATISTICS`, shape (q, horizon)."""
        if name not in STATISTICS:
            raise InvalidInputError(f"expected one of {STATISTICS}, got {name!r}")
        found: Floats = getattr(self, name)
        return found

    def quantile(self, q: Probability) -> Floats:
        """Give the value that the truth stays below with probability `q`, shape (q, horizon).

        It lies where known targets do, or a little beyond; see `Targets.bounds`.

        Parameters
        ----------
        q
            One for all items, or one for each, shape (q,).
        """
        mixed = self._mixed(lambda head, rows: head.quantile(_part(q, rows)))
        return self.targets.restore(np.clip(mixed, *self.targets.bounds))

    def interval(self, coverage: float) -> tuple[Floats, Floats]:
        """Give the ends between which the truth lies with a probability, each of shape (q, horizon)."""
        ends = (self.quantile((1.0 - coverage) / 2.0), self.quantile((1.0 + coverage) / 2.0))
        return self.targets.whole_interval(*ends)

    def value(self, q: Floats) -> Floats:
        """Give the value of each item, as its expectation counts it, at probabilities (q,) of their own."""
        return self._mixed(lambda head, rows: head.value(q[rows]))

    def _mixed(self, part: Callable[[HeadForecast, Ints], Floats]) -> Floats:
        """Average something over the heads, shape (q, horizon)."""
        mixed = np.zeros((len(self.shares), self.targets.horizon))
        for head, rows, share in zip(self.heads, self.rows, self.shares.T, strict=True):
            if len(rows):
                mixed[rows] += share[rows, None] * part(head, rows)
        return mixed


def expectation_factors(forecast: HeadForecast, truth: Floats, groups: Ints | None = None) -> Floats:
    """Find what to multiply expectations by, shape (b,), a factor a bin of level, so that sums are right.

    The ratio of the sums of truth and expectation over the items of a bin is shrunk to that of all items, and
    that to 1, the more the less sure it is: where few items sell most, sums say little (empirical Bayes;
    Efron and Morris, "Stein's estimation rule and its competitors", JASA 68, 1973). Signed targets have no
    such ratio, and their distribution is not transformed: their factors are 1.

    Parameters
    ----------
    forecast
        Of items out of fold, with factors of 1.
    truth
        What came of them, shape (n, horizon).
    groups
        Shape (n,), where some few groups will be new as a whole and count alike; see `calibrate`.
    """
    n_bins = len(forecast.calibration.factors)
    if forecast.targets.kind == "real":
        return np.ones(n_bins)
    expected, happened = forecast.expectation.sum(axis=1), truth.sum(axis=1)
    if groups is not None:
        weights = group_weights(groups)
        expected, happened = weights * expected, weights * happened
    bins = forecast.calibration.bins(forecast.levels)
    if not np.bincount(bins, expected, n_bins).all():
        return np.ones(n_bins)
    of_all = _shrunk_ratios(expected, happened, np.zeros_like(bins), 1.0)
    return _shrunk_ratios(expected, happened, bins, float(of_all[0]))


def _shrunk_ratios(expected: Floats, happened: Floats, bins: Ints, centre: float) -> Floats:
    """Shrink the ratio of sums in each bin to a centre by its standard error, shape (b,)."""
    sums = np.bincount(bins, expected)
    ratios = np.bincount(bins, happened) / sums
    variances = np.bincount(bins, (happened - ratios[bins] * expected) ** 2) / sums**2
    return np.asarray(centre + (ratios - centre) * _PRIOR_SPREAD**2 / (_PRIOR_SPREAD**2 + variances))


def _part(q: Probability, rows: Ints) -> Probability:
    return q[rows] if isinstance(q, np.ndarray) else q
