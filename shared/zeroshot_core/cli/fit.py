"""``zeroshot fit``: learn from a table of items with known numbers, curves or labels."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from zeroshot_core.checks import listed, shown
from zeroshot_core.cli.columns import (
    linked_columns,
    nested_columns,
    to_items,
    with_concept_words,
    with_image_paths,
)
from zeroshot_core.cli.console import note, notes_for_warnings, shows_progress, write_line
from zeroshot_core.cli.table_options import (
    ConceptColumns,
    Dates,
    Decimal,
    Delimiter,
    EncoderName,
    Encoding,
    ImageColumn,
    KnownTable,
    Missing,
    Numeric,
    OptionalTextColumns,
    Quiet,
    known_word,
    named_schema,
    table_of,
)
from zeroshot_core.cli.tables import Dialect, TextTable
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.frames import TableSchema

if TYPE_CHECKING:
    from zeroshot_core.encoders.onnx import Runtime
    from zeroshot_core.graph import KnowledgeGraph
    from zeroshot_core.index import VectorIndex
    from zeroshot_core.prediction import ZeroShotClassifier, ZeroShotRegressor
    from zeroshot_core.types import Item

__all__ = ["fit", "local_index", "with_targets"]

_INDEX = "index.db"
_MAX_NAME_LENGTH = 40
_KINDS = ("regressor", "classifier")


def fit(
    items: KnownTable,
    target: Annotated[
        str,
        typer.Option(help="Column to predict: a number, or a label. Several, comma-separated, make a curve."),
    ],
    model: Annotated[Path, typer.Option(help="Folder of the model; one that is there is fitted anew.")],
    kind: Annotated[
        str, typer.Option(callback=known_word(_KINDS), help="regressor (numbers) or classifier (labels).")
    ] = "regressor",
    text: OptionalTextColumns = None,
    image: ImageColumn = None,
    concepts: ConceptColumns = None,
    numeric: Numeric = None,
    dates: Dates = None,
    graph: Annotated[
        Path | None,
        typer.Option(help="Edge list (CSV: head, type, tail) of the graph that cells of the items name."),
    ] = None,
    id: Annotated[str | None, typer.Option(help="Column of ids; otherwise rows are numbered.")] = None,
    unseen: Annotated[
        str | None, typer.Option(help="Column whose values will all be new when predicting numbers.")
    ] = None,
    missing: Missing = "refuse",
    uri: Annotated[
        str | None, typer.Option(help="Milvus server (http://...), instead of a file in the folder.")
    ] = None,
    token: Annotated[
        str | None, typer.Option(envvar="MILVUS_TOKEN", help="Credentials of the server.")
    ] = None,
    encoder: EncoderName = "all-MiniLM-L6-v2",
    tune: Annotated[
        str,
        typer.Option(
            help="Train the encoder too: none, head, full, lora or joint; kept only where it helps."
        ),
    ] = "none",
    budget: Annotated[
        float | None, typer.Option(help="Seconds after which no further epoch of tuning begins.")
    ] = None,
    runtime: Annotated[
        str, typer.Option(help="What runs the encoder: torch, onnx (the same, faster), or onnx-int8.")
    ] = "torch",
    seed: Annotated[int, typer.Option(help="Of folds, heads and tuning.")] = 0,
    delimiter: Delimiter = None,
    decimal: Decimal = None,
    encoding: Encoding = None,
    quiet: Quiet = False,
) -> None:
    """Learn to predict a column of a table from descriptions, concepts, numbers and dates."""
    from zeroshot_core.encoders import load_encoder

    if graph is not None and concepts is not None:
        raise typer.BadParameter("give --graph or --concepts, not both")
    if text is None and image is None:
        raise typer.BadParameter("give --text, the column that describes an item, or --image")
    if kind == "classifier" and unseen is not None:
        raise typer.BadParameter("--unseen is for numbers: a classifier takes new labels at any time")
    table = table_of(items, Dialect(delimiter=delimiter, decimal=decimal, encoding=encoding), quiet=quiet)
    schema = named_schema(
        table, text=text, image=image, target=target, concepts=concepts, numeric=numeric, dates=dates, id=id
    )
    table = with_image_paths(table, schema, items.parent)
    if graph is None and not quiet:
        _note_unused(table, schema, unseen)
    with notes_for_warnings(quiet=quiet):
        known = _known(table, schema, kind=kind, edges=graph, unseen=unseen, missing=missing)
    with _connect(model, uri, token) as index, notes_for_warnings(quiet=quiet):
        predictor = _predictor(kind)(
            load_encoder(encoder, runtime=cast("Runtime", runtime)),
            known.graph,
            index=index,
            tune=tune,
            budget_s=budget,
            checkpoints=model / "index.db-joint",
            random_state=seed,
            show_progress=shows_progress(quiet=quiet),
        )
        predictor.fit(known.items, known.targets, schema=known.schema, **known.settings)
        predictor.save(model, overwrite=True)
        _drop_old(index)
        n_items = predictor.version_.info.counts["items"]
    if quiet:
        return
    if predictor.tuning_ is not None:
        write_line(f"encoder: {predictor.tuning_.verdict}")
    write_line(f"fitted on {n_items} items of {table.name}; the model is in {model}")


def _note_unused(table: TextTable, schema: TableSchema, unseen: str | None) -> None:
    used = (*schema.columns, *schema.target, schema.id, unseen)
    unused = [column for column in table.columns if column not in used]
    if unused:
        note(f"note: columns of {table.name} that are not used: {listed(unused)}")


@dataclass(frozen=True, kw_only=True)
class _KnownRows:
    """What a table holds to learn from.

    Parameters
    ----------
    schema
        With the columns that name concepts of the graph.
    graph
        None without concepts.
    targets
        Numbers, shape (n,) or (n, horizon), or labels.
    settings
        Further arguments of `fit`.
    """

    schema: TableSchema
    graph: KnowledgeGraph | None
    items: Sequence[Item]
    targets: Any
    settings: Mapping[str, Any]


def _known(
    table: TextTable, schema: TableSchema, *, kind: str, edges: Path | None, unseen: str | None, missing: str
) -> _KnownRows:
    from zeroshot_core.graph import KnowledgeGraph

    graph = None
    if edges is not None:
        graph = KnowledgeGraph.from_csv(edges)
        taken = (*schema.text, schema.image, schema.id, *schema.numeric, *schema.dates, *schema.target)
        schema = replace(schema, concepts=linked_columns(table, graph, taken))
    elif schema.concepts:
        named = with_concept_words(table, schema.concepts)
        schema = replace(schema, edges=nested_columns(named, schema.concepts))
        graph = KnowledgeGraph.from_table(named.rows, schema.concepts, schema.edges)
    settings: dict[str, Any] = {}
    if kind == "classifier":
        table = with_targets(table, schema.target, is_numeric=False) if missing == "drop" else table
        targets: Any = _labels(table, schema.target)
    else:
        targets = table.numbers(schema.target, gaps=missing == "drop")
        settings = {
            "groups": None if unseen is None else table.column(unseen),
            "missing": "drop" if missing == "drop" else "raise",
        }
    items = to_items(table, schema, graph, prefix="item")
    return _KnownRows(schema=schema, graph=graph, items=items, targets=targets, settings=settings)


def with_targets(table: TextTable, target: Sequence[str], *, is_numeric: bool) -> TextTable:
    """Leave out the rows in which a target is missing.

    Raises
    ------
    InvalidInputError
        If a column is not there, a cell is no number where it has to be one, or no row is left.
    """
    if is_numeric:
        numbers = table.numbers(target, gaps=True).reshape(len(table.rows), -1).tolist()
        kept = [place for place, row in enumerate(numbers) if not any(map(math.isnan, row))]
    else:
        kept = [place for place, row in enumerate(table.rows) if all(row[name] for name in target)]
    if not kept:
        raise InvalidInputError(
            f"{table.name}: expected rows with a target in {shown(list(target))[1:-1]}, got none; fill it in"
        )
    return table.take(kept)


def _labels(table: TextTable, target: Sequence[str]) -> list[str]:
    if len(target) != 1:
        raise InvalidInputError(
            f"expected one column of labels as --target, got {shown(list(target))}; a text has one label"
        )
    cells = table.column(target[0])
    empty = [line for line, cell in zip(table.lines, cells, strict=True) if not cell]
    if empty:
        raise InvalidInputError(
            f"{table.name}: expected a label in column {shown(target[0])}, got none in {table.unit} "
            f"{empty[0]} ({len(empty)} such rows); fill it in, or leave them out with --missing drop"
        )
    return cells


def _predictor(kind: str) -> type[ZeroShotRegressor] | type[ZeroShotClassifier]:
    from zeroshot_core.prediction import ZeroShotClassifier, ZeroShotRegressor

    return ZeroShotClassifier if kind == "classifier" else ZeroShotRegressor


def local_index(folder: Path) -> str:
    """Make the folder of a model, and name the index inside it.

    Raises
    ------
    ArtifactError
        If the folder holds other files.
    """
    from zeroshot_core.estimators.saving import check_overwrite

    check_overwrite(folder, overwrite=True, index=_INDEX)
    folder.mkdir(parents=True, exist_ok=True)
    return str(folder / _INDEX)


def _connect(folder: Path, uri: str | None, token: str | None) -> VectorIndex:
    """Open the index in the folder, or on a server, in collections of this model's own."""
    from zeroshot_core.index import VectorIndex

    local = local_index(folder)
    if uri is None:
        return VectorIndex.connect(local)
    stem = re.sub(r"\W", "_", folder.name, flags=re.ASCII)[:_MAX_NAME_LENGTH]
    # Models in folders of the same name must not share collections.
    digest = hashlib.blake2b(str(folder.resolve()).encode(), digest_size=4).hexdigest()
    return VectorIndex.connect(uri, name=f"zeroshot_{stem}_{digest}", token=token)


def _drop_old(index: VectorIndex) -> None:
    """Drop the versions that served before: the collections are this model's own."""
    for version in index.versions():
        if not version.is_live:
            index.drop(version.id)
