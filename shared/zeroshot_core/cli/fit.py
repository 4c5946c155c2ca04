"""``zeroshot fit``: learn from a table of items with known targets."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from zeroshot_core.cli.columns import TableColumns, graph_of_columns, linked_columns, names_of, to_items
from zeroshot_core.cli.console import shows_progress, write_line
from zeroshot_core.cli.table_options import Decimal, Delimiter, Encoding, Quiet, table_of
from zeroshot_core.cli.tables import Dialect, TextTable

if TYPE_CHECKING:
    from zeroshot_core.encoders.onnx import Runtime
    from zeroshot_core.graph import KnowledgeGraph
    from zeroshot_core.index import VectorIndex
    from zeroshot_core.types import Floats, Item

__all__ = ["fit", "local_index"]

_INDEX = "index.db"
_MAX_NAME_LENGTH = 40


def fit(
    items: Annotated[Path, typer.Option(help="Table of known items: CSV, JSON, Parquet or Excel.")],
    text: Annotated[str, typer.Option(help="Column that describes the item.")],
    target: Annotated[str, typer.Option(help="Column to predict; several, comma-separated, make a curve.")],
    model: Annotated[Path, typer.Option(help="Folder of the model; one that is there is fitted anew.")],
    concepts: Annotated[
        str | None, typer.Option(help="Columns, comma-separated, whose values are the concepts of the graph.")
    ] = None,
    graph: Annotated[
        Path | None,
        typer.Option(help="Edge list (CSV: head, type, tail) of the graph that cells of the items name."),
    ] = None,
    id: Annotated[str | None, typer.Option(help="Column of ids; otherwise rows are numbered.")] = None,
    unseen: Annotated[
        str | None, typer.Option(help="Column whose values will all be new when predicting.")
    ] = None,
    uri: Annotated[
        str | None, typer.Option(help="Milvus server (http://...), instead of a file in the folder.")
    ] = None,
    token: Annotated[
        str | None, typer.Option(envvar="MILVUS_TOKEN", help="Credentials of the server.")
    ] = None,
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
    """Learn to predict a column of a table from descriptions and concepts."""
    from zeroshot_core.encoders import load_encoder
    from zeroshot_core.prediction import ZeroShotRegressor

    if graph is not None and concepts is not None:
        raise typer.BadParameter("give --graph or --concepts, not both")
    columns = TableColumns(text=text, targets=names_of(target), id=id, concepts=names_of(concepts))
    dialect = Dialect(delimiter=delimiter, decimal=decimal, encoding=encoding)
    table = table_of(items, dialect, quiet=quiet)
    known = _known(table, columns, edges=graph, unseen=unseen)
    with _connect(model, uri, token) as index:
        regressor = ZeroShotRegressor(
            load_encoder(runtime=cast("Runtime", runtime)),
            known.graph,
            index=index,
            tune=tune,
            budget_s=budget,
            checkpoints=model / "index.db-joint",
            random_state=seed,
            show_progress=shows_progress(quiet=quiet),
        )
        regressor.fit(known.items, known.targets, groups=known.groups)
        regressor.save(model, overwrite=True, extra=known.columns.to_extra())
        _drop_old(index)
    if quiet:
        return
    if regressor.tuning_ is not None:
        write_line(f"encoder: {regressor.tuning_.verdict}")
    write_line(f"fitted on {len(known.items)} items of {known.name}; the model is in {model}")


@dataclass(frozen=True, kw_only=True)
class KnownItems:
    """What a table holds to learn from.

    Parameters
    ----------
    name
        What messages call the table.
    columns
        With those that name concepts of the graph.
    targets
        Shape (n,) or (n, horizon).
    groups
        Shape (n,): what will be new as a whole; None without a column of it.
    """

    name: str
    columns: TableColumns
    graph: KnowledgeGraph | None
    items: Sequence[Item]
    targets: Floats
    groups: Sequence[str] | None


def _known(table: TextTable, columns: TableColumns, *, edges: Path | None, unseen: str | None) -> KnownItems:
    graph = _graph(table, columns, edges)
    if edges is not None and graph is not None:
        taken = (columns.text, columns.id, *columns.targets)
        columns = replace(columns, concepts=linked_columns(table, graph, taken))
    return KnownItems(
        name=table.name,
        columns=columns,
        graph=graph,
        items=to_items(table, columns, graph, prefix="item"),
        targets=table.numbers(columns.targets),
        groups=None if unseen is None else table.column(unseen),
    )


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


def _graph(table: TextTable, columns: TableColumns, edges: Path | None) -> KnowledgeGraph | None:
    from zeroshot_core.graph import KnowledgeGraph

    if edges is not None:
        return KnowledgeGraph.from_csv(edges)
    return graph_of_columns(table, columns.concepts) if columns.concepts else None
