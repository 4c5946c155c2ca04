"""How well demand is forecast for products that never sold: against baselines, and without the graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

from zeroshot_core.datasets import ProductLines, load_product_lines
from zeroshot_core.encoders.wrappers import RememberingEncoder
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.estimators.encoder_tuning import Tuning
from zeroshot_core.evaluation import metrics
from zeroshot_core.evaluation.baselines import BASELINES, Forecast, LineFeatures
from zeroshot_core.evaluation.splits import Split, split_product_lines
from zeroshot_core.evaluation.trials import (
    Regressor,
    RegressorFactory,
    Scores,
    Trial,
    TunedScores,
    default_regressor,
    log_error_difference,
    score,
    tuned_scores,
)
from zeroshot_core.graph import KnowledgeGraph, table_concepts
from zeroshot_core.types import Item

if TYPE_CHECKING:
    from zeroshot_core.encoders.base import Encoder
    from zeroshot_core.types import Floats

__all__ = ["DemandReport", "Regressor", "Scores", "TunedScores", "evaluate_demand", "linked_items", "score"]


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
    tuned
        The same regressor over a tuned encoder; None where it was not asked for.
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
    tuned: TunedScores | None = None
    model: Regressor = field(repr=False)
    items: tuple[Item, ...] = field(repr=False)
    truth: Floats = field(repr=False)
    forecast: Forecast = field(repr=False)
    known_units: Mapping[str, float] = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Give the figures as plain JSON types."""
        return {
            "split": self.split,
            "seed": self.seed,
            "n_train": self.n_train,
            "n_test": self.n_test,
            **asdict(self.scores),
            "seconds": self.seconds,
            "baselines": {name: asdict(scores) for name, scores in self.baselines.items()},
            "ablation": {"no_graph": asdict(self.no_graph) | _compared(self.difference)},
            **({"tuned": _tuned_figures(self.tuned)} if self.tuned else {}),
            **({"curve_wape": dict(self.curve_wape)} if self.curve_wape else {}),
        }


def evaluate_demand(
    split: str = "lines",
    seed: int = 0,
    *,
    encoder: str | Encoder = "all-MiniLM-L6-v2",
    regressor: RegressorFactory | None = None,
    tune: str = "none",
    budget_s: float | None = None,
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
    tune, budget_s
        As of `ZeroShotRegressor`, which is then fitted once more, over a tuned encoder; ``"none"`` doesn't.
    lines
        The product lines; None loads all of Complete Journey.

    Raises
    ------
    InvalidInputError
        If there is no such split, it leaves no line on one side, or what is given cannot be tuned.
    MissingExtraError
        If the data package is not installed.
    """
    if tune != "none" and regressor is not None:
        raise InvalidInputError(
            f"expected no regressor beside tune={tune!r}, which tunes ZeroShotRegressor; leave one out"
        )
    base = _encoder(encoder)
    Tuning(method=tune, budget_s=budget_s).check_encoder(base)
    lines = load_product_lines() if lines is None else lines
    parts = split_product_lines(lines, split, seed)
    reader = RememberingEncoder(base)
    start = perf_counter()
    reader.encode([item.text for item in lines.items], show_progress=show_progress)
    graph = KnowledgeGraph.from_table(lines.rows, lines.graph_columns, lines.graph_edges)
    make = regressor or default_regressor(seed, show_progress)
    trial = Trial(items=linked_items(lines), parts=parts)
    model, forecast = trial.run(make(reader, graph))
    seconds = perf_counter() - start
    _, no_graph = replace(trial, items=lines.items).run(make(reader, None))
    tuned = None
    if tune != "none":
        tuning = default_regressor(seed, show_progress, tune=tune, budget_s=budget_s)
        # Only a head is trained over vectors; else weights must be within reach.
        tuned = tuned_scores(trial, tuning(reader if tune == "head" else base, graph), tune, forecast, seed)
    truth = parts.target[parts.test]
    return DemandReport(
        split=split,
        seed=seed,
        n_train=len(parts.train),
        n_test=len(parts.test),
        scores=score(truth, forecast),
        seconds=seconds,
        baselines=_baseline_scores(lines, reader, parts),
        no_graph=score(truth, no_graph),
        difference=log_error_difference(truth, forecast, no_graph, seed),
        curve_wape=trial.curve_wape(make(reader, graph), lines.launch_units) if split == "launch" else {},
        tuned=tuned,
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


def _encoder(encoder: str | Encoder) -> Encoder:
    from zeroshot_core.encoders import load_encoder

    return load_encoder(encoder) if isinstance(encoder, str) else encoder


def _baseline_scores(lines: ProductLines, encoder: Encoder, parts: Split) -> dict[str, Scores]:
    vectors = encoder.encode([item.text for item in lines.items])
    features = LineFeatures(rows=lines.rows, vectors=vectors)
    known, new = features.take(parts.train), features.take(parts.test)
    units, truth = parts.target[parts.train], parts.target[parts.test]
    return {name: score(truth, baseline(known, units, new)) for name, baseline in BASELINES.items()}


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
