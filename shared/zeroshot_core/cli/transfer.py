"""``zeroshot export`` and ``zeroshot import``: a model's version of the index, from one Milvus to another."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from zeroshot_core.cli.console import note, write_line

__all__ = ["export", "import_"]

Token = Annotated[str | None, typer.Option(envvar="MILVUS_TOKEN", help="Credentials of the server.")]


def export(
    model: Annotated[Path, typer.Option(help="Folder of the model.")],
    out: Annotated[Path, typer.Option(help="Folder to write, new or empty.")],
    uri: Annotated[str | None, typer.Option(help="Milvus server that holds the index, if one does.")] = None,
    token: Token = None,
) -> None:
    """Write a model's version of the index as Parquet files: items, graph, names and vectors."""
    from zeroshot_core.prediction import load_model

    with closing(load_model(model, uri=uri, token=token)) as opened:
        info = opened.model_index_.index.export(out, opened.version_.info.id)
    write_line(info.id)
    note(f"{info.counts['items']} items of version {info.id} are in {out}")


def import_(
    folder: Annotated[Path, typer.Argument(help="Folder that `zeroshot export` wrote.")],
    uri: Annotated[str, typer.Option(help="Milvus server, or a path that ends with .db, to write to.")],
    name: Annotated[
        str | None, typer.Option(help="Name of the index; that which it had, without it.")
    ] = None,
    token: Token = None,
    db_name: Annotated[str | None, typer.Option(help="Database on the server.")] = None,
    remote_path: Annotated[
        str | None,
        typer.Option(help="Where the server finds the folder in its own storage, to read it itself."),
    ] = None,
    activate: Annotated[bool, typer.Option("--activate", help="Make the version the live one.")] = False,
) -> None:
    """Write an exported version into another Milvus, to the last digit; a saved model opens it by --uri."""
    from zeroshot_core.index import VectorIndex
    from zeroshot_core.index.version_files import VersionFiles

    target = name or VersionFiles.name_in(folder)
    with VectorIndex.connect(uri, name=target, token=token, db_name=db_name) as index:
        version = index.import_version(folder, remote_path=remote_path)
        if activate:
            index.activate(version)
    write_line(version)
    note(f"version {version} is in {index.uri}, index {target!r}{', and live' * activate}")
