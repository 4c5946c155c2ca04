"""``zeroshot index``: a data set of any size encoded into Milvus, in one process or by Ray."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from zeroshot_core.cli.console import note, write_line
from zeroshot_core.index import ItemColumns, RayOptions

__all__ = ["Address", "Engine", "EngineName", "Workers", "index", "ray_options"]


class EngineName(str, Enum):
    """What works through a data set."""

    local = "local"
    ray = "ray"


Engine = Annotated[EngineName, typer.Option(help="local: this process, block by block; ray: actors of Ray.")]
Address = Annotated[
    str | None,
    typer.Option(help="Of a Ray cluster, such as head:6379 from one of its nodes; a local Ray without it."),
]
Workers = Annotated[int, typer.Option(min=1, help="Actors of Ray, each with a model of its own.")]


def ray_options(engine: EngineName, address: str | None, workers: int) -> RayOptions | None:
    """Options of Ray, if it is asked for."""
    return RayOptions(address=address, n_actors=workers) if engine is EngineName.ray else None


def index(
    files: Annotated[
        list[str], typer.Option("--input", help="File, folder, glob or URL of Parquet, JSON lines or CSV.")
    ],
    uri: Annotated[str, typer.Option(help="Milvus server, or a path that ends with .db, to write to.")],
    encoder: Annotated[
        str, typer.Option(help="Model, or its folder; the default reads English.")
    ] = "all-MiniLM-L6-v2",
    name: Annotated[str, typer.Option(help="Name of the index.")] = "zeroshot",
    id_: Annotated[str, typer.Option("--id", help="Column of ids.")] = "id",
    text: Annotated[str, typer.Option(help="Column that is encoded.")] = "text",
    concepts: Annotated[
        str, typer.Option(help="Columns, comma-separated, whose cells name concepts of the graph.")
    ] = "concepts",
    graph: Annotated[Path | None, typer.Option(help="Edge list (CSV: head, type, tail).")] = None,
    engine: Engine = EngineName.local,
    address: Address = None,
    workers: Workers = 2,
    token: Annotated[
        str | None, typer.Option(envvar="MILVUS_TOKEN", help="Credentials of the server.")
    ] = None,
    db_name: Annotated[str | None, typer.Option(help="Database on the server.")] = None,
) -> None:
    """Encode a data set of any size into a new version of an index, check it, and make it the live one.

    What a killed run has left is gone on with.
    """
    from zeroshot_core import encoders
    from zeroshot_core.graph import KnowledgeGraph
    from zeroshot_core.index import VectorIndex

    columns = ItemColumns(id=id_, text=text, concepts=tuple(part.strip() for part in concepts.split(",")))
    known = None if graph is None else KnowledgeGraph.from_csv(graph)
    with VectorIndex.connect(uri, name=name, token=token, db_name=db_name) as opened:
        version = opened.build_from(
            files,
            encoders.load_encoder(encoder),
            known,
            columns=columns,
            ray=ray_options(engine, address, workers),
        )
        opened.activate(version)
        counts = opened.versions()[0].counts
    write_line(version)
    note(f"{counts['items']} items are live as version {version} of {opened.uri}, index {name!r}")
