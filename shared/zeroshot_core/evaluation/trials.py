"""One fit of a regressor on known items, its forecasts of new ones, and their scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from zeroshot_core.evaluation import metrics
from zeroshot_core.evaluation.baselines import Forecast
from zeroshot_core.evaluation.splits import Split
from zeroshot_core.types import Item, Prediction

if TYPE_CHECKING:
    from zeroshot_core.encoders.base import Encoder
    from zeroshot_core.graph import KnowledgeGraph
    from zeroshot_core.types import Floats

__all__ = [
    "Regressor",
    "RegressorFactory",
    "Scores",
    "Trial",
    "TunedScores",
    "default_regressor",
    "log_error_difference",
    "score",
    "tuned_scores",
]


class Regressor(Protocol):
    """The part of `ZeroShotRegressor` that an evaluation uses."""

    def fit(self, X: Sequence[Item], y: Floats, groups: Sequence[str] | None = None) -> Any:
        """Learn targets of shape (n,) or (n, horizon)."""
        ...

    def predict(self, X: Sequence[Item]) -> Floats:
        """Forecast, in the shape of the targets."""
        ...

    def predict_interval(self, X: Sequence[Item], coverage: float = 0.9) -> Floats:
        """Give lower and upper ends, shape (n, 2) for targets of shape (n,)."""
        ...

    def predict_quantile(self, X: Sequence[Item], q: float) -> Floats:
        """Give one quantile, shape (n,) for targets of shape (n,)."""
        ...

    def explain(self, X: Sequence[Item]) -> list[Prediction]:
        """Forecast with evidence."""
        ...


RegressorFactory: TypeAlias = "Callable[[Encoder, KnowledgeGraph | None], Regressor]"


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Metrics of one forecast; see `metrics` for the formulas. `pinball_90` and `width_90` are in units."""

    rmsle: float
    wape: float
    spearman: float
    pinball_90: float
    coverage_90: float
    width_90: float
    bias: float
    top_decile_lift: float


@dataclass(frozen=True, kw_only=True)
class TunedScores:
    """What tuning the encoder changes, on the same lines.

    Parameters
    ----------
    tune
        How, as of `ZeroShotRegressor`.
    verdict
        Whether what was tuned is kept, and why.
    seconds
        Tuning, indexing, fitting and forecasting.
    difference
        Squared log error with the tuned encoder minus with the frozen one; below 0 means that tuning helps.
    """

    tune: str
    verdict: str
    scores: Scores
    seconds: float
    difference: metrics.PairedDifference


def score(truth: Floats, forecast: Forecast) -> Scores:
    """Compute every metric of a forecast, shapes as in `Forecast`."""
    return Scores(
        rmsle=metrics.rmsle(truth, forecast.mean),
        wape=metrics.wape(truth, forecast.mean),
        spearman=metrics.spearman(truth, forecast.mean),
        pinball_90=metrics.pinball(truth, forecast.quantile_90, 0.9),
        coverage_90=metrics.coverage(truth, forecast.interval),
        width_90=metrics.interval_width(forecast.interval),
        bias=metrics.bias(truth, forecast.mean),
        top_decile_lift=metrics.top_decile_lift(truth, forecast.mean),
    )


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Items and the split that says which of them are known."""

    items: tuple[Item, ...]
    parts: Split

    @property
    def known_items(self) -> tuple[Item, ...]:
        """Items to learn from."""
        return tuple(self.items[i] for i in self.parts.train)

    @property
    def new_items(self) -> tuple[Item, ...]:
        """Items to forecast."""
        return tuple(self.items[i] for i in self.parts.test)

    def run(self, model: Regressor) -> tuple[Regressor, Forecast]:
        """Fit on the known items and forecast the new ones; units sold are never below 0."""
        new = self.new_items
        model.fit(self.known_items, self.parts.target[self.parts.train], groups=self.parts.groups)
        return model, Forecast(
            mean=np.maximum(model.predict(new), 0),
            quantile_90=np.maximum(model.predict_quantile(new, 0.9), 0),
            interval=np.maximum(model.predict_interval(new, coverage=0.9), 0),
        )

    def curve_wape(self, model: Regressor, curves: Floats) -> dict[str, float]:
        """Fit the curves, shape (n, horizon), instead of their sums, and compare with their mean."""
        known, truth = curves[self.parts.train], curves[self.parts.test]
        forecast = model.fit(self.known_items, known, groups=self.parts.groups).predict(self.new_items)
        mean_curve = np.broadcast_to(known.mean(axis=0), truth.shape)
        return {
            "model": metrics.wape(truth.ravel(), forecast.ravel()),
            "mean_curve": metrics.wape(truth.ravel(), mean_curve.ravel()),
        }


def default_regressor(seed: int, show_progress: bool, **settings: Any) -> RegressorFactory:
    """Make `ZeroShotRegressor` with its defaults, but for some settings."""
    from zeroshot_core.prediction import ZeroShotRegressor

    return lambda encoder, graph: ZeroShotRegressor(
        encoder, graph, random_state=seed, show_progress=show_progress, **settings
    )


def tuned_scores(trial: Trial, model: Regressor, tune: str, frozen: Forecast, seed: int) -> TunedScores:
    """Fit a regressor over a tuned encoder, and compare it with the forecast over the frozen one."""
    start = perf_counter()
    _, forecast = trial.run(model)
    truth = trial.parts.target[trial.parts.test]
    fitted: Any = model
    return TunedScores(
        tune=tune,
        verdict=fitted.tuning_.verdict,
        scores=score(truth, forecast),
        seconds=perf_counter() - start,
        difference=log_error_difference(truth, forecast, frozen, seed),
    )


def log_error_difference(
    truth: Floats, forecast: Forecast, other: Forecast, seed: int
) -> metrics.PairedDifference:
    """Compare the squared log errors of a forecast with those of another one."""
    ours, theirs = (metrics.squared_log_errors(truth, each.mean) for each in (forecast, other))
    return metrics.paired_bootstrap(ours, theirs, seed=seed)
