"""``zeroshot predict``: numbers and reasons for new items."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from zeroshot_core.cli.console import note, write_json, write_table
from zeroshot_core.cli.linking import Columns, new_values, to_items
from zeroshot_core.cli.tables import STANDARD_INPUT, Table, read_table
from zeroshot_core.cli.wording import because, interval_in_words, nearest, shortened, value_in_words
from zeroshot_core.types import Hit, Item, Prediction

__all__ = ["predict"]

_MANY = 500


def predict(
    model: Annotated[Path, typer.Option(help="Folder of the model.")],
    file: Annotated[
        Path,
        typer.Argument(help="Table of items: JSON lines if it begins with {, else CSV. - is standard input."),
    ] = STANDARD_INPUT,
    coverage: Annotated[
        float, typer.Option(help="Probability with which the interval holds the truth.")
    ] = 0.9,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    uri: Annotated[str | None, typer.Option(help="Milvus server, where the index has moved.")] = None,
    token: Annotated[
        str | None, typer.Option(envvar="MILVUS_TOKEN", help="Credentials of the server.")
    ] = None,
) -> None:
    """Predict for items never seen before, with intervals and reasons."""
    from zeroshot_core.prediction import ZeroShotRegressor

    if not 0 < coverage < 1:
        raise typer.BadParameter(f"expected a coverage between 0 and 1, got {coverage}")
    table = read_table(file)
    regressor = ZeroShotRegressor.load(model, uri=uri, token=token)
    columns = Columns.of_model(regressor)
    items = to_items(table, columns, regressor.graph, prefix="row")
    _say_what_is_new(table, columns, regressor.graph)
    regressor.set_params(show_progress=len(items) > _MANY)
    predictions = regressor.explain(items, coverage=coverage)
    if json:
        write_json(_report(columns, coverage, items, predictions))
    else:
        _write(columns, coverage, items, predictions)


def _say_what_is_new(table: Table, columns: Columns, graph: Any) -> None:
    absent = [column for column in columns.concepts if column not in table.columns]
    if absent:
        note(f"note: {table.name} has no column {', '.join(absent)}; predicting without")
    counts = new_values(table, columns.concepts, graph)
    if counts:
        found = ", ".join(f"{count} of {column}" for column, count in counts.items())
        note(f"note: values new to the graph, read from the text alone: {found}")


def _report(
    columns: Columns, coverage: float, items: list[Item], predictions: list[Prediction]
) -> dict[str, Any]:
    return {
        "targets": list(columns.targets),
        "coverage": coverage,
        "predictions": [
            {
                "id": item.id,
                "text": item.text,
                "value": prediction.value,
                "interval": prediction.interval,
                "items": [_hit(hit) for hit in prediction.evidence.items],
                "concepts": [_hit(hit) for hit in prediction.evidence.concepts],
            }
            for item, prediction in zip(items, predictions, strict=True)
        ],
    }


def _hit(hit: Hit) -> dict[str, Any]:
    path = [[step.head, step.type, step.tail] for step in hit.path]
    return {"id": hit.id, "text": hit.text, "score": round(hit.score, 4), "path": path}


def _write(columns: Columns, coverage: float, items: list[Item], predictions: list[Prediction]) -> None:
    heads = ("item", ", ".join(columns.targets), f"{coverage:.0%} interval", "nearest known", "because")
    rows = [
        (
            shortened(item.text or item.id),
            value_in_words(prediction.value),
            interval_in_words(prediction),
            nearest(prediction),
            because(prediction),
        )
        for item, prediction in zip(items, predictions, strict=True)
    ]
    write_table(f"{len(rows)} predictions", heads, rows, numbers=(1, 2))
