"""``zeroshot evaluate``: how good the predictions are, by the protocols of `zeroshot_core.evaluation`."""

from __future__ import annotations

from typing import Annotated

import typer

from zeroshot_core.cli.classification import classification
from zeroshot_core.cli.console import write_json, write_line
from zeroshot_core.cli.metrics import write_metrics
from zeroshot_core.cli.novelty import novelty
from zeroshot_core.cli.rare_disease import rare_disease

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Measure predictions for new things against baselines.")
app.command("rare-disease")(rare_disease)
app.command("novelty")(novelty)
app.command("classification")(classification)


@app.callback()
def _evaluate() -> None:
    """Measure predictions for new things against baselines."""


def _known_split(name: str) -> str:
    from zeroshot_core.evaluation import SPLITS

    if name not in SPLITS:
        raise typer.BadParameter(f"expected one of {', '.join(SPLITS)}, got {name!r}")
    return name


@app.command("demand")
def demand(
    split: Annotated[
        str,
        typer.Option(callback=_known_split, help="What is new: lines, launch, types, categories, makers."),
    ] = "lines",
    seed: Annotated[int, typer.Option(min=0, help="Of the split and of the regressor.")] = 0,
    tune: Annotated[
        str,
        typer.Option(help="Fit over a tuned encoder too: head, full, lora, joint."),
    ] = "none",
    budget_s: Annotated[
        float | None, typer.Option("--budget-s", min=1, help="Seconds for tuning; no bound without it.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Forecast a year's demand of product lines held out of a grocer's sales."""
    from zeroshot_core.evaluation import evaluate_demand

    report = evaluate_demand(split, seed, tune=tune, budget_s=budget_s, show_progress=True)
    if json:
        write_json(report.to_dict())
        return
    write_metrics(report)
    write_line(f"{report.n_train:,} known lines, {report.n_test:,} new ones; {report.seconds:.0f} s")
