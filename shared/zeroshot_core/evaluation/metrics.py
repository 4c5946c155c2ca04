"""Metrics of numbers, quantiles and intervals, and the paired bootstrap; pure functions of arrays.

Throughout, y and the forecast f have shape (n,), and lower is better unless said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.statistics import percentile_interval, resampled_means

if TYPE_CHECKING:
    from zeroshot_core.types import Floats

__all__ = [
    "PairedDifference",
    "bias",
    "coverage",
    "interval_width",
    "paired_bootstrap",
    "pinball",
    "rmsle",
    "spearman",
    "squared_log_errors",
    "top_decile_lift",
    "wape",
]


@dataclass(frozen=True, kw_only=True)
class PairedDifference:
    """Mean of loss a minus loss b, and its 95% bootstrap interval; below 0 means that a is better."""

    mean: float
    low: float
    high: float


def squared_log_errors(y: npt.ArrayLike, forecast: npt.ArrayLike) -> Floats:
    """Give (log(1 + f) - log(1 + y))² of every pair, shape (n,).

    Raises
    ------
    InvalidInputError
        If the shapes differ, nothing is there, or a value is negative or not finite.
    """
    truth, forecasts = _pair(y, forecast)
    if min(truth.min(), forecasts.min()) < 0:
        raise InvalidInputError(
            f"expected values of at least 0, got {min(truth.min(), forecasts.min()):g}; clip forecasts at 0"
        )
    errors: Floats = (np.log1p(forecasts) - np.log1p(truth)) ** 2
    return errors


def rmsle(y: npt.ArrayLike, forecast: npt.ArrayLike) -> float:
    """Root mean squared log error, sqrt(mean((log(1 + f) - log(1 + y))²)); values of at least 0."""
    return float(np.sqrt(squared_log_errors(y, forecast).mean()))


def wape(y: npt.ArrayLike, forecast: npt.ArrayLike) -> float:
    """Weighted absolute percentage error, sum|y - f| / sum|y|."""
    truth, forecasts = _pair(y, forecast)
    return float(np.abs(truth - forecasts).sum() / _volume(truth))


def bias(y: npt.ArrayLike, forecast: npt.ArrayLike) -> float:
    """Relative bias, sum(f - y) / sum|y|; 0 is best, above 0 is too high."""
    truth, forecasts = _pair(y, forecast)
    return float((forecasts - truth).sum() / _volume(truth))


def spearman(y: npt.ArrayLike, forecast: npt.ArrayLike) -> float:
    """Correlation of the ranks with ties averaged, -1..1; higher is better, 0 where one side is constant."""
    from scipy.stats import rankdata

    truth, forecasts = (rankdata(side) for side in _pair(y, forecast))
    if np.ptp(truth) == 0 or np.ptp(forecasts) == 0:
        return 0.0
    return float(np.corrcoef(truth, forecasts)[0, 1])


def pinball(y: npt.ArrayLike, quantile_forecast: npt.ArrayLike, q: float) -> float:
    """Pinball loss of the q-quantile, mean(max(q (y - f), (q - 1) (y - f))), in the unit of y.

    References
    ----------
    Koenker and Bassett, "Regression quantiles", Econometrica 46, 1978.
    """
    if not 0 < q < 1:
        raise InvalidInputError(f"expected a quantile between 0 and 1, got {q!r}")
    truth, forecasts = _pair(y, quantile_forecast)
    over = truth - forecasts
    return float(np.maximum(q * over, (q - 1) * over).mean())


def coverage(y: npt.ArrayLike, interval: npt.ArrayLike) -> float:
    """Share of y inside its closed interval, in 0..1; near the nominal coverage is best.

    Parameters
    ----------
    interval
        Lower and upper ends, shape (n, 2).
    """
    low, high = _ends(interval)
    truth, _ = _pair(y, low)
    return float(((low <= truth) & (truth <= high)).mean())


def interval_width(interval: npt.ArrayLike) -> float:
    """Mean of upper minus lower end, in the unit of y."""
    low, high = _ends(interval)
    return float((high - low).mean())


def top_decile_lift(y: npt.ArrayLike, forecast: npt.ArrayLike) -> float:
    """Mean y of the tenth with the highest forecasts over the mean of all; higher is better, 1 is chance.

    Cases tied at the border of the tenth count with their mean.
    """
    truth, forecasts = _pair(y, forecast)
    size = max(1, len(truth) // 10)
    border = np.partition(forecasts, -size)[-size]
    above, tied = truth[forecasts > border], truth[forecasts == border]
    top = above.sum() + (size - len(above)) * tied.mean()
    return float(top / size * len(truth) / _volume(truth))


def paired_bootstrap(
    loss_a: npt.ArrayLike, loss_b: npt.ArrayLike, *, n: int = 2000, seed: int = 0
) -> PairedDifference:
    """Compare two losses on the same cases by resampling the cases with their pairs kept.

    Parameters
    ----------
    loss_a, loss_b
        Loss of each case, shape (n_cases,).
    n
        Number of resamples.
    """
    a, b = _pair(loss_a, loss_b)
    difference = a - b
    low, high = percentile_interval(resampled_means(difference, n, np.random.default_rng(seed)))
    return PairedDifference(mean=float(difference.mean()), low=low, high=high)


def _pair(y: npt.ArrayLike, forecast: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Check that both are finite vectors of one length."""
    truth, forecasts = np.asarray(y, dtype=np.float64), np.asarray(forecast, dtype=np.float64)
    if truth.ndim != 1 or truth.shape != forecasts.shape or not truth.size:
        raise InvalidInputError(
            f"expected two vectors of one length above 0, got shapes {truth.shape} and {forecasts.shape}"
        )
    if not (np.isfinite(truth).all() and np.isfinite(forecasts).all()):
        raise InvalidInputError("expected finite values, got NaN or infinity; drop those cases")
    return truth, forecasts


def _ends(interval: npt.ArrayLike) -> tuple[Floats, Floats]:
    ends = np.asarray(interval, dtype=np.float64)
    if ends.ndim != 2 or ends.shape[1] != 2:
        raise InvalidInputError(f"expected intervals of shape (n, 2), got {ends.shape}")
    if (ends[:, 0] > ends[:, 1]).any():
        raise InvalidInputError("expected lower ends at or below the upper ends, got crossed intervals")
    return ends[:, 0], ends[:, 1]


def _volume(truth: Floats) -> float:
    volume = float(np.abs(truth).sum())
    if volume == 0:
        raise InvalidInputError("expected a target with something other than 0, got zeros alone")
    return volume
