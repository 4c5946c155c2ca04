"""The head: a small model from evidence to a target, with its uncertainty."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache, cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from joblib import parallel_config
from threadpoolctl import ThreadpoolController

from zeroshot_core.estimators.calibration import ConformalCalibration, calibrate
from zeroshot_core.regression.network import NetworkHead, fit_network_head

if TYPE_CHECKING:
    import numpy.typing as npt

    from zeroshot_core.types import Floats, Ints, Vectors

__all__ = ["BoostedTrees", "Head", "fit_head"]

_N_CROSS = 3
_LEAST_SCALE = 0.05
_FEWEST_TO_SHARE = 5000
_FEWEST_FOR_PREDICT = 100
# Of fewer rows networks learn less than trees do.
_FEWEST_FOR_NETWORKS = 5000


@dataclass(frozen=True, kw_only=True)
class Head:
    """Boosted and extremely randomised trees, averaged, and networks beside them where rows are many.

    Parameters
    ----------
    models
        The trees.
    scale
        Boosted trees for the absolute error.
    networks
        Half of the forecast; None for few rows.
    error
        Mean squared error of out-of-fold forecasts of the transformed target.
    """

    models: tuple[Any, ...]
    scale: Any
    calibration: ConformalCalibration
    networks: NetworkHead | None = None
    error: float

    def level(self, features: Floats, vectors: Vectors) -> Floats:
        """Forecast of the transformed target, shape (q,)."""
        trees = np.asarray(np.mean([forecast(features) for forecast in self._forecasts], axis=0))
        if self.networks is None:
            return trees
        return (trees + self.networks.level(features, vectors)) / 2.0

    def spread(self, features: Floats, level: Floats) -> Floats:
        """Forecast the absolute error, shape (q,)."""
        errors = self._errors.predict(np.column_stack([features, level]))
        return np.asarray(np.maximum(errors, _LEAST_SCALE))

    @cached_property
    def _forecasts(self) -> tuple[Callable[[Floats], Floats], ...]:
        """What forecasts by each of the trees."""
        return tuple(
            partial(_by_forest, model) if hasattr(model, "estimators_") else BoostedTrees.of(model).predict
            for model in self.models
        )

    @cached_property
    def _errors(self) -> BoostedTrees:
        return BoostedTrees.of(self.scale)


def _by_forest(model: Any, features: Floats) -> Floats:
    """Forecast by a forest, whose own way hands each tree to joblib: 7 ms for one row, and .2 ms here."""
    rows = np.ascontiguousarray(features, dtype=np.float32)
    return np.asarray(np.mean([tree.tree_.predict(rows)[:, 0] for tree in model.estimators_], axis=0))


@dataclass(frozen=True, kw_only=True)
class BoostedTrees:
    """A fitted ``HistGradientBoostingRegressor`` for numbers, quick for few rows too.

    Scikit-learn asks one tree after the other, which takes a millisecond however few the rows are: a forecast
    of one item by three heads took 20 ms of the processor instead of 11. All nodes in one table answer for it
    in .06 ms. Nothing public holds the nodes, so they are read from private attributes; for many rows, where
    the table is slower, the model forecasts itself.

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

    model: Any
    baseline: float
    depth: int
    roots: Ints
    features: Ints
    thresholds: Floats
    takes_gaps: npt.NDArray[np.bool_]
    ways: Ints
    values: Floats

    @classmethod
    def of(cls, model: Any) -> BoostedTrees:
        """Read the trees of a fitted model."""
        trees = [predictor.nodes for (predictor,) in model._predictors]
        nodes = np.concatenate(trees)
        starts = np.cumsum([0, *map(len, trees)])
        is_leaf, own = nodes["is_leaf"].astype(bool), np.arange(len(nodes))
        first = np.repeat(starts[:-1], np.diff(starts))
        ways = [np.where(is_leaf, own, first + nodes[side]) for side in ("right", "left")]
        return cls(
            model=model,
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
        """Forecast, to the last digit as the model does, shape (q,)."""
        if len(features) >= _FEWEST_FOR_PREDICT:
            with _threads_for(len(features)):
                return np.asarray(self.model.predict(features))
        rows = np.ascontiguousarray(features, dtype=np.float64)
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


def _threads_for(n_rows: int) -> AbstractContextManager[Any]:
    """Let boosted trees use one thread for few rows.

    Threads wait for each other at every leaf that is learned and after every tree that forecasts: on a busy
    machine of two cores 100 rows took 1.3 ms with one thread, and 117 ms with two.
    """
    limit: AbstractContextManager[Any] = _openmp().limit(
        limits=1 if n_rows < _FEWEST_TO_SHARE else None, user_api="openmp"
    )
    return limit


@cache
def _openmp() -> ThreadpoolController:
    """Find the libraries of threads once, scikit-learn's loaded: that takes longer than to forecast."""
    import sklearn.ensemble  # noqa: F401

    return ThreadpoolController()


def fit_head(
    features: Floats,
    vectors: Vectors,
    targets: Floats,
    folds: Ints,
    residuals_of: Callable[[Floats], Floats],
    random_state: int,
) -> Head:
    """Fit the models, and calibrate their uncertainty on out-of-fold forecasts.

    Parameters
    ----------
    features, vectors, targets, folds
        Shapes (n, p), (n, d), (n,), (n,); whole folds are held out together, as what is unseen
        together must be.
    residuals_of
        From forecasts (n,) to transformed residuals (n, horizon).
    """
    with _threads_for(len(targets)):
        return _fit_head(features, vectors, targets, folds, residuals_of, random_state)


def _fit_head(
    features: Floats,
    vectors: Vectors,
    targets: Floats,
    folds: Ints,
    residuals_of: Callable[[Floats], Floats],
    random_state: int,
) -> Head:
    parts = folds % min(_N_CROSS, int(folds.max()) + 1)
    level = _cross_fit(lambda: _boosted(len(targets), random_state), features, targets, parts)
    networks = None
    if len(targets) >= _FEWEST_FOR_NETWORKS:
        networks, held_out = fit_network_head(features, vectors, targets, folds, random_state)
        level = (level + held_out) / 2.0
    errors = np.abs(targets - level)
    beside = np.column_stack([features, level])
    scale = np.maximum(
        _cross_fit(lambda: _scale(len(targets), random_state), beside, errors, parts), _LEAST_SCALE
    )
    models = (_boosted(len(targets), random_state), _randomised(len(targets), random_state))
    # All cores for learning only: one thread forecasts the same to the last digit, and starts at once.
    with parallel_config(n_jobs=-1):
        fitted = tuple(model.fit(features, targets) for model in models)
    return Head(
        models=fitted,
        scale=_scale(len(targets), random_state).fit(beside, errors),
        calibration=calibrate(level, residuals_of(level) / scale[:, None]),
        networks=networks,
        error=float(np.square(targets - level).mean()),
    )


def _cross_fit(make: Callable[[], Any], features: Floats, targets: Floats, parts: Ints) -> Floats:
    """Forecast each part with a model fitted on the others, shape (n,)."""
    forecast = np.empty(len(targets))
    for part in np.unique(parts):
        held = parts == part
        forecast[held] = make().fit(features[~held], targets[~held]).predict(features[held])
    return forecast


def _boosted(n_rows: int, random_state: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(
        learning_rate=0.08,
        max_iter=150,
        max_leaf_nodes=int(np.clip(n_rows // 400, 6, 31)),
        min_samples_leaf=_leaf(n_rows, 20),
        l2_regularization=1.0,
        max_features=0.5,
        early_stopping=False,
        random_state=random_state,
    )


def _randomised(n_rows: int, random_state: int) -> Any:
    """Extremely randomised trees (Geurts et al. 2006), smooth where boosting is sharp."""
    from sklearn.ensemble import ExtraTreesRegressor

    return ExtraTreesRegressor(
        n_estimators=80,
        min_samples_leaf=_leaf(n_rows, 5),
        max_features=0.3,
        random_state=random_state,
    )


def _scale(n_rows: int, random_state: int) -> Any:
    """Boosted trees for the absolute error."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(
        loss="absolute_error",
        learning_rate=0.1,
        max_iter=40,
        max_leaf_nodes=12,
        min_samples_leaf=_leaf(n_rows, 100),
        early_stopping=False,
        random_state=random_state,
    )


def _leaf(n_rows: int, most: int) -> int:
    """Items in a leaf: fewer where there are few in all."""
    return int(np.clip(n_rows // 50, 1, most))
