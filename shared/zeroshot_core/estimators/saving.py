"""Saved models: a folder of plain files, made current by one atomic rename.

::

    model.json             format version, kind, encoder, index version, checksums
    encoder-<fingerprint>/ the encoder, where it was tuned for this model
    state-<digest>/        config.json, graph.jsonl, arrays.safetensors, <head>-<model>.skops
    index.db/              the Milvus Lite file, for a model whose index lives with it
    index-<random>.db/     the same, copied from a temporary index

A new state is written beside the old one and becomes current when ``model.json`` is replaced; a process that
dies before leaves the old model whole. Only then are the states, copies and versions of the index removed
that served before. Estimators are stored with skops and arrays with safetensors: nothing is unpickled.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zeroshot_core.encoders import Encoder, HeadEncoder, TransformerEncoder, encoder_from_config
from zeroshot_core.errors import ArtifactError, VersionNotFoundError
from zeroshot_core.estimators.indexing import ModelIndex
from zeroshot_core.files import digest, file_digest, write_json
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.index import OpenVersion, VectorIndex

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Arrays = Mapping[str, npt.NDArray[np.generic]]

__all__ = [
    "MANIFEST",
    "ModelParts",
    "ModelState",
    "check_overwrite",
    "load_state",
    "open_parts",
    "read_manifest",
    "write_model",
]

MANIFEST = "model.json"
FORMAT_VERSION = 1
_CONFIG, _ARRAYS, _GRAPH = "config.json", "arrays.safetensors", "graph.jsonl"


@dataclass(frozen=True, kw_only=True)
class ModelState:
    """What an estimator has learned, as plain parts.

    Parameters
    ----------
    kind
        ``"regressor"``, ``"classifier"``, ``"ranker"`` or ``"detector"``.
    config
        JSON-able.
    arrays
        By name.
    estimators
        Fitted scikit-learn estimators by name.
    """

    kind: str
    config: Mapping[str, Any]
    arrays: Arrays
    estimators: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class ModelParts:
    """Encoder, graph and index of a model, open and checked against each other.

    Parameters
    ----------
    holds_encoder
        Whether the encoder lies in the model's folder, since it was tuned for the model.
    version
        Of the index: the one that the model was fitted on.
    extra
        JSON-able notes of the caller.
    """

    encoder: Encoder
    holds_encoder: bool
    graph: KnowledgeGraph | None
    model_index: ModelIndex
    version: OpenVersion
    extra: Mapping[str, Any]


def check_overwrite(folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder that holds a model or other files.

    Raises
    ------
    ArtifactError
        If it holds a model and `overwrite` is False, or files that are not a model's.
    """
    if (folder / MANIFEST).exists():
        if not overwrite:
            raise ArtifactError(
                f"expected a new folder, got {folder}, which holds a model; use overwrite=True to replace it"
            )
    elif folder.exists() and any(not _ours(path) for path in folder.iterdir()):
        raise ArtifactError(f"expected a new or empty folder, got {folder}, which holds other files")


def write_model(folder: Path, state: ModelState, parts: ModelParts) -> None:
    """Write a state beside the current one, make it current, then remove what it replaces.

    Raises
    ------
    ArtifactError
        If the encoder was tuned, and is of a kind that has no weights to save.
    """
    folder.mkdir(parents=True, exist_ok=True)
    own = _write_encoder(folder, parts.encoder) if parts.holds_encoder else {}
    manifest: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "kind": state.kind,
        "encoder": parts.encoder.to_config() | own,
        "index": _index_reference(folder, parts.model_index, parts.version),
        "extra": dict(parts.extra),
    }
    manifest["state"], manifest["checksums"] = _write_state(folder, state, parts.graph)
    write_json(folder / MANIFEST, manifest, indent=1)
    _clean(folder, manifest, parts.model_index)


def _write_encoder(folder: Path, encoder: Encoder) -> dict[str, str]:
    """Write the encoder into the folder, by its fingerprint, unless it is there; where it is then."""
    if not isinstance(encoder, TransformerEncoder | HeadEncoder):
        raise ArtifactError(f"expected an encoder with weights to save, got {type(encoder).__name__}")
    name = f"encoder-{encoder.fingerprint}"
    if not (folder / name).exists():
        encoder.save(folder / name)
    return {"inside": name}


def _index_reference(folder: Path, model_index: ModelIndex, version: OpenVersion) -> dict[str, Any]:
    """Say where the index is, by its bare name if in the folder; a temporary one is copied into it."""
    index = model_index.index
    uri = index.uri
    if model_index.is_temporary:
        uri = _copy_index(Path(uri), folder)
    elif Path(uri).parent == folder.resolve():
        uri = Path(uri).name
    return {
        "uri": uri,
        "name": index.name,
        "db_name": index.db_name,
        "version": version.info.id,
    }


def _copy_index(source: Path, folder: Path) -> str:
    """Copy a Milvus Lite file at rest under a name of its own; the one that serves now stays whole."""
    target = tempfile.mkdtemp(prefix="index-", suffix=".db", dir=folder)
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("LOCK"), dirs_exist_ok=True)
    return Path(target).name


def _write_state(folder: Path, state: ModelState, graph: KnowledgeGraph | None) -> tuple[str, dict[str, str]]:
    """Write the state's files; give the name of their folder and their checksums."""
    from safetensors.numpy import save_file

    beside = folder / ".state.tmp"
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    (beside / _CONFIG).write_text(json.dumps(state.config), encoding="utf-8")
    save_file(dict(state.arrays), beside / _ARRAYS)
    if graph is not None:
        graph.to_jsonl(beside / _GRAPH)
    if state.estimators:
        import skops.io

        for name, estimator in state.estimators.items():
            skops.io.dump(estimator, beside / f"{name}.skops")
    checksums = {path.name: _checksum(path) for path in sorted(beside.iterdir())}
    name = f"state-{digest(json.dumps(checksums), n=12)}"
    shutil.rmtree(folder / name, ignore_errors=True)
    beside.rename(folder / name)
    return name, checksums


def _clean(folder: Path, manifest: Mapping[str, Any], model_index: ModelIndex) -> None:
    """Remove states, indexes and index versions in the folder that are no longer current."""
    index, current = model_index.index, manifest["index"]
    kept = {manifest["state"], current["uri"], manifest["encoder"].get("inside")}
    for path in (*folder.glob("state-*"), *folder.glob("index*.db"), *folder.glob("encoder-*")):
        if path.name not in kept:
            shutil.rmtree(path, ignore_errors=True)
    if model_index.is_temporary or not _is_inside(current["uri"]):
        return
    for version in index.versions():
        if version.id != current["version"] and not version.is_live:
            index.drop(version.id)


def _is_inside(uri: str) -> bool:
    """Whether a manifest's index is in the model's folder: it is a bare name then."""
    return Path(uri).name == uri


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read and check ``model.json``.

    Raises
    ------
    ArtifactError
        If it is missing, not JSON, of another format version, or lacks an entry.
    """
    path = folder / MANIFEST
    if not path.is_file():
        what = "there is no such folder" if not folder.exists() else f"{MANIFEST} is missing"
        raise ArtifactError(f"expected a saved model in {folder}, but {what}; fit a model and save it there")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        version = manifest["format_version"]
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise ArtifactError(f"{path} is damaged ({error}); save the model again") from error
    if version != FORMAT_VERSION:
        raise ArtifactError(
            f"{path}: expected format version {FORMAT_VERSION}, got {version}; "
            "save the model again with this version of the package"
        )
    missing = {"kind", "encoder", "index", "extra", "state", "checksums"} - manifest.keys()
    if missing:
        raise ArtifactError(f"{path} is damaged: it lacks {', '.join(sorted(missing))}; save the model again")
    return dict(manifest)


def load_state(folder: Path) -> ModelState:
    """Read what an estimator has learned, every file checked against its checksum.

    Raises
    ------
    ArtifactError
        If a file is missing or damaged; the message names it.
    """
    from safetensors.numpy import load_file

    manifest = read_manifest(folder)
    state = folder / manifest["state"]
    for name, checksum in manifest["checksums"].items():
        if not (state / name).is_file():
            raise ArtifactError(f"expected {state / name}, which is missing; save the model again")
        if _checksum(state / name) != checksum:
            raise ArtifactError(f"{state / name} is damaged: its checksum differs; save the model again")
    names = [name for name in manifest["checksums"] if name.endswith(".skops")]
    return ModelState(
        kind=manifest["kind"],
        config=json.loads((state / _CONFIG).read_text(encoding="utf-8")),
        arrays=load_file(state / _ARRAYS),
        estimators=_estimators(state, names) if names else {},
    )


def _estimators(state: Path, names: Sequence[str]) -> dict[str, Any]:
    import skops.io

    return {
        name.removesuffix(".skops"): skops.io.load(state / name, trusted=_trusted(skops.io, state / name))
        for name in names
    }


def open_parts(
    folder: Path,
    *,
    encoder: Encoder | None = None,
    uri: str | None = None,
    token: str | None = None,
    graph_of: Callable[[Path], KnowledgeGraph] = KnowledgeGraph.from_jsonl,
) -> ModelParts:
    """Open encoder, graph and index of a saved model.

    Raises
    ------
    ArtifactError
        If something is missing, or the index no longer holds the model's version.
    FingerprintMismatchError
        If the encoder is not the one that the model was fitted with.
    """
    manifest = read_manifest(folder)
    graph_file = folder / manifest["state"] / _GRAPH
    # Milvus Lite reads its file while the encoder and the graph are read.
    with ThreadPoolExecutor(max_workers=1) as beside:
        connecting = beside.submit(_connect, folder, manifest["index"], uri, token)
        try:
            opened = encoder_from_config(_encoder_config(folder, manifest), encoder=encoder)
            graph = graph_of(graph_file) if graph_file.is_file() else None
        except BaseException:
            if connecting.exception() is None:
                connecting.result().close()
            raise
        index = connecting.result()
    reference = manifest["index"]
    model_index = ModelIndex.owning(index)
    try:
        version = index.open(reference["version"], fingerprint=opened.fingerprint)
    except VersionNotFoundError as error:
        model_index.close()
        raise ArtifactError(
            f"the index at {index.uri} no longer holds the model's version ({error}); fit the model again"
        ) from error
    except BaseException:
        model_index.close()
        raise
    return ModelParts(
        encoder=opened,
        holds_encoder="inside" in manifest["encoder"],
        graph=graph,
        model_index=model_index,
        version=version,
        extra=manifest["extra"],
    )


def _encoder_config(folder: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Say where the encoder is now: one that was tuned for the model moves with its folder."""
    config = dict(manifest["encoder"])
    inside = config.get("inside")
    return config if inside is None else config | {"name_or_path": str(folder / inside)}


def _connect(folder: Path, reference: Mapping[str, Any], uri: str | None, token: str | None) -> VectorIndex:
    """Connect to a model's index, in its folder or elsewhere."""
    address = uri or reference["uri"]
    if uri is None and _is_inside(address):
        address = str(folder / address)
        if not Path(address).is_dir():
            raise ArtifactError(f"expected {address}, which is missing; save the model again")
    return VectorIndex.connect(address, name=reference["name"], token=token, db_name=reference["db_name"])


def _trusted(io: Any, path: Path) -> list[str]:
    """Types that a file may hold beside skops' own defaults: scikit-learn's and numpy's, nothing else.

    Raises
    ------
    ArtifactError
        If the file holds another type.
    """
    found = io.get_untrusted_types(file=path)
    foreign = [name for name in found if not name.startswith(("sklearn.", "numpy.", "scipy."))]
    if foreign:
        raise ArtifactError(f"{path} holds types that are not trusted: {', '.join(foreign[:3])}")
    return list(found)


def _ours(path: Path) -> bool:
    return path.name.startswith(("state-", ".state", ".model", "index-", "index.db", "encoder-", ".encoder-"))


def _checksum(path: Path) -> str:
    return file_digest(path)[:32]
