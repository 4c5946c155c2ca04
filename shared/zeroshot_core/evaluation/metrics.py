"""Metrics of numbers, quantiles, intervals, ranks and probabilities, and the paired bootstrap.

All are pure functions of arrays. Those of forecasts take y and the forecast f of shape (n,); lower is better
unless said. What scikit-learn and SciPy have is theirs, with our checks before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from zeroshot_core import checks
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.statistics import percentile_interval, resampled_means

if TYPE_CHECKING:
    from zeroshot_core.types import Floats

__all__ = [
    "PairedDifference",
    "accuracy_at",
    "bias",
    "coverage",
    "crps",
    "expected_calibration_error",
    "interval_score",
    "interval_width",
    "paired_bootstrap",
    "pinball",
    "rmsle",
    "spearman",
    "squared_log_errors",
    "tied_rank",
    "top_decile_lift",
    "wape",
]

_N_BINS = 10


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
    truth, forecasts = _non_negative(y, forecast)
    errors: Floats = (np.log1p(forecasts) - np.log1p(truth)) ** 2
    return errors


def rmsle(y: npt.ArrayLike, forecast: npt.ArrayLike) -> float:
    """Root mean squared log error, sqrt(mean((log(1 + f) - log(1 + y))²)); values of at least 0."""
    from sklearn.metrics import root_mean_squared_log_error

    return float(root_mean_squared_log_error(*_non_negative(y, forecast)))


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
    from scipy.stats import spearmanr

    truth, forecasts = _pair(y, forecast)
    if np.ptp(truth) == 0 or np.ptp(forecasts) == 0:
        return 0.0
    return float(spearmanr(truth, forecasts).statistic)


def pinball(y: npt.ArrayLike, quantile_forecast: npt.ArrayLike, q: float) -> float:
    """Pinball loss of the q-quantile, mean(max(q (y - f), (q - 1) (y - f))), in the unit of y.

    References
    ----------
    Koenker and Bassett, "Regression quantiles", Econometrica 46, 1978.
    """
    from sklearn.metrics import mean_pinball_loss

    checks.real("quantile", q, above=0, below=1)
    return float(mean_pinball_loss(*_pair(y, quantile_forecast), alpha=q))


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


def interval_score(y: npt.ArrayLike, interval: npt.ArrayLike, coverage: float) -> float:
    """Winkler's score of central intervals, in the unit of y: their width, and what misses them weighed.

    The mean of ``u - l + 2/a * max(l - y, 0) + 2/a * max(y - u, 0)`` with ``a = 1 - coverage``: an interval
    is paid for by its width, and a miss by its distance. The ends that lower it most are the true quantiles,
    so one figure judges coverage and width together.

    Parameters
    ----------
    interval
        Lower and upper ends l and u, shape (n, 2).
    coverage
        Probability with which the intervals are to hold y, in (0, 1).

    References
    ----------
    Winkler, "A decision-theoretic approach to interval estimation", JASA 67, 1972; Gneiting and Raftery,
    "Strictly proper scoring rules, prediction, and estimation", JASA 102, 2007.
    """
    missed = 1.0 - checks.real("coverage", coverage, above=0, below=1)
    low, high = _ends(interval)
    truth, _ = _pair(y, low)
    misses = np.maximum(low - truth, 0.0) + np.maximum(truth - high, 0.0)
    return float((high - low + 2.0 / missed * misses).mean())


def crps(y: npt.ArrayLike, quantiles: npt.ArrayLike, probabilities: npt.ArrayLike) -> float:
    """Continuous ranked probability score of forecasts that are given by quantiles, in the unit of y.

    Twice the pinball loss, integrated over the probabilities: each quantile stands for those that are nearer
    to its own than to another's. Of a forecast of one number it is the absolute error.

    Parameters
    ----------
    quantiles
        Shape (n, k), one column a probability.
    probabilities
        Shape (k,), rising, in (0, 1).

    References
    ----------
    Gneiting and Raftery, "Strictly proper scoring rules, prediction, and estimation", JASA 102, 2007.
    """
    levels, forecasts = checks.numbers("probabilities", probabilities), checks.numbers("quantiles", quantiles)
    if levels.ndim != 1 or not levels.size or not (levels[0] > 0 and levels[-1] < 1):
        raise InvalidInputError(
            f"expected probabilities of shape (k,) in (0, 1), got {checks.shown(probabilities)}"
        )
    if not (np.diff(levels) > 0).all():
        raise InvalidInputError(
            f"expected rising probabilities, got {checks.shown(probabilities)}; sort them"
        )
    if forecasts.ndim != 2 or forecasts.shape[1] != len(levels):
        raise InvalidInputError(
            f"expected quantiles of shape (n, {len(levels)}), one column a probability, got {forecasts.shape}"
        )
    borders = np.concatenate([[0.0], (levels[1:] + levels[:-1]) / 2.0, [1.0]])
    losses = [pinball(y, column, q) for column, q in zip(forecasts.T, levels, strict=True)]
    return float(2.0 * np.diff(borders) @ losses)


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


def tied_rank(score: float, others: npt.ArrayLike) -> float:
    """Rank from 1 of a score among all others, where higher is better; equal scores share the middle rank."""
    rivals = np.asarray(others)
    return 1.0 + float((rivals > score).sum()) + float((rivals == score).sum()) / 2.0


def accuracy_at(ranked: Sequence[Sequence[str]], truths: Sequence[str], k: int) -> float:
    """Share of texts whose concept is among the first `k` that were found for it, in [0, 1]."""
    ranked = checks.sequence("ranked", ranked, of="rankings")
    truths = checks.sequence("truths", truths, of="concept ids")
    ranked = [checks.sequence("a ranking", found, of="concept ids") for found in ranked]
    checks.whole("k", k)
    if len(ranked) != len(truths) or not truths:
        raise InvalidInputError(
            f"expected one ranking for each truth, got {len(ranked)} and {len(truths)}; give both, not empty"
        )
    return sum(truth in found[:k] for found, truth in zip(ranked, truths, strict=True)) / len(truths)


def expected_calibration_error(probabilities: npt.ArrayLike, is_right: npt.ArrayLike) -> float:
    """Mean distance of stated probability and share right, over ten bins of equal width [1]_, in [0, 1].

    Parameters
    ----------
    probabilities, is_right
        Shape (n,).

    References
    ----------
    .. [1] Naeini et al., "Obtaining Well Calibrated Probabilities Using Bayesian Binning", AAAI 2015.
    """
    stated, right = np.asarray(probabilities, dtype=np.float64), np.asarray(is_right, dtype=np.float64)
    if stated.ndim != 1 or stated.shape != right.shape or not len(stated):
        raise InvalidInputError(f"expected two arrays of shape (n,), got {stated.shape} and {right.shape}")
    bins = np.minimum((stated * _N_BINS).astype(np.int64), _N_BINS - 1)
    gaps = np.bincount(bins, weights=stated - right, minlength=_N_BINS)
    return float(np.abs(gaps).sum() / len(stated))


def _non_negative(y: npt.ArrayLike, forecast: npt.ArrayLike) -> tuple[Floats, Floats]:
    truth, forecasts = _pair(y, forecast)
    if min(truth.min(), forecasts.min()) < 0:
        raise InvalidInputError(
            f"expected values of at least 0, got {min(truth.min(), forecasts.min()):g}; clip forecasts at 0"
        )
    return truth, forecasts


def _pair(y: npt.ArrayLike, forecast: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Check that both are finite vectors of one length."""
    truth, forecasts = checks.numbers("targets", y), checks.numbers("forecasts", forecast)
    if truth.ndim != 1 or truth.shape != forecasts.shape or not truth.size:
        raise InvalidInputError(
            f"expected two vectors of one length above 0, got shapes {truth.shape} and {forecasts.shape}"
        )
    if not (np.isfinite(truth).all() and np.isfinite(forecasts).all()):
        raise InvalidInputError("expected finite values, got NaN or infinity; drop those cases")
    return truth, forecasts


def _ends(interval: npt.ArrayLike) -> tuple[Floats, Floats]:
    ends = checks.numbers("intervals", interval)
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
