"""``zeroshot demo``: from a year of sales to the demand of products that were never sold."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zeroshot_core.cli.cells import because, interval_in_words, nearest, shortened, value_in_words
from zeroshot_core.cli.columns import TableColumns
from zeroshot_core.cli.console import Phases, write_line, write_table
from zeroshot_core.cli.fit import local_index
from zeroshot_core.cli.metrics import write_metrics

if TYPE_CHECKING:
    from zeroshot_core.encoders import Encoder
    from zeroshot_core.evaluation import DemandReport
    from zeroshot_core.evaluation.demand import RegressorFactory
    from zeroshot_core.graph import KnowledgeGraph
    from zeroshot_core.prediction import ZeroShotRegressor

__all__ = ["demo"]

_N_PHASES = 6
_N_SHOWN = 6


def demo(
    out: Annotated[Path, typer.Option(help="HTML report to write.")] = Path("report.html"),
    seed: Annotated[int, typer.Option(min=0, help="Draws the product types that are held out.")] = 0,
    model: Annotated[Path | None, typer.Option(help="Folder to keep the model in.")] = None,
) -> None:
    """Learn from a year of a grocer's sales and forecast product types that it never sold."""
    with Phases(_N_PHASES) as phases:
        report = _evaluate(phases, seed, None if model is None else local_index(model))
        phases.begin("draw the report")
        _draw(report, out)
        rows = _examples(report)
        if model is not None:
            _keep(report.model, model)
    heads = ("new product", "forecast", "90% interval", "truth", "nearest known", "because")
    write_table("Products of types never sold before", heads, rows, numbers=(1, 2, 3))
    write_metrics(report)
    write_line(f"report: {out}" + ("" if model is None else f"; model: {model}"))


def _evaluate(phases: Phases, seed: int, index: str | None) -> DemandReport:
    from zeroshot_core.datasets import load_product_lines
    from zeroshot_core.encoders import load_encoder
    from zeroshot_core.encoders.wrappers import RememberingEncoder
    from zeroshot_core.evaluation import evaluate_demand

    phases.begin("load a year of sales")
    lines = load_product_lines()
    encoder = RememberingEncoder(load_encoder())
    phases.begin("read the descriptions", draws_bars=True)
    encoder.encode([item.content for item in lines.items], show_progress=True)
    phases.begin("forecast with the baselines")
    make = _narrating_factory(phases, seed, index)
    return evaluate_demand("types", seed, encoder=encoder, regressor=make, lines=lines)


def _narrating_factory(phases: Phases, seed: int, index: str | None) -> RegressorFactory:
    """Begin a phase for each regressor that the evaluation asks for."""
    from zeroshot_core.prediction import ZeroShotRegressor

    def make(encoder: Encoder, graph: KnowledgeGraph | None) -> ZeroShotRegressor:
        name = "learn and forecast" if graph is not None else "the same without the graph"
        phases.begin(name, draws_bars=True)
        own = None if graph is None else index
        return ZeroShotRegressor(encoder, graph, index=own, random_state=seed, show_progress=True)

    return make


def _draw(report: DemandReport, out: Path) -> None:
    from zeroshot_core.evaluation.illustration import illustrate
    from zeroshot_core.report import write_report

    _quieten(report.model)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_report(out, illustrate(report))


def _examples(report: DemandReport) -> list[tuple[str, ...]]:
    """Explain new products spread over the range of what was sold, each of another type."""
    import numpy as np

    order = np.argsort(report.truth, kind="stable")
    places = np.linspace(0.2, 0.98, _N_SHOWN) * (len(order) - 1)
    rows = [int(order[int(place)]) for place in places]
    predictions = report.model.explain([report.items[row] for row in rows])
    return [
        (
            shortened(report.items[row].text or ""),
            value_in_words(prediction.value),
            interval_in_words(prediction),
            value_in_words(float(report.truth[row])),
            nearest(prediction),
            because(prediction),
        )
        for row, prediction in zip(rows, predictions, strict=True)
    ]


def _quieten(model: Any) -> None:
    """Draw no bars any more: the small calls that follow would flicker."""
    model.set_params(show_progress=False)


def _keep(model: Any, folder: Path) -> None:
    from zeroshot_core.datasets.complete_journey import ATTRIBUTES

    columns = TableColumns(text="description", targets=("units",), concepts=ATTRIBUTES)
    model.save(folder, overwrite=True, extra=columns.to_extra())
