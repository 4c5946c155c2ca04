"""The bootstrap of means: one way to draw, and one kind of interval.

Why not `scipy.stats.bootstrap`: it can't hand on the generator's state, or average strata that are each drawn
by themselves.

References
----------
Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, ch. 13 (percentile interval).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from zeroshot_core.types import Floats

__all__ = ["percentile_interval", "resampled_means"]


def resampled_means(values: npt.ArrayLike, n_resamples: int, rng: np.random.Generator) -> Floats:
    """Draw as many cases as there are, with replacement, and take their mean, again and again.

    To compare two methods by pairs, give the differences of their values on the same cases.

    Parameters
    ----------
    values
        Of each case, shape (n_cases,), at least one.

    Returns
    -------
    Floats
        Shape (n_resamples,).
    """
    cases = np.asarray(values)
    n = len(cases)
    return np.array([cases[rng.integers(n, size=n)].mean() for _ in range(n_resamples)], dtype=np.float64)


def percentile_interval(resampled: npt.ArrayLike, coverage: float = 0.95) -> tuple[float, float]:
    """Interval between the percentiles that leave out equal shares of the resampled values on both sides.

    Parameters
    ----------
    resampled
        A statistic of each resample, shape (n_resamples,).
    coverage
        Share of the values within, in (0, 1).
    """
    low, high = np.quantile(
        np.asarray(resampled, dtype=np.float64), [(1 - coverage) / 2, (1 + coverage) / 2]
    ).tolist()
    return low, high
