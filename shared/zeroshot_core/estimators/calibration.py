"""Conformal calibration: residual quantiles that hold their coverage on new data.

Residuals are out-of-fold, divided by their predicted scale (locally weighted conformal prediction, Lei et al.
2018), and kept apart by the level of the forecast (Mondrian categories, Vovk et al. 2005). The library crepes
has both for one number an item; here each step of a curve has residuals of its own, in bins that all share.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.errors import InvalidInputError

if TYPE_CHECKING:
    from zeroshot_core.estimators.model_state import ModelState
    from zeroshot_core.types import Floats, Ints

__all__ = ["ConformalCalibration", "calibrate", "conformal_rank", "group_weights"]

_ROWS_PER_BIN = 400
_GROUPS_PER_BIN = 20
_MAX_BINS = 12
_N_ATOMS = 50
# Of saved factors; none that was learned comes near.
_LARGEST_FACTOR = 1e6


@dataclass(frozen=True, kw_only=True)
class ConformalCalibration:
    """Scaled residuals by the level of the forecast.

    Parameters
    ----------
    edges
        Shape (b - 1,), levels that part the bins.
    residuals
        Shape (n, horizon), sorted along the first axis within each bin.
    starts
        Shape (b + 1,), where each bin begins in `residuals`.
    factors
        Shape (b,), what the expectation of a forecast in each bin is multiplied by.
    """

    edges: Floats
    residuals: Floats
    starts: Floats
    factors: Floats

    def arrays(self, place: int) -> dict[str, Floats]:
        """Give the parts to be saved, by name and the number of the head."""
        return {
            f"edges.{place}": self.edges,
            f"residuals.{place}": self.residuals,
            f"starts.{place}": self.starts,
            f"factors.{place}": self.factors,
        }

    @classmethod
    def restored(cls, state: ModelState, place: int, horizon: int) -> ConformalCalibration:
        """Put together again what `arrays` took apart.

        Raises
        ------
        InvalidInputError
            If a part is missing, or the residuals are not sorted within bins that follow one another. Models
            saved before there were factors have those of 1.
        """
        edges = state.array(f"edges.{place}", np.float64, (None,))
        residuals = state.array(f"residuals.{place}", np.float64, (None, horizon))
        starts = state.array(f"starts.{place}", np.float64, (len(edges) + 2,))
        falls = 1 + np.flatnonzero((np.diff(residuals, axis=0) < 0).any(axis=1))
        are_bins = (
            starts[0] == 0
            and starts[-1] == len(residuals)
            and (np.diff(starts) >= 1).all()
            and (starts == np.floor(starts)).all()
        )
        if not are_bins or not np.isin(falls, starts).all() or (np.diff(edges) < 0).any():
            raise InvalidInputError(f"expected residuals of head {place} sorted in bins, got others")
        factors = np.ones(len(edges) + 1)
        if f"factors.{place}" in state.arrays:
            factors = state.array(f"factors.{place}", np.float64, factors.shape)
        if not (factors.min() >= 0 and factors.max() <= _LARGEST_FACTOR):
            raise InvalidInputError(f"expected factors of head {place} from 0 on, got {factors.min()}")
        return cls(edges=edges, residuals=residuals, starts=starts, factors=factors)

    def bins(self, levels: Floats) -> Ints:
        """Bins that forecasts of the given levels lie in, shape (m,)."""
        return np.asarray(np.searchsorted(self.edges, levels, side="right"), dtype=np.int64)

    @cached_property
    def atoms(self) -> Floats:
        """Scaled residuals of each bin at the middles of equal parts of 0 to 1, shape (parts, b, horizon)."""
        middles = (np.arange(_N_ATOMS) + 0.5) / _N_ATOMS
        parts = pairwise(self.starts.astype(np.int64))
        return np.stack([np.quantile(self.residuals[a:b], middles, axis=0) for a, b in parts], axis=1)

    def quantile(self, levels: Floats, q: float | Floats) -> Floats:
        """Scaled residual at a probability for forecasts of the given levels (m,), shape (m, horizon).

        Parameters
        ----------
        q
            One for all, or shape (m,).
        """
        bins, starts = self.bins(levels), self.starts.astype(np.int64)
        return np.asarray(self.residuals[starts[bins] + conformal_rank(np.diff(starts)[bins], q)])


def calibrate(levels: Floats, residuals: Floats, groups: Ints | None = None) -> ConformalCalibration:
    """Sort scaled residuals (n, horizon) into bins of about equally many forecasts by level (n,).

    Parameters
    ----------
    groups
        Shape (n,), where some few groups will be new as a whole: each is one draw of what may come, and
        counts alike in its bin however many items it has (Dunn, Wasserman and Ramdas, "Distribution-free
        prediction sets for two-layer hierarchical models", JASA 118, 2023).
    """
    n_bins = len(levels) // _ROWS_PER_BIN
    if groups is not None:
        n_bins = min(n_bins, len(np.unique(groups)) // _GROUPS_PER_BIN)
    n_bins = int(np.clip(n_bins, 1, _MAX_BINS))
    edges = np.quantile(levels, np.arange(1, n_bins) / n_bins)
    bins = np.searchsorted(edges, levels, side="right")
    if len(np.unique(bins)) < n_bins:  # ties swallow a bin: one bin is honest then
        edges, bins, n_bins = edges[:0], np.zeros_like(bins), 1
    rows = [np.flatnonzero(bins == b) for b in range(n_bins)]
    if groups is None:
        parts = [np.sort(residuals[each], axis=0) for each in rows]
    else:
        parts = [_counted(residuals[each], group_weights(groups[each])) for each in rows]
    starts = np.cumsum([0, *map(len, parts)]).astype(np.float64)
    return ConformalCalibration(
        edges=edges, residuals=np.concatenate(parts), starts=starts, factors=np.ones(len(parts))
    )


def group_weights(groups: Ints) -> Floats:
    """How much each item counts, shape (n,), so that groups (n,) count alike; 1 on average."""
    _, places, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    return np.asarray(len(places) / len(sizes) / sizes[places])


def _counted(residuals: Floats, weights: Floats) -> Floats:
    """Sorted residuals (n, horizon) that count alike and spread as those given do by their weights (n,)."""
    middles = (np.arange(len(residuals)) + 0.5) / len(residuals)
    spread = np.empty_like(residuals)
    for step, column in enumerate(residuals.T):
        order = np.argsort(column)
        ends = np.cumsum(weights[order])
        spread[:, step] = np.interp(middles, (ends - weights[order] / 2.0) / ends[-1], column[order])
    return spread


def conformal_rank(n: int | Ints, q: float | Floats) -> Ints:
    """Place from 0 of a quantile among `n` sorted values, with the finite-sample correction.

    Above the median it is the ``ceil((n + 1) q)``-th smallest, below it the ``floor((n + 1) q)``-th, so both
    ends of an interval err on the wide side; at most the largest, at least the smallest.
    """
    rank = (n + 1) * np.asarray(q)
    rank = np.where(np.asarray(q) >= 0.5, np.ceil(rank), np.floor(rank))
    return np.asarray(np.clip(rank, 1, n), dtype=np.int64) - 1
