"""``zeroshot predict``: what a model of any kind says of new items, with reasons."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zeroshot_core.cli.cells import (
    because,
    interval_in_words,
    nearest,
    shares_in_words,
    shortened,
    value_in_words,
)
from zeroshot_core.cli.columns import TableColumns, names_of, new_values, to_items
from zeroshot_core.cli.console import note, shows_progress, write_json, write_table
from zeroshot_core.cli.table_options import Decimal, Delimiter, Encoding, Quiet, table_of
from zeroshot_core.cli.tables import STANDARD_INPUT, Dialect, TextTable
from zeroshot_core.types import Hit, Item, Prediction

if TYPE_CHECKING:
    from zeroshot_core.prediction import (
        NoveltyDetector,
        ZeroShotClassifier,
        ZeroShotRanker,
        ZeroShotRegressor,
    )

__all__ = ["predict"]

_MANY = 500


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What a model says of some items, for people and for programs.

    Parameters
    ----------
    heads, rows
        A table, whose columns at the positions `numbers` are aligned to the right.
    facts
        JSON-able: what holds for all items.
    entries
        JSON-able, one for each item: what is said of it.
    """

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: Sequence[int] = ()
    facts: dict[str, Any]
    entries: Sequence[dict[str, Any]]


def predict(
    model: Annotated[Path, typer.Option(help="Folder of the model, of whichever kind.")],
    file: Annotated[
        Path,
        typer.Argument(help="Table of items: CSV, JSON, Parquet or Excel. - is standard input."),
    ] = STANDARD_INPUT,
    text: Annotated[
        str | None,
        typer.Option(
            help="Column that describes the item, for a model saved from Python; 'text' without it."
        ),
    ] = None,
    concepts: Annotated[
        str | None,
        typer.Option(
            help="Columns, comma-separated, whose cells name concepts, for a model saved from Python."
        ),
    ] = None,
    coverage: Annotated[
        float, typer.Option(help="Probability with which the interval of a number holds the truth.")
    ] = 0.9,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    uri: Annotated[str | None, typer.Option(help="Milvus server that holds the index, if one does.")] = None,
    token: Annotated[
        str | None, typer.Option(envvar="MILVUS_TOKEN", help="Credentials of the server.")
    ] = None,
    delimiter: Delimiter = None,
    decimal: Decimal = None,
    encoding: Encoding = None,
    quiet: Quiet = False,
) -> None:
    """Predict for items never seen before, with reasons: numbers, labels, rankings or novelty."""
    from zeroshot_core.prediction import load_model

    if not 0 < coverage < 1:
        raise typer.BadParameter(f"expected a coverage between 0 and 1, got {coverage}")
    dialect = Dialect(delimiter=delimiter, decimal=decimal, encoding=encoding)
    table = table_of(file, dialect, quiet=quiet)
    with closing(load_model(model, uri=uri, token=token)) as opened:
        columns = TableColumns.for_table(table, opened.saved_extra_, text=text, concepts=names_of(concepts))
        graph = opened.retriever_.graph if len(opened.retriever_.graph) else None
        items = to_items(table, columns, graph, prefix="row")
        if not quiet:
            _say_what_is_new(table, columns, graph)
        opened.show_progress = len(items) > _MANY and shows_progress(quiet=quiet)
        answers = _answers(opened, columns, items, coverage)
    if json:
        said = [
            {"id": item.id, "text": item.text, **entry}
            for item, entry in zip(items, answers.entries, strict=True)
        ]
        write_json({**answers.facts, "predictions": said})
        return
    rows = [(shortened(item.text or item.id), *row) for item, row in zip(items, answers.rows, strict=True)]
    write_table(f"{len(rows)} predictions", ("item", *answers.heads), rows, numbers=answers.numbers)


def _say_what_is_new(table: TextTable, columns: TableColumns, graph: Any) -> None:
    absent = [column for column in columns.concepts if column not in table.columns]
    if absent:
        note(f"note: {table.name} has no column {', '.join(absent)}; predicting without")
    counts = new_values(table, columns.concepts, graph)
    if counts:
        found = ", ".join(f"{count} of {column}" for column, count in counts.items())
        note(f"note: values new to the graph, read from the text alone: {found}")


def _answers(model: Any, columns: TableColumns, items: Sequence[Item], coverage: float) -> Answers:
    from zeroshot_core.prediction import NoveltyDetector, ZeroShotClassifier, ZeroShotRanker

    if isinstance(model, ZeroShotClassifier):
        return _labels(model, items)
    if isinstance(model, ZeroShotRanker):
        return _ranking(model, items)
    if isinstance(model, NoveltyDetector):
        return _novelty(model, items)
    return _numbers(model, columns, items, coverage)


def _numbers(
    model: ZeroShotRegressor, columns: TableColumns, items: Sequence[Item], coverage: float
) -> Answers:
    predictions = model.explain(items, coverage=coverage)
    return Answers(
        heads=(
            ", ".join(columns.targets) or "prediction",
            f"{coverage:.0%} interval",
            "nearest known",
            "because",
        ),
        rows=[
            (value_in_words(each.value), interval_in_words(each), nearest(each), because(each))
            for each in predictions
        ],
        numbers=(1, 2),
        facts={"targets": list(columns.targets), "coverage": coverage},
        entries=[{"value": each.value, "interval": each.interval, **_evidence(each)} for each in predictions],
    )


def _labels(model: ZeroShotClassifier, items: Sequence[Item]) -> Answers:
    predictions = model.explain(items)
    return Answers(
        heads=("label", "probabilities", "nearest known", "because"),
        rows=[
            (value_in_words(each.value), shares_in_words(each), nearest(each), because(each))
            for each in predictions
        ],
        facts={"labels": model.classes_.tolist()},
        entries=[
            {"label": each.value, "probabilities": dict(each.probabilities), **_evidence(each)}
            for each in predictions
        ],
    )


def _ranking(model: ZeroShotRanker, items: Sequence[Item]) -> Answers:
    predictions = model.explain(items)
    return Answers(
        heads=("best", "probabilities", "because"),
        rows=[(value_in_words(each.value), shares_in_words(each), because(each)) for each in predictions],
        facts={"candidates": len(model.classes_)},
        entries=[
            {
                "best": each.evidence.concepts[0].id if each.evidence.concepts else None,
                "ranked": [
                    {**_hit(hit), "probability": hit.metadata["probability"]}
                    for hit in each.evidence.concepts
                ],
            }
            for each in predictions
        ],
    )


def _novelty(model: NoveltyDetector, items: Sequence[Item]) -> Answers:
    scores, told = model.novelty_score(items).tolist(), model.predict(items).tolist()
    near = model.retriever_.retrieve(items, top_k=1)
    words = ["new" if sign < 0 else "known" for sign in told]
    return Answers(
        heads=("novelty", "", "nearest known"),
        rows=[
            (f"{score:.2f}", word, shortened(hits[0].text))
            for score, word, hits in zip(scores, words, near, strict=True)
        ],
        numbers=(1,),
        facts={"false_alarm_rate": model.false_alarm_rate},
        entries=[
            {"novelty": score, "is_new": sign < 0, "items": [_hit(hit) for hit in hits]}
            for score, sign, hits in zip(scores, told, near, strict=True)
        ],
    )


def _evidence(prediction: Prediction) -> dict[str, Any]:
    return {
        "items": [_hit(hit) for hit in prediction.evidence.items],
        "concepts": [_hit(hit) for hit in prediction.evidence.concepts],
    }


def _hit(hit: Hit) -> dict[str, Any]:
    path = [[step.head, step.type, step.tail] for step in hit.path]
    return {"id": hit.id, "text": hit.text, "score": round(hit.score, 4), "path": path}
