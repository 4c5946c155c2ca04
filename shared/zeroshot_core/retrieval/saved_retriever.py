"""Retrievers as folders of plain files, like every other saved model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from zeroshot_core import checks
from zeroshot_core.errors import ArtifactError
from zeroshot_core.retrieval.query_bank import QueryBank

if TYPE_CHECKING:
    from zeroshot_core.encoders import Encoder
    from zeroshot_core.estimators.indexing import ModelIndex
    from zeroshot_core.graph import KnowledgeGraph
    from zeroshot_core.index import Collection

__all__ = ["KIND", "read_retriever", "write_retriever"]

Made = TypeVar("Made")

KIND = "retriever"


def write_retriever(
    folder: str | Path,
    version: Collection,
    encoder: Encoder,
    graph: KnowledgeGraph | None,
    settings: Mapping[str, Any],
    *,
    query_bank: QueryBank | None,
    overwrite: bool,
    extra: dict[str, Any] | None,
) -> None:
    """Write what a retriever is made of into a folder; see `Retriever.save`.

    Parameters
    ----------
    graph
        None where there is none, or the version's own is read.
    settings
        JSON-able parameters, ``graph`` among them where it is ``"stored"``.
    """
    import numpy as np

    from zeroshot_core.estimators.indexing import ModelIndex
    from zeroshot_core.estimators.model_state import ModelState
    from zeroshot_core.estimators.saving import ModelParts, write_model
    from zeroshot_core.index.open_version import require_version

    if extra is not None:
        checks.instance("extra", extra, dict)
    opened = require_version(version, "a Retriever that is saved")
    rows, vectors = opened.own_rows
    banks = {} if query_bank is None else {"query_bank": query_bank.vectors}
    state = ModelState(
        kind=KIND,
        config={"settings": dict(settings), "added": rows},
        arrays={"added_vectors": np.ascontiguousarray(vectors), **banks},
    )
    parts = ModelParts(
        encoder=encoder,
        holds_encoder=_is_held(encoder),
        graph=graph,
        model_index=ModelIndex.of(opened),
        version=opened,
        extra=extra or {},
    )
    write_model(checks.path("folder", folder), state, parts, overwrite=checks.flag("overwrite", overwrite))


def read_retriever(
    make: Callable[..., Made],
    folder: str | Path,
    *,
    encoder: Encoder | None,
    uri: str | None,
    token: str | None,
    trust_uri: bool,
    read_only: bool,
) -> tuple[Made, ModelIndex]:
    """Open a saved retriever, with the index that it reads; see `Retriever.load`.

    Parameters
    ----------
    make
        Makes one of a version, an encoder and the settings.
    """
    import numpy as np

    from zeroshot_core.estimators.base import opened_parts, told_as_damage
    from zeroshot_core.estimators.saving import load_state

    path, trust_uri = checks.path("folder", folder), checks.flag("trust_uri", trust_uri)
    read_only = checks.flag("read_only", read_only)
    with told_as_damage(path):
        state = load_state(path)
        if state.kind != KIND:
            raise ArtifactError(f"expected a saved {KIND}, got a {state.kind}; open it with load_model")
    with opened_parts(
        path, encoder=encoder, uri=uri, token=token, trust_uri=trust_uri, read_only=read_only
    ) as parts:
        version, added = parts.version, state.entries("added", of=dict)
        if added:
            shape = len(added), parts.encoder.dimension
            version = version.with_rows(added, state.array("added_vectors", np.float32, shape))
        settings = {"graph": parts.graph, **state.mapping("settings")}
        if "query_bank" in state.arrays:
            bank = state.array("query_bank", np.float32, (None, parts.encoder.dimension))
            settings["query_bank"] = QueryBank(bank, parts.encoder.fingerprint)
        return make(version, parts.encoder, **settings), parts.model_index


def _is_held(encoder: Encoder) -> bool:
    """Whether an encoder has weights that lie nowhere but in a model's folder, or in memory."""
    from zeroshot_core.encoders import HeadEncoder, TransformerEncoder
    from zeroshot_core.estimators.saving import MANIFEST

    if isinstance(encoder, HeadEncoder):
        return True
    is_of_a_model = (Path(encoder.name).parent / MANIFEST).is_file()
    return isinstance(encoder, TransformerEncoder) and (encoder.name.endswith("(tuned)") or is_of_a_model)
