"""``zeroshot predict``: what a model of any kind says of new items, with reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zeroshot_core.checks import listed, shown
from zeroshot_core.cli.cells import (
    because,
    curve_cells,
    nearest,
    number_cells,
    shares_in_words,
    shortened,
    value_in_words,
    values_by_step,
)
from zeroshot_core.cli.columns import names_of, schema_of, there, to_items, with_image_paths
from zeroshot_core.cli.console import note, notes_for_warnings, shows_progress, write_json, write_table
from zeroshot_core.cli.data_set_forecast import forecast_data_set
from zeroshot_core.cli.forecast_file import FORMATS, write_columns
from zeroshot_core.cli.index import Address, Engine, EngineName, Workers, ray_options
from zeroshot_core.cli.table_options import Decimal, Delimiter, Encoding, Quiet, table_of
from zeroshot_core.cli.tables import STANDARD_INPUT, Dialect, TextTable
from zeroshot_core.dataframes import column_names, read_columns
from zeroshot_core.frames import TableSchema
from zeroshot_core.types import Hit, Item, Prediction

if TYPE_CHECKING:
    from zeroshot_core.prediction import (
        NoveltyDetector,
        ZeroShotClassifier,
        ZeroShotRanker,
        ZeroShotRegressor,
    )
    from zeroshot_core.serving.loading import Model

__all__ = ["Answers", "label_answers", "predict", "write_answers"]

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
    columns
        The same as columns of a file, by name; empty where they are asked for apart.
    remark
        What the title of the table adds.
    """

    heads: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    numbers: Sequence[int] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    entries: Sequence[dict[str, Any]] = ()
    columns: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    remark: str = ""


def _known_format(out: str | None) -> str | None:
    # A folder of Parquet files is what Ray writes.
    if out is not None and Path(out).suffix and Path(out).suffix.lower() not in FORMATS:
        raise typer.BadParameter(f"expected a file that ends with {', '.join(FORMATS)}, got {shown(out)}")
    return out


def predict(
    model: Annotated[Path, typer.Option(help="Folder of the model, of whichever kind.")],
    file: Annotated[
        Path,
        typer.Argument(help="Table of items: CSV, JSON, Parquet or Excel. - is standard input."),
    ] = STANDARD_INPUT,
    text: Annotated[
        str | None,
        typer.Option(
            help="Columns that describe the item, for a model saved from Python; 'text' without it."
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
    out: Annotated[
        str | None,
        typer.Option(callback=_known_format, help="Write a table: .csv, .jsonl, .parquet or .xlsx."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    uri: Annotated[str | None, typer.Option(help="Milvus server that holds the index, if one does.")] = None,
    token: Annotated[
        str | None, typer.Option(envvar="MILVUS_TOKEN", help="Credentials of the server.")
    ] = None,
    delimiter: Delimiter = None,
    decimal: Decimal = None,
    encoding: Encoding = None,
    files: Annotated[
        list[str] | None,
        typer.Option(
            "--input", help="Files of any size (path, folder, glob, URL), forecast into Parquet at --out."
        ),
    ] = None,
    engine: Engine = EngineName.local,
    address: Address = None,
    workers: Workers = 2,
    quiet: Quiet = False,
) -> None:
    """Predict for items never seen before, with reasons: numbers, labels, rankings or novelty."""
    from zeroshot_core.prediction import ZeroShotRegressor, load_model

    if files:
        forecast_data_set(model, files, out, uri=uri, token=token, ray=ray_options(engine, address, workers))
        return

    if not 0 < coverage < 1:
        raise typer.BadParameter(f"expected a coverage between 0 and 1, got {coverage}")
    target = None if out is None else Path(out)
    if target is not None and not target.suffix:
        raise typer.BadParameter(f"expected a file that ends with {', '.join(FORMATS)}, got {out}")
    table = table_of(file, Dialect(delimiter=delimiter, decimal=decimal, encoding=encoding), quiet=quiet)
    with closing(load_model(model, uri=uri, token=token, read_only=True)) as opened:
        named = {"text": names_of(text, table.columns), "concepts": names_of(concepts, table.columns)}
        schema = schema_of(table, opened, **named)
        table = with_image_paths(table, schema, file.parent)
        items = _items(table, schema, opened, quiet=quiet)
        opened.show_progress = len(items) > _MANY and shows_progress(quiet=quiet)
        answers = Answers()
        if target is None or json or not isinstance(opened, ZeroShotRegressor):
            answers = _answers(opened, schema, items, coverage)
        if target is not None and isinstance(opened, ZeroShotRegressor):
            frame = opened.predict_frame(items, coverage=coverage)
            answers = replace(answers, columns=read_columns(frame, column_names(frame)))
    write_answers(items, answers, out=target, json=json, quiet=quiet)


def write_answers(
    items: Sequence[Item], answers: Answers, *, out: Path | None, json: bool, quiet: bool
) -> None:
    """Write answers to standard output, for people or as JSON, or to a file."""
    if out is not None:
        write_columns(out, {"id": [item.id for item in items], **answers.columns})
    if json:
        said = [
            {"id": item.id, "text": item.text, **entry}
            for item, entry in zip(items, answers.entries, strict=True)
        ]
        write_json({**answers.facts, "predictions": said})
    elif out is None:
        rows = [
            (shortened(item.text or item.id), *row) for item, row in zip(items, answers.rows, strict=True)
        ]
        title = f"{len(rows)} prediction{'s' * (len(rows) != 1)}{answers.remark}"
        write_table(title, ("item", *answers.heads), rows, numbers=answers.numbers)
    elif not quiet:
        note(f"{len(items)} predictions are in {out}")


def _items(table: TextTable, schema: TableSchema, model: Model, *, quiet: bool) -> list[Item]:
    """Items of a table, and a note on what of it or of the model is left out."""
    schema, absent = there(schema, table)
    graph = model.retriever_.graph
    with notes_for_warnings(quiet=quiet):
        items = to_items(table, schema, graph if len(graph) else None)
    if absent and not quiet:
        note(f"note: {table.name} has no column {listed(absent)}; predicting without")
    return items


def _answers(model: Any, schema: TableSchema, items: Sequence[Item], coverage: float) -> Answers:
    from zeroshot_core.prediction import NoveltyDetector, ZeroShotClassifier, ZeroShotRanker

    if isinstance(model, ZeroShotClassifier):
        return label_answers(model, items)
    if isinstance(model, ZeroShotRanker):
        return _ranking(model, items)
    if isinstance(model, NoveltyDetector):
        return _novelty(model, items)
    return _numbers(model, schema.target, items, coverage)


def _numbers(
    model: ZeroShotRegressor,
    targets: Sequence[str],
    items: Sequence[Item],
    coverage: float,
) -> Answers:
    # Models that were saved before cannot say what moved a forecast.
    moved = model.ensemble_.typical is not None
    predictions = model.explain(items, coverage=coverage, contributions=moved)
    n_steps = len(values_by_step(predictions[0]))
    names = list(targets) if len(targets) == n_steps else [f"step {n}" for n in range(1, n_steps + 1)]
    is_curve = n_steps > 1
    forecasts = [curve_cells(each) if is_curve else number_cells(each) for each in predictions]
    heads = [shortened(name) for name in names]
    if not is_curve:
        heads = [", ".join(targets) or "prediction", f"{coverage:.0%} interval"]
    return Answers(
        heads=(*heads, "nearest known", "because"),
        rows=[
            (*cells, nearest(each), because(each)) for cells, each in zip(forecasts, predictions, strict=True)
        ],
        numbers=range(1, len(heads) + 1),
        facts={"targets": list(targets), "coverage": coverage},
        entries=[{"value": each.value, "interval": each.interval, **_evidence(each)} for each in predictions],
        remark=f", with {coverage:.0%} intervals" if is_curve else "",
    )


def label_answers(model: ZeroShotClassifier, items: Sequence[Item]) -> Answers:
    """Labels with their probabilities and reasons."""
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
        columns={
            "label": [each.value for each in predictions],
            "probability": [max(each.probabilities.values()) for each in predictions],
            **_reasons(predictions),
        },
    )


def _ranking(model: ZeroShotRanker, items: Sequence[Item]) -> Answers:
    predictions = model.explain(items)
    ranked = [each.evidence.concepts for each in predictions]
    return Answers(
        heads=("best", "probabilities", "because"),
        rows=[(value_in_words(each.value), shares_in_words(each), because(each)) for each in predictions],
        facts={"candidates": len(model.classes_)},
        entries=[
            {
                "best": hits[0].id if hits else None,
                "ranked": [{**_hit(hit), "probability": hit.metadata["probability"]} for hit in hits],
            }
            for hits in ranked
        ],
        columns={
            "best": [hits[0].id if hits else None for hits in ranked],
            "name": [hits[0].text if hits else None for hits in ranked],
            "probability": [hits[0].metadata["probability"] if hits else None for hits in ranked],
            "reason": [because(each) for each in predictions],
        },
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
        columns={
            "novelty": scores,
            "is_new": [sign < 0 for sign in told],
            "nearest": [hits[0].text if hits else None for hits in near],
        },
    )


def _evidence(prediction: Prediction) -> dict[str, Any]:
    return {
        "items": [_hit(hit) for hit in prediction.evidence.items],
        "concepts": [_hit(hit) for hit in prediction.evidence.concepts],
    }


def _reasons(predictions: Sequence[Prediction]) -> dict[str, list[str]]:
    return {"nearest": list(map(nearest, predictions)), "reason": list(map(because, predictions))}


def _hit(hit: Hit) -> dict[str, Any]:
    path = [[step.head, step.type, step.tail] for step in hit.path]
    return {"id": hit.id, "text": hit.text, "score": round(hit.score, 4), "path": path}
