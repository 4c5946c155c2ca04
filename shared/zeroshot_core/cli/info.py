"""``zeroshot info``: what a saved model is and where its index lies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zeroshot_core.cli.console import write_json, write_line

if TYPE_CHECKING:
    from zeroshot_core.prediction import ZeroShotRegressor

__all__ = ["info"]


def info(
    model: Annotated[Path, typer.Option(help="Folder of the model.")],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    uri: Annotated[str | None, typer.Option(help="Milvus server, where the index has moved.")] = None,
    token: Annotated[
        str | None, typer.Option(envvar="MILVUS_TOKEN", help="Credentials of the server.")
    ] = None,
) -> None:
    """Say what a model was fitted on, with which encoder and graph, and where its index lies."""
    from zeroshot_core.prediction import ZeroShotRegressor

    facts = _facts(model, ZeroShotRegressor.load(model, uri=uri, token=token))
    if json:
        write_json(facts)
        return
    for name, value in facts.items():
        write_line(f"{name:<8} {_in_words(value)}")


def _facts(folder: Path, model: ZeroShotRegressor) -> dict[str, Any]:
    encoder, graph = model.encoder_, model.graph
    index, version = model.model_index_.index, model.version_.info
    return {
        "model": str(folder),
        "kind": type(model).__name__,
        "items": len(model.ids_),
        "columns": model.saved_extra_,
        "encoder": {
            "name": encoder.name,
            "dimension": encoder.dimension,
            "fingerprint": encoder.fingerprint,
        },
        "graph": None
        if graph is None
        else {
            "concepts": len(graph),
            "relations": len(graph.relations),
            "types": list(graph.types),
            "digest": graph.digest,
        },
        "index": {"uri": index.uri, "name": index.name, "version": version.id},
    }


def _in_words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_in_words(part)}" for name, part in value.items() if part)
    if isinstance(value, list | tuple):
        return " ".join(map(str, value))
    return "none" if value is None else str(value)
