"""The head: a small model from evidence to a target, with its uncertainty."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from joblib import parallel_config
from threadpoolctl import ThreadpoolController

from zeroshot_core.checks import real, whole
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.estimators.calibration import ConformalCalibration, calibrate
from zeroshot_core.estimators.trees import FEWEST_TO_SHARE, Forest
from zeroshot_core.regression.network import NetworkHead, fit_network_head
from zeroshot_core.training.perceptrons import N_EPOCHS

if TYPE_CHECKING:
    from zeroshot_core.estimators.model_state import ModelState
    from zeroshot_core.types import Floats, Ints, Vectors

__all__ = ["Head", "OutOfFold", "fit_head", "n_steps"]

_N_CROSS = 3
_N_CROSS_OF_FEW = 10
_LEAST_SCALE = 0.05
# Of fewer rows networks learn less than trees do.
_FEWEST_FOR_NETWORKS = 5000
# From so many rows on, and without networks, trees learn in smaller steps and to smaller leaves; of fewer
# rows they would learn noise.
_FEWEST_FOR_SMALL_STEPS = 1000


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

    models: tuple[Forest, ...]
    scale: Forest
    calibration: ConformalCalibration
    networks: NetworkHead | None = None
    error: float

    def arrays(self, place: int) -> dict[str, Any]:
        """Give the parts to be saved, by name and the number of the head."""
        arrays = self.calibration.arrays(place) | self.scale.arrays(f"scale-{place}")
        for number, model in enumerate(self.models):
            arrays |= model.arrays(f"head-{place}-{number}")
        return arrays if self.networks is None else arrays | self.networks.arrays(place)

    @classmethod
    def restored(
        cls, state: ModelState, place: int, n_models: int, error: float, horizon: int, dimension: int
    ) -> Head:
        """Put together again what `arrays` took apart.

        Raises
        ------
        InvalidInputError
            If a part is missing, or they do not fit each other.
        """
        whole("n_models", n_models, least=1)
        models = tuple(Forest.restored(state, f"head-{place}-{number}") for number in range(n_models))
        scale, n_features = Forest.restored(state, f"scale-{place}"), models[0].n_features
        if {model.n_features for model in models} != {n_features} or scale.n_features != n_features + 1:
            raise InvalidInputError(f"expected trees of head {place} over the same features, got others")
        return cls(
            models=models,
            scale=scale,
            calibration=ConformalCalibration.restored(state, place, horizon),
            networks=NetworkHead.restored(state, place, n_features, dimension),
            error=real("errors", error, least=0),
        )

    def level(self, features: Floats, vectors: Vectors) -> Floats:
        """Forecast of the transformed target, shape (q,)."""
        trees = np.asarray(np.mean([model.predict(features) for model in self.models], axis=0))
        if self.networks is None:
            return trees
        return (trees + self.networks.level(features, vectors)) / 2.0

    def spread(self, features: Floats, level: Floats) -> Floats:
        """Forecast the absolute error, shape (q,)."""
        errors = self.scale.predict(np.column_stack([features, level]))
        return np.asarray(np.maximum(errors, _LEAST_SCALE))


@dataclass(frozen=True, kw_only=True)
class OutOfFold:
    """Forecasts of training items as if they were new, shape (n,): levels, and the scales of their errors."""

    levels: Floats
    scales: Floats


def _threads_for(n_rows: int) -> AbstractContextManager[Any]:
    """Let boosted trees use one thread for few rows: threads wait for each other at every leaf they learn."""
    limit: AbstractContextManager[Any] = _openmp().limit(
        limits=1 if n_rows < FEWEST_TO_SHARE else None, user_api="openmp"
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
    on_step: Callable[[], object] = lambda: None,
    groups: Ints | None = None,
) -> tuple[Head, OutOfFold]:
    """Fit the models, and calibrate their uncertainty on out-of-fold forecasts.

    Parameters
    ----------
    features, vectors, targets, folds
        Shapes (n, p), (n, d), (n,), (n,); whole folds are held out together, as what is unseen
        together must be.
    residuals_of
        From forecasts (n,) to transformed residuals (n, horizon).
    on_step
        Called as often as `n_steps` says, or less often where there are few folds.
    groups
        Shape (n,), where some few groups will be new as a whole: what `calibrate` counts alike.
    """
    with _threads_for(len(targets)):
        return _fit_head(features, vectors, targets, folds, residuals_of, random_state, on_step, groups)


def n_steps(n_rows: int, *, of_few_groups: bool = False) -> int:
    """How many models, and epochs of networks, make up a head of so many rows."""
    n_cross_fitted = 3 if _takes_small_steps(n_rows) else 2
    n_parts = _N_CROSS_OF_FEW if of_few_groups else _N_CROSS
    return n_cross_fitted * n_parts + 1 + (N_EPOCHS if n_rows >= _FEWEST_FOR_NETWORKS else 0)


def _takes_small_steps(n_rows: int) -> bool:
    return _FEWEST_FOR_SMALL_STEPS <= n_rows < _FEWEST_FOR_NETWORKS


def _fit_head(
    features: Floats,
    vectors: Vectors,
    targets: Floats,
    folds: Ints,
    residuals_of: Callable[[Floats], Floats],
    random_state: int,
    on_step: Callable[[], object],
    groups: Ints | None,
) -> tuple[Head, OutOfFold]:
    # To hold a third of few groups out leaves much less to learn from than all of them.
    parts = folds % min(_N_CROSS if groups is None else _N_CROSS_OF_FEW, int(folds.max()) + 1)
    level = _cross_fit(lambda: _boosted(len(targets), random_state), features, targets, parts, on_step)
    if _takes_small_steps(len(targets)):
        beside = _cross_fit(
            lambda: _randomised(len(targets), random_state), features, targets, parts, on_step
        )
        level = (level + beside) / 2.0
    networks = None
    if len(targets) >= _FEWEST_FOR_NETWORKS:
        networks, held_out = fit_network_head(features, vectors, targets, folds, random_state, on_step)
        level = (level + held_out) / 2.0
    errors = np.abs(targets - level)
    beside = np.column_stack([features, level])
    scale = np.maximum(
        _cross_fit(lambda: _scale(len(targets), random_state), beside, errors, parts, on_step), _LEAST_SCALE
    )
    models = (_boosted(len(targets), random_state), _randomised(len(targets), random_state))
    # All cores for learning only: one thread forecasts the same to the last digit, and starts at once.
    with parallel_config(n_jobs=-1):
        fitted = tuple(Forest.of(model.fit(features, targets)) for model in models)
    on_step()
    head = Head(
        models=fitted,
        scale=Forest.of(_scale(len(targets), random_state).fit(beside, errors)),
        calibration=calibrate(level, residuals_of(level) / scale[:, None], groups),
        networks=networks,
        error=float(np.square(targets - level).mean()),
    )
    return head, OutOfFold(levels=level, scales=scale)


def _cross_fit(
    make: Callable[[], Any], features: Floats, targets: Floats, parts: Ints, on_step: Callable[[], object]
) -> Floats:
    """Forecast each part with a model fitted on the others, shape (n,)."""
    forecast = np.empty(len(targets))
    for part in np.unique(parts):
        held = parts == part
        forecast[held] = make().fit(features[~held], targets[~held]).predict(features[held])
        on_step()
    return forecast


def _boosted(n_rows: int, random_state: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor

    is_small = _takes_small_steps(n_rows)
    return HistGradientBoostingRegressor(
        learning_rate=0.05 if is_small else 0.08,
        max_iter=300 if is_small else 150,
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

    is_small = _takes_small_steps(n_rows)
    return ExtraTreesRegressor(
        n_estimators=80,
        min_samples_leaf=_leaf(n_rows, 2 if is_small else 5),
        max_features=0.5 if is_small else 0.3,
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
