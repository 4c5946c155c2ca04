"""How well demand is forecast for products that never sold: against baselines, and without the graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from zeroshot_core.datasets import ProductLines, load_product_lines
from zeroshot_core.encoders.remembering import RememberingEncoder
from zeroshot_core.evaluation import metrics
from zeroshot_core.evaluation.baselines import BASELINES, Forecast, LineFeatures
from zeroshot_core.evaluation.splits import Split, split_product_lines
from zeroshot_core.graph import KnowledgeGraph, table_concepts
from zeroshot_core.types import Item, Prediction

if TYPE_CHECKING:
    from zeroshot_core.encoders.base import Encoder
    from zeroshot_core.types import Floats, Vectors

__all__ = ["DemandReport", "Regressor", "Scores", "evaluate_demand", "linked_items", "score"]


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
class DemandReport:
    """What an evaluation found.

    Parameters
    ----------
    seconds
        Encoding all texts, indexing, fitting and forecasting, with the graph.
    difference
        Squared log error with the graph minus without it; below 0 means that the graph helps.
    curve_wape
        For ``launch`` alone: WAPE over all lines and weeks of the eight-week curve, and that of the mean
        launch curve.
    model, items, truth, forecast
        The fitted regressor, the new lines, what they sold, and what was forecast, for plots.
    known_units
        What the known lines sold, by item id.
    """

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
    model: Regressor = field(repr=False)
    items: tuple[Item, ...] = field(repr=False)
    truth: Floats = field(repr=False)
    forecast: Forecast = field(repr=False)
    known_units: Mapping[str, float] = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Give the figures as plain JSON types."""
        difference = self.difference
        ablation = {"difference": difference.mean, "interval": [difference.low, difference.high]}
        return {
            "split": self.split,
            "seed": self.seed,
            "n_train": self.n_train,
            "n_test": self.n_test,
            **asdict(self.scores),
            "seconds": self.seconds,
            "baselines": {name: asdict(scores) for name, scores in self.baselines.items()},
            "ablation": {"no_graph": asdict(self.no_graph) | ablation},
            **({"curve_wape": dict(self.curve_wape)} if self.curve_wape else {}),
        }


def evaluate_demand(
    split: str = "lines",
    seed: int = 0,
    *,
    encoder: str | Encoder = "all-MiniLM-L6-v2",
    regressor: RegressorFactory | None = None,
    lines: ProductLines | None = None,
    show_progress: bool = False,
) -> DemandReport:
    """Fit on known product lines, forecast the new ones, and compare with baselines and with no graph.

    Parameters
    ----------
    split
        One of `splits.SPLITS`.
    seed
        Of the split and of the regressor.
    encoder
        What reads the texts: a name for `load_encoder`, or an encoder.
    regressor
        Makes the regressor from encoder and graph; None is `ZeroShotRegressor` with its defaults.
    lines
        The product lines; None loads all of Complete Journey.

    Raises
    ------
    InvalidInputError
        If there is no such split, or it leaves no line on one side.
    MissingExtraError
        If the data package is not installed.
    """
    lines = load_product_lines() if lines is None else lines
    parts = split_product_lines(lines, split, seed)
    reader = RememberingEncoder(_encoder(encoder))
    start = perf_counter()
    vectors = reader.encode([item.text for item in lines.items], show_progress=show_progress)
    encoding_seconds = perf_counter() - start
    baselines = _baseline_scores(lines, vectors, parts)
    graph = KnowledgeGraph.from_table(lines.rows, lines.graph_columns, lines.graph_edges)
    make = regressor or _default_regressor(seed, show_progress)
    trial = _Trial(items=linked_items(lines), parts=parts)
    start = perf_counter()
    model, forecast = trial.run(make(reader, graph))
    seconds = encoding_seconds + perf_counter() - start
    _, no_graph = replace(trial, items=lines.items).run(make(reader, None))
    truth = parts.target[parts.test]
    return DemandReport(
        split=split,
        seed=seed,
        n_train=len(parts.train),
        n_test=len(parts.test),
        scores=score(truth, forecast),
        seconds=seconds,
        baselines=baselines,
        no_graph=score(truth, no_graph),
        difference=_log_error_difference(truth, forecast, no_graph, seed),
        curve_wape=trial.curve_wape(make(reader, graph), lines.launch_units) if split == "launch" else {},
        model=model,
        items=trial.new_items,
        truth=truth,
        forecast=forecast,
        known_units={lines.items[i].id: float(parts.target[i]) for i in parts.train},
    )


def linked_items(lines: ProductLines) -> tuple[Item, ...]:
    """Link every line's item to the concepts of its attributes."""
    concepts = table_concepts(lines.rows, lines.graph_columns)
    return tuple(replace(item, concepts=ids) for item, ids in zip(lines.items, concepts, strict=True))


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
class _Trial:
    """Items and the split that says which of them are known."""

    items: tuple[Item, ...]
    parts: Split

    @property
    def known_items(self) -> tuple[Item, ...]:
        return tuple(self.items[i] for i in self.parts.train)

    @property
    def new_items(self) -> tuple[Item, ...]:
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


def _encoder(encoder: str | Encoder) -> Encoder:
    from zeroshot_core.encoders import load_encoder

    return load_encoder(encoder) if isinstance(encoder, str) else encoder


def _default_regressor(seed: int, show_progress: bool) -> RegressorFactory:
    from zeroshot_core.prediction import ZeroShotRegressor

    return lambda encoder, graph: ZeroShotRegressor(
        encoder, graph, random_state=seed, show_progress=show_progress
    )


def _baseline_scores(lines: ProductLines, vectors: Vectors, parts: Split) -> dict[str, Scores]:
    features = LineFeatures(rows=lines.rows, vectors=vectors)
    known, new = features.take(parts.train), features.take(parts.test)
    units, truth = parts.target[parts.train], parts.target[parts.test]
    return {name: score(truth, baseline(known, units, new)) for name, baseline in BASELINES.items()}


def _log_error_difference(
    truth: Floats, forecast: Forecast, other: Forecast, seed: int
) -> metrics.PairedDifference:
    ours, theirs = (metrics.squared_log_errors(truth, each.mean) for each in (forecast, other))
    return metrics.paired_bootstrap(ours, theirs, seed=seed)
