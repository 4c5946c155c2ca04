"""How well a number is forecast for new items of a table: against baselines, and without the graph."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from zeroshot_core.checks import choice
from zeroshot_core.datasets import Catalogue, ProductLines, load_furniture, load_product_lines
from zeroshot_core.encoders.wrappers import RememberingEncoder
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.estimators.encoder_tuning import Tuning
from zeroshot_core.evaluation import metrics
from zeroshot_core.evaluation.demand_baselines import (
    BASELINES,
    CATBOOST,
    LEVELS,
    LineFeatures,
    LineForecast,
)
from zeroshot_core.evaluation.splits import AT_RANDOM, SPLITS, Split, split_catalogue, split_product_lines
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.types import Item, Prediction

if TYPE_CHECKING:
    from zeroshot_core.encoders.base import Encoder
    from zeroshot_core.prediction import GroupTotal, ZeroShotRegressor
    from zeroshot_core.types import Floats

__all__ = [
    "DATA_SETS",
    "STAGES",
    "DemandReport",
    "Regressor",
    "RegressorFactory",
    "Scores",
    "TunedScores",
    "evaluate_catalogue",
    "evaluate_demand",
    "linked_items",
    "score",
]


class Regressor(Protocol):
    """The part of `ZeroShotRegressor` that an evaluation uses."""

    def fit(self, X: Sequence[Item], y: Floats, groups: Sequence[str] | None = None) -> Any:
        """Learn targets of shape (n,) or (n, horizon)."""
        ...

    def predict(self, X: Sequence[Item], *, statistic: str = "expectation") -> Floats:
        """Forecast, in the shape of the targets; ``"geometric"`` is the mean of ``log(1 + y)``, back."""
        ...

    def predict_interval(self, X: Sequence[Item], coverage: float = 0.9) -> Floats:
        """Give lower and upper ends, shape (n, 2) for targets of shape (n,)."""
        ...

    def predict_total(
        self, X: Sequence[Item], by: Sequence[Hashable], coverage: float = 0.9
    ) -> list[GroupTotal]:
        """Sum expectations by group, with intervals."""
        ...

    def explain(
        self,
        X: Sequence[Item],
        *,
        statistic: str = "expectation",
        coverage: float = 0.9,
        quantiles: Sequence[float] = (),
        evidence: bool = True,
        contributions: bool = False,
    ) -> list[Prediction]:
        """Forecast with interval and quantiles, and if asked with evidence and what moved it."""
        ...


DATA_SETS: Mapping[str, tuple[str, ...]] = {
    "complete-journey": SPLITS,
    "furniture": (AT_RANDOM, "category", "name"),
}
"""Names of the data sets with those of their splits."""
STAGES = ("learn and forecast", "the same without the graph", "forecast with the baselines")
"""What an evaluation does, one after the other."""
_NOMINAL = 0.9
RegressorFactory: TypeAlias = "Callable[[Encoder, KnowledgeGraph | None], Regressor]"


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Metrics of one forecast; see `metrics` for the formulas.

    RMSLE, WAPE, Spearman, bias and lift are those of the mean on the scale of log1p; `rmse` and
    `total_ratio`, the sum of the forecasts over that of the targets, those of the expectation. `pinball_90`,
    `width_90`, `interval_score_90`, `crps` and `rmse` are in units.
    """

    rmsle: float
    wape: float
    spearman: float
    pinball_90: float
    coverage_90: float
    width_90: float
    interval_score_90: float
    crps: float
    rmse: float
    total_ratio: float
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


@dataclass(frozen=True, kw_only=True)
class DemandReport:
    """What an evaluation found.

    Parameters
    ----------
    seconds
        Encoding all texts, indexing, fitting and forecasting, with the graph.
    difference
        Squared log error with the graph minus without it; below 0 means that the graph helps.
    curve_wape
        For ``launch`` alone: WAPE over all lines and weeks of the median of the eight-week curve, of the mean
        launch curve scaled to the median of each line's total, and of the mean launch curve as it is.
    curve_wape_by_step
        The same for each week.
    tuned
        The same regressor over a tuned encoder; None where it was not asked for.
    model, items, truth, forecast
        The fitted regressor, the new items, their targets, and what was forecast, for plots.
    known_units
        Targets of the known items, by item id.
    groups
        Labels of the new items, by each column that may be held out.
    """

    data: str
    split: str
    seed: int
    n_train: int
    n_test: int
    scores: Scores
    seconds: float
    baselines: Mapping[str, Scores]
    no_graph: Scores
    difference: metrics.PairedDifference
    curve_wape: Mapping[str, float] = field(default_factory=dict)
    curve_wape_by_step: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    tuned: TunedScores | None = None
    model: Regressor = field(repr=False)
    items: tuple[Item, ...] = field(repr=False)
    truth: Floats = field(repr=False)
    forecast: LineForecast = field(repr=False)
    known_units: Mapping[str, float] = field(repr=False)
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict, repr=False)

    @cached_property
    def total_coverage_90(self) -> Mapping[str, float]:
        """Share of the groups whose sum lies in the 90% interval of `predict_total`, by key of `groups`.

        The model is asked when it is read first.
        """
        found = {}
        for name, labels in self.groups.items():
            totals = self.model.predict_total(self.items, by=labels, coverage=_NOMINAL)
            sums = [self.truth[np.asarray(labels) == total.group].sum() for total in totals]
            held = [t.interval[0] <= y <= t.interval[1] for t, y in zip(totals, sums, strict=True)]
            found[name] = float(np.mean(held))
        return found

    def to_dict(self) -> dict[str, Any]:
        """Give the figures as plain JSON types."""
        return {
            "data": self.data,
            "split": self.split,
            "seed": self.seed,
            "n_train": self.n_train,
            "n_test": self.n_test,
            **asdict(self.scores),
            "seconds": self.seconds,
            "baselines": {name: asdict(scores) for name, scores in self.baselines.items()},
            "ablation": {"no_graph": asdict(self.no_graph) | _compared(self.difference)},
            **({"tuned": _tuned_figures(self.tuned)} if self.tuned else {}),
            **({"total_coverage_90": dict(self.total_coverage_90)} if self.total_coverage_90 else {}),
            **({"curve_wape": dict(self.curve_wape)} if self.curve_wape else {}),
            **({"curve_wape_by_step": dict(self.curve_wape_by_step)} if self.curve_wape_by_step else {}),
        }


def evaluate_demand(
    split: str = AT_RANDOM,
    seed: int = 0,
    *,
    data: str = "complete-journey",
    file: str | Path | None = None,
    encoder: str | Encoder = "all-MiniLM-L6-v2",
    regressor: RegressorFactory | None = None,
    tune: str = "none",
    budget_s: float | None = None,
    lines: ProductLines | None = None,
    with_catboost: bool = False,
    show_progress: bool = False,
    on_stage: Callable[[str], object] = lambda _: None,
) -> DemandReport:
    """Fit on known product lines or articles, forecast the new ones, and compare with baselines and no graph.

    Parameters
    ----------
    split
        One of `splits.SPLITS` for Complete Journey; ``"lines"``, ``"category"`` or ``"name"`` for furniture.
    seed
        Of the split and of the regressor.
    data
        ``"complete-journey"``, a year's units of a grocer, or ``"furniture"``, prices of a furniture shop.
    file
        Of the furniture; see `load_furniture`.
    encoder
        What reads the texts: a name for `load_encoder`, or an encoder.
    regressor
        Makes the regressor from encoder and graph; None is `ZeroShotRegressor` with its defaults.
    tune, budget_s
        As of `ZeroShotRegressor`, which is then fitted once more, over a tuned encoder; ``"none"`` doesn't.
    lines
        The product lines; None loads all of Complete Journey.
    with_catboost
        Whether CatBoost is among the baselines, without and with its text features; it takes minutes.
    on_stage
        Told each of `STAGES` as it begins; without a graph the second is left out.

    Raises
    ------
    InvalidInputError
        If there is no such split, it leaves no line on one side, or what is given cannot be tuned.
    MissingExtraError
        If the data package, or CatBoost where it is wanted, is not installed.
    """
    choice("data", data, DATA_SETS)
    base = _checked_encoder(encoder, regressor, tune, budget_s)
    parts, curves = None, None
    if data == "furniture":
        catalogue = load_furniture(file)
    else:
        lines = load_product_lines() if lines is None else lines
        catalogue, parts = lines.catalogue(), split_product_lines(lines, split, seed)
        curves = lines.launch_units if split == "launch" else None
    return evaluate_catalogue(
        catalogue,
        split,
        seed,
        parts=parts,
        curves=curves,
        encoder=base,
        regressor=regressor,
        tune=tune,
        budget_s=budget_s,
        with_catboost=with_catboost,
        show_progress=show_progress,
        on_stage=on_stage,
    )


def evaluate_catalogue(
    catalogue: Catalogue,
    split: str = AT_RANDOM,
    seed: int = 0,
    *,
    parts: Split | None = None,
    curves: Floats | None = None,
    encoder: str | Encoder = "all-MiniLM-L6-v2",
    regressor: RegressorFactory | None = None,
    tune: str = "none",
    budget_s: float | None = None,
    with_catboost: bool = False,
    show_progress: bool = False,
    on_stage: Callable[[str], object] = lambda _: None,
) -> DemandReport:
    """Fit on a part of any table, forecast the rest, and compare with baselines and no graph.

    Parameters
    ----------
    split
        ``"lines"`` for a fifth of the items at random, or a key of `Catalogue.held_out`, a fifth of whose
        values is new as a whole.
    parts
        A split of one's own, which `split` is the name of.
    curves
        Shape (n, horizon), which are forecast beside their sums; None for none.
    seed, encoder, regressor, tune, budget_s, with_catboost, on_stage
        As of `evaluate_demand`.

    Raises
    ------
    InvalidInputError
        If there is no such split, it leaves no item on one side, or what is given cannot be tuned.
    MissingExtraError
        If CatBoost is wanted and not installed.
    """
    base = _checked_encoder(encoder, regressor, tune, budget_s)
    parts = split_catalogue(catalogue, split, seed) if parts is None else parts
    reader = RememberingEncoder(base)
    start = perf_counter()
    vectors = reader.encode([item.text for item in catalogue.items], show_progress=show_progress)
    graph = catalogue.graph() if catalogue.graph_columns else None
    make = regressor or _default_regressor(seed, show_progress)
    trial = _Trial(items=catalogue.linked_items(), parts=parts)
    on_stage(STAGES[0])
    model, forecast = trial.run(make(reader, graph))
    seconds = perf_counter() - start
    no_graph = forecast
    if graph is not None:
        on_stage(STAGES[1])
        _, no_graph = replace(trial, items=catalogue.items).run(make(reader, None))
    tuned = None
    if tune != "none":
        tuning = _default_regressor(seed, show_progress, tune=tune, budget_s=budget_s)
        # Only a head is trained over vectors; else weights must be within reach.
        tuned = _tuned_scores(trial, tuning(reader if tune == "head" else base, graph), tune, forecast, seed)
    truth = parts.target[parts.test]
    on_stage(STAGES[2])
    weekly = {} if curves is None else _curve_errors(trial, make(reader, graph), curves, model)
    return DemandReport(
        data=catalogue.name,
        split=split,
        seed=seed,
        n_train=len(parts.train),
        n_test=len(parts.test),
        scores=score(truth, forecast),
        seconds=seconds,
        baselines=_baseline_scores(LineFeatures.of(catalogue, vectors), parts, with_catboost),
        no_graph=score(truth, no_graph),
        difference=_log_error_difference(truth, forecast, no_graph, seed),
        groups=trial.new_groups(catalogue),
        tuned=tuned,
        model=model,
        items=trial.new_items,
        truth=truth,
        forecast=forecast,
        known_units={catalogue.items[i].id: float(parts.target[i]) for i in parts.train},
        **weekly,
    )


@dataclass(frozen=True, kw_only=True)
class _Trial:
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

    def new_groups(self, catalogue: Catalogue) -> dict[str, list[str]]:
        """Labels of the new items, by each column that may be held out."""
        return {
            name: [catalogue.rows[row].get(column, "") for row in self.parts.test]
            for name, column in catalogue.held_out.items()
        }

    def run(self, model: Regressor) -> tuple[Regressor, LineForecast]:
        """Fit on the known items and forecast the new ones; units sold are never below 0."""
        new = self.new_items
        model.fit(self.known_items, self.parts.target[self.parts.train], groups=self.parts.groups)
        # One pass for all but the expectation.
        told = model.explain(new, statistic="geometric", coverage=_NOMINAL, quantiles=LEVELS, evidence=False)
        parts: tuple[Any, ...] = (
            [each.value for each in told],
            model.predict(new),
            [each.interval for each in told],
            [[each.quantiles[level] for level in LEVELS] for each in told],
        )
        mean, expectation, interval, quantiles = (np.maximum(np.asarray(part), 0) for part in parts)
        return model, LineForecast(mean=mean, expectation=expectation, interval=interval, quantiles=quantiles)

    def curves(self, model: Regressor, curves: Floats, of_totals: Regressor) -> dict[str, Floats]:
        """Fit the curves, shape (n, horizon), instead of their sums; forecasts of the new items, by name.

        Medians are what absolute errors ask for.
        """
        known = curves[self.parts.train]
        model.fit(self.known_items, known, groups=self.parts.groups)
        mean_curve = known.mean(axis=0)
        totals = of_totals.predict(self.new_items, statistic="median")
        return {
            "model": model.predict(self.new_items, statistic="median"),
            "scaled_mean_curve": totals[:, None] * (mean_curve / mean_curve.sum()),
            "mean_curve": np.tile(mean_curve, (len(totals), 1)),
        }


def _curve_errors(
    trial: _Trial, model: Regressor, curves: Floats, of_totals: Regressor
) -> dict[str, dict[str, Any]]:
    """WAPE of the curves (n, horizon) of the new items by method, as a whole and by step."""
    truth, found = curves[trial.parts.test], trial.curves(model, curves, of_totals)
    return {
        "curve_wape": {name: metrics.wape(truth.ravel(), each.ravel()) for name, each in found.items()},
        "curve_wape_by_step": {
            name: tuple(metrics.wape(*step) for step in zip(truth.T, each.T, strict=True))
            for name, each in found.items()
        },
    }


def linked_items(lines: ProductLines) -> tuple[Item, ...]:
    """Link every line's item to the concepts of its attributes."""
    return lines.catalogue().linked_items()


def _checked_encoder(
    encoder: str | Encoder, regressor: RegressorFactory | None, tune: str, budget_s: float | None
) -> Encoder:
    """Open the encoder, which must allow the tuning that is asked for."""
    from zeroshot_core.encoders import load_encoder

    if tune != "none" and regressor is not None:
        raise InvalidInputError(
            f"expected no regressor beside tune={tune!r}, which tunes ZeroShotRegressor; leave one out"
        )
    base = load_encoder(encoder) if isinstance(encoder, str) else encoder
    Tuning(method=tune, budget_s=budget_s).check_encoder(base)
    return base


def _baseline_scores(features: LineFeatures, parts: Split, with_catboost: bool) -> dict[str, Scores]:
    known, new = features.take(parts.train), features.take(parts.test)
    units, truth = parts.target[parts.train], parts.target[parts.test]
    baselines = {**BASELINES, **(CATBOOST if with_catboost else {})}
    if features.nested is None:
        del baselines["type_mean"]
    return {name: score(truth, baseline(known, units, new)) for name, baseline in baselines.items()}


def score(truth: Floats, forecast: LineForecast) -> Scores:
    """Compute every metric of a forecast, shapes as in `LineForecast`."""
    return Scores(
        rmsle=metrics.rmsle(truth, forecast.mean),
        wape=metrics.wape(truth, forecast.mean),
        spearman=metrics.spearman(truth, forecast.mean),
        pinball_90=metrics.pinball(truth, forecast.quantile_90, 0.9),
        coverage_90=metrics.coverage(truth, forecast.interval),
        width_90=metrics.interval_width(forecast.interval),
        interval_score_90=metrics.interval_score(truth, forecast.interval, _NOMINAL),
        crps=metrics.crps(truth, forecast.quantiles, LEVELS),
        rmse=float(np.sqrt(np.square(forecast.expectation - truth).mean())),
        total_ratio=float(forecast.expectation.sum() / max(truth.sum(), np.finfo(float).tiny)),
        bias=metrics.bias(truth, forecast.mean),
        top_decile_lift=metrics.top_decile_lift(truth, forecast.mean),
    )


def _default_regressor(
    seed: int, show_progress: bool, **settings: Any
) -> Callable[[Encoder, KnowledgeGraph | None], ZeroShotRegressor]:
    """Make `ZeroShotRegressor` with its defaults, but for some settings."""
    from zeroshot_core.prediction import ZeroShotRegressor

    return lambda encoder, graph: ZeroShotRegressor(
        encoder, graph, random_state=seed, show_progress=show_progress, **settings
    )


def _tuned_scores(
    trial: _Trial, model: ZeroShotRegressor, tune: str, frozen: LineForecast, seed: int
) -> TunedScores:
    """Fit a regressor over a tuned encoder, and compare it with the forecast over the frozen one."""
    start = perf_counter()
    _, forecast = trial.run(model)
    truth = trial.parts.target[trial.parts.test]
    return TunedScores(
        tune=tune,
        verdict=model.tuning_.verdict if model.tuning_ else "",
        scores=score(truth, forecast),
        seconds=perf_counter() - start,
        difference=_log_error_difference(truth, forecast, frozen, seed),
    )


def _log_error_difference(
    truth: Floats, forecast: LineForecast, other: LineForecast, seed: int
) -> metrics.PairedDifference:
    """Compare the squared log errors of a forecast with those of another one."""
    ours, theirs = (metrics.squared_log_errors(truth, each.mean) for each in (forecast, other))
    return metrics.paired_bootstrap(ours, theirs, seed=seed)


def _compared(difference: metrics.PairedDifference) -> dict[str, Any]:
    return {"difference": difference.mean, "interval": [difference.low, difference.high]}


def _tuned_figures(tuned: TunedScores) -> dict[str, Any]:
    return {
        "tune": tuned.tune,
        "verdict": tuned.verdict,
        "seconds": tuned.seconds,
        **asdict(tuned.scores),
        **_compared(tuned.difference),
    }
