"""Boosted trees asked all at once: to call one after the other costs more than to answer for one row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from zeroshot_core.types import Floats, Ints

__all__ = ["BoostedSum"]

_PLACES_AT_ONCE = 200_000


@dataclass(frozen=True, kw_only=True)
class BoostedSum:
    """The trees of a fitted ``HistGradientBoostingRegressor`` for numbers, node by node in one table.

    Parameters
    ----------
    roots
        Shape (t,), the node at which each tree begins.
    features, thresholds, takes_gaps
        Shapes (n,): a node leads to the left where the feature is at most the threshold, or is missing and
        the left takes what is missing.
    ways
        Shape (2 n,): the next node to the right and to the left of each; a leaf leads to itself.
    values
        Shape (n,), what a leaf adds to the forecast.
    """

    baseline: float
    depth: int
    roots: Ints
    features: Ints
    thresholds: Floats
    takes_gaps: npt.NDArray[np.bool_]
    ways: Ints
    values: Floats

    @classmethod
    def of(cls, model: Any) -> BoostedSum:
        """Read the trees of a fitted model."""
        trees = [predictor.nodes for (predictor,) in model._predictors]
        nodes = np.concatenate(trees)
        starts = np.cumsum([0, *map(len, trees)])
        is_leaf, own = nodes["is_leaf"].astype(bool), np.arange(len(nodes))
        first = np.repeat(starts[:-1], np.diff(starts))
        ways = [np.where(is_leaf, own, first + nodes[side]) for side in ("right", "left")]
        return cls(
            baseline=float(model._baseline_prediction.ravel()[0]),
            depth=int(nodes["depth"].max()),
            roots=starts[:-1],
            features=np.where(is_leaf, 0, nodes["feature_idx"]).astype(np.int64),
            thresholds=nodes["num_threshold"].astype(np.float64),
            takes_gaps=nodes["missing_go_to_left"].astype(bool),
            ways=np.stack(ways, axis=1).ravel().astype(np.int64),
            values=np.where(is_leaf, nodes["value"], 0.0),
        )

    def predict(self, features: Floats) -> Floats:
        """Forecast as the model does, to the last digit, shape (q,)."""
        rows = np.ascontiguousarray(features, dtype=np.float64)
        step = max(1, _PLACES_AT_ONCE // len(self.roots))
        parts = [self._of_rows(rows[start : start + step]) for start in range(0, len(rows), step)]
        return np.concatenate([np.zeros(0), *parts])

    def _of_rows(self, rows: Floats) -> Floats:
        starts = (np.arange(len(rows)) * rows.shape[1])[:, None]
        flat, nodes = rows.ravel(), np.tile(self.roots, (len(rows), 1))
        has_gaps = bool(np.isnan(rows).any())
        for _ in range(self.depth):
            values = flat[starts + self.features[nodes]]
            is_left = values <= self.thresholds[nodes]
            if has_gaps:
                is_left |= np.isnan(values) & self.takes_gaps[nodes]
            nodes = self.ways[2 * nodes + is_left]
        # Added up tree by tree: a sum in another order would differ in its last digits.
        steps = np.column_stack([np.full(len(rows), self.baseline), self.values[nodes]])
        return np.asarray(np.cumsum(steps, axis=1)[:, -1])
