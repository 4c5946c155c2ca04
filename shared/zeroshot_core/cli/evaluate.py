"""``zeroshot evaluate``: how good the predictions are, by the protocols of `zeroshot_core.evaluation`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zeroshot_core.checks import shown
from zeroshot_core.cli.classification import classification
from zeroshot_core.cli.console import shows_progress, write_json, write_line
from zeroshot_core.cli.evaluate_table import evaluate_table
from zeroshot_core.cli.images import images
from zeroshot_core.cli.languages import languages
from zeroshot_core.cli.metrics import write_metrics
from zeroshot_core.cli.novelty import novelty
from zeroshot_core.cli.rare_disease import rare_disease

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Measure predictions for new things against baselines.")
app.command("rare-disease")(rare_disease)
app.command("novelty")(novelty)
app.command("classification")(classification)
app.command("table")(evaluate_table)
app.command("images")(images)
app.command("languages")(languages)


@app.callback()
def _evaluate() -> None:
    """Measure predictions for new things against baselines."""


@app.command("demand")
def demand(
    data: Annotated[
        str, typer.Option(help="complete-journey (a grocer's units) or furniture (a shop's prices).")
    ] = "complete-journey",
    file: Annotated[
        Path | None, typer.Option(help="The furniture's ikea.csv; else ikea/ikea.csv in $ZEROSHOT_DATA.")
    ] = None,
    split: Annotated[
        str,
        typer.Option(
            help="What is new: lines, launch, types, categories, makers; of furniture lines, category, name."
        ),
    ] = "lines",
    seed: Annotated[int, typer.Option(min=0, help="Of the split and of the regressor.")] = 0,
    catboost: Annotated[
        bool, typer.Option("--catboost", help="Compare with CatBoost too, which takes minutes.")
    ] = False,
    tune: Annotated[
        str,
        typer.Option(help="Fit over a tuned encoder too: head, full, lora, joint."),
    ] = "none",
    budget_s: Annotated[
        float | None, typer.Option("--budget-s", min=1, help="Seconds for tuning; no bound without it.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Forecast the units of product lines, or the prices of articles, that are held out of what is known."""
    from zeroshot_core.evaluation import evaluate_demand

    _check_known(data, split)
    report = evaluate_demand(
        split,
        seed,
        data=data,
        file=file,
        tune=tune,
        budget_s=budget_s,
        with_catboost=catboost,
        show_progress=shows_progress(),
    )
    if json:
        write_json(report.to_dict())
        return
    write_metrics(report)
    write_line(f"{report.n_train:,} known lines, {report.n_test:,} new ones; {report.seconds:.0f} s")


def _check_known(data: str, split: str) -> None:
    from zeroshot_core.evaluation import DATA_SETS

    if data not in DATA_SETS:
        raise typer.BadParameter(f"expected one of {', '.join(DATA_SETS)}, got {shown(data)}")
    if split not in DATA_SETS[data]:
        raise typer.BadParameter(f"expected one of {', '.join(DATA_SETS[data])}, got {shown(split)}")
