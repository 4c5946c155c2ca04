"""``zeroshot info``: what a saved model is and where its index lies."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zeroshot_core.cli.console import write_json, write_line

if TYPE_CHECKING:
    from zeroshot_core.serving.loading import Model

__all__ = ["info"]


def info(
    model: Annotated[Path, typer.Option(help="Folder of the model.")],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    uri: Annotated[str | None, typer.Option(help="Milvus server that holds the index, if one does.")] = None,
    token: Annotated[
        str | None, typer.Option(envvar="MILVUS_TOKEN", help="Credentials of the server.")
    ] = None,
) -> None:
    """Say what a model was fitted on, with which encoder and graph, and where its index lies."""
    from zeroshot_core.prediction import load_model

    with closing(load_model(model, uri=uri, token=token, read_only=True)) as opened:
        facts = _facts(model, opened)
    if json:
        write_json(facts)
        return
    for name, value in facts.items():
        write_line(f"{name:<10} {_in_words(value)}")


def _facts(folder: Path, model: Model) -> dict[str, Any]:
    encoder, graph = model.encoder_, model.retriever_.graph
    index, version = model.model_index_.index, model.version_.info
    return {
        "model": str(folder),
        "kind": type(model).__name__,
        "items": version.counts["items"],
        **_outcomes(model),
        "columns": _columns(model),
        "encoder": {
            "name": encoder.name,
            "dimension": encoder.dimension,
            "fingerprint": encoder.fingerprint,
            "reads": [f"{each}s" for each in encoder.modalities],
        },
        "graph": None
        if not len(graph)
        else {
            "concepts": len(graph),
            "relations": len(graph.relations),
            "types": list(graph.types),
            "digest": graph.digest,
        },
        "index": {
            "uri": str(model.model_index_.original or index.uri),
            "name": index.name,
            "version": version.id,
        },
    }


def _columns(model: Model) -> dict[str, Any]:
    """Say which columns of a table the model reads, and what else was noted with it."""
    roles = {} if model.schema_ is None else model.schema_.to_config()
    return {role: names for role, names in {**roles, **model.saved_extra_}.items() if names}


def _outcomes(model: Model) -> dict[str, Any]:
    """Say what the model chooses from, if it chooses."""
    from zeroshot_core.prediction import ZeroShotClassifier, ZeroShotRanker

    if isinstance(model, ZeroShotClassifier):
        return {"labels": model.classes_.tolist()}
    return {"candidates": len(model.classes_)} if isinstance(model, ZeroShotRanker) else {}


def _in_words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_in_words(part)}" for name, part in value.items() if part)
    if isinstance(value, list | tuple):
        return " ".join(map(str, value))
    return "none" if value is None else str(value)
