"""``zeroshot demo``: from a year of sales to the demand of products that were never sold."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zeroshot_core.cli.cells import because, interval_in_words, nearest, shortened, value_in_words
from zeroshot_core.cli.console import Phases, note, shows_progress, write_line, write_table
from zeroshot_core.cli.fit import local_index
from zeroshot_core.cli.metrics import write_metrics

if TYPE_CHECKING:
    from zeroshot_core.encoders import Encoder
    from zeroshot_core.evaluation import DemandReport
    from zeroshot_core.evaluation.demand import RegressorFactory
    from zeroshot_core.graph import KnowledgeGraph
    from zeroshot_core.prediction import ZeroShotRegressor
    from zeroshot_core.report import Example, ReportData

__all__ = ["demo"]

_HEADS = ("new product", "forecast", "90% interval", "truth", "nearest known", "because")
_N_SHOWN = 6
# Of the processor: what runs on one core alone, and what is shared out.
_MINUTES_ALONE, _MINUTES_SHARED = 1.0, 5.1


def demo(
    out: Annotated[Path, typer.Option(help="HTML report to write.")] = Path("report.html"),
    seed: Annotated[int, typer.Option(min=0, help="Draws the product types that are held out.")] = 0,
    model: Annotated[Path | None, typer.Option(help="Folder to keep the model in.")] = None,
) -> None:
    """Learn from a year of a grocer's sales and forecast product types that it never sold."""
    from zeroshot_core.evaluation.demand import STAGES

    note(f"This takes about {_minutes()} on this machine; most of it reads 26,041 descriptions and learns.")
    with Phases(3 + len(STAGES)) as phases:
        report = _evaluate(phases, seed, None if model is None else local_index(model))
        phases.begin("explain, and draw the report")
        data = _draw(report, out)
        if model is not None:
            _keep(report.model, model)
    # From one that sold much to one that sold little.
    places = [round(step / _N_SHOWN * (len(data.forecasts) - 1)) for step in range(_N_SHOWN)]
    rows = [_row(data.forecasts[place]) for place in places]
    write_table("Products of types never sold before", _HEADS, rows, numbers=(1, 2, 3))
    write_metrics(report)
    write_line(f"report: {out}" + ("" if model is None else f"; model: {model}"))


def _minutes() -> str:
    """Say how long it takes with the cores that there are; more than four are hardly of use."""
    return f"{_MINUTES_ALONE + _MINUTES_SHARED / min(4, os.cpu_count() or 1):.0f} minutes"


def _evaluate(phases: Phases, seed: int, index: str | None) -> DemandReport:
    from zeroshot_core.datasets import load_product_lines
    from zeroshot_core.encoders import load_encoder
    from zeroshot_core.encoders.wrappers import RememberingEncoder
    from zeroshot_core.evaluation import evaluate_demand
    from zeroshot_core.evaluation.demand import STAGES

    phases.begin("load a year of sales")
    lines = load_product_lines()
    encoder = RememberingEncoder(load_encoder())
    phases.begin("read the descriptions", draws_bars=True)
    encoder.encode([item.content for item in lines.items], show_progress=shows_progress())
    return evaluate_demand(
        "types",
        seed,
        encoder=encoder,
        regressor=_factory(seed, index),
        lines=lines,
        on_stage=lambda stage: phases.begin(stage, draws_bars=stage != STAGES[-1]),
    )


def _factory(seed: int, index: str | None) -> RegressorFactory:
    """Make regressors that draw bars; the one with the graph keeps its index."""
    from zeroshot_core.prediction import ZeroShotRegressor

    def make(encoder: Encoder, graph: KnowledgeGraph | None) -> ZeroShotRegressor:
        own = None if graph is None else index
        return ZeroShotRegressor(encoder, graph, index=own, random_state=seed, show_progress=shows_progress())

    return make


def _draw(report: DemandReport, out: Path) -> ReportData:
    from zeroshot_core.evaluation.illustration import illustrate
    from zeroshot_core.report import write_report

    _quieten(report.model)
    out.parent.mkdir(parents=True, exist_ok=True)
    data = illustrate(report)
    write_report(out, data)
    return data


def _row(example: Example) -> tuple[str, ...]:
    """Write a forecast of the report as a row for the terminal."""
    prediction = example.prediction
    return (
        shortened(example.text),
        value_in_words(prediction.value),
        interval_in_words(prediction),
        value_in_words(example.truth),
        nearest(prediction),
        because(prediction),
    )


def _quieten(model: Any) -> None:
    """Draw no bars any more: the small calls that follow would flicker."""
    model.set_params(show_progress=False)


def _keep(model: Any, folder: Path) -> None:
    from zeroshot_core.datasets.complete_journey import ATTRIBUTES

    columns = {"text": "description", "targets": ["units"], "concepts": list(ATTRIBUTES)}
    model.save(folder, overwrite=True, extra=columns)
