"""Saved models: a folder of plain files, made current by one atomic rename.

::

    model.json             format version, kind, encoder, index version, checksums
    encoder-<fingerprint>/ the encoder, where it was tuned for this model
    state-<random>/        config.json, graph.jsonl, arrays.safetensors
    index.db/              the Milvus Lite file, for a model whose index lives with it
    index-<random>.db/     the same, copied from a temporary index

A new model is written into a draft beside the old one and becomes current when ``model.json`` is replaced; a
process that dies before leaves the old model whole. Only then is removed what the old manifest named and the
new one does not. A save holds ``.zeroshot-lock``, which notes what it makes: should it die, the next one
removes that. No name in a manifest leads out of its folder. What was learned is arrays and JSON: nothing in a
folder is unpickled or called. Folders of format version 1, with ``<head>.skops`` beside the arrays, open
too, and are written as version 2.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import socket
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import IO, Any

from zeroshot_core import checks
from zeroshot_core.encoders import Encoder, HeadEncoder, TransformerEncoder, encoder_from_config
from zeroshot_core.errors import ArtifactError, InvalidInputError, VersionNotFoundError, ZeroShotError
from zeroshot_core.estimators.indexing import ModelIndex
from zeroshot_core.estimators.model_state import ModelState
from zeroshot_core.estimators.skops_files import skops_arrays
from zeroshot_core.files import cause_of, file_digest, follow_umask, lock_file, refuse_links, write_json
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.index import OpenVersion, VectorIndex
from zeroshot_core.index.lite_folder import check_lite_folder
from zeroshot_core.index.uri import uri_and_token

__all__ = [
    "MANIFEST",
    "ModelParts",
    "check_overwrite",
    "load_state",
    "open_parts",
    "read_manifest",
    "write_model",
]

MANIFEST = "model.json"
FORMAT_VERSION = 2
_READABLE = (1, FORMAT_VERSION)
_CONFIG, _ARRAYS, _GRAPH = "config.json", "arrays.safetensors", "graph.jsonl"
_DRAFT, _LOCK = ".zeroshot-draft", ".zeroshot-lock"
# What names a file or folder here, and nothing elsewhere.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}")
# Names that only this module gives: what a lock file may have removed.
_MADE = re.compile(r"state-[0-9a-f]{12}|encoder-[0-9a-f]{16}|index-[0-9a-z_]{8}\.db")

_COPY = re.compile(r"index-[0-9a-f]{8}\.db")


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
    is_portable
        Whether the encoder's graph is to lie in the model's folder too.
    """

    encoder: Encoder
    holds_encoder: bool
    graph: KnowledgeGraph | None
    model_index: ModelIndex
    version: OpenVersion
    extra: Mapping[str, Any]
    is_portable: bool = False


def check_overwrite(folder: Path, *, overwrite: bool, index: str | None = None) -> dict[str, Any] | None:
    """Refuse a folder that holds a model, unless it may be replaced, or anything that is not the model's.

    Parameters
    ----------
    index
        Name of the index in the folder that the new model uses, if it is there.

    Returns
    -------
    dict
        The manifest of the model that will be replaced; None where there is none.

    Raises
    ------
    ArtifactError
        If it holds a model and `overwrite` is False, or anything that no manifest there names.
    """
    if not folder.exists():
        return None
    if not folder.is_dir():
        raise ArtifactError(f"expected a new or empty folder, got {folder}, which is a file")
    there = {path.name: path for path in folder.iterdir()}
    if MANIFEST in there and not overwrite:
        raise ArtifactError(
            f"expected a new folder, got {folder}, which holds a model; use overwrite=True to replace it"
        )
    before = _replaced(folder) if MANIFEST in there else None
    known = {MANIFEST, _DRAFT, _LOCK, *_names(before), *_index_names(index), *_left_behind(folder)}
    others = sorted(name for name, path in there.items() if name not in known or path.is_symlink())
    if others:
        expected = "a new or empty folder" if before is None else "a folder of a saved model alone"
        listed = ", ".join(map(checks.shown, others[:3])) + (", ..." if len(others) > 3 else "")
        raise ArtifactError(
            f"expected {expected}, got {folder}, which holds other files ({listed}); "
            "move them away, or choose another folder"
        )
    return before


def _replaced(folder: Path) -> dict[str, Any]:
    try:
        return read_manifest(folder)
    except ArtifactError as error:
        raise ArtifactError(
            f"expected a model to replace in {folder}, got one that does not say what belongs to it "
            f"({error}); empty the folder yourself, or choose another one"
        ) from error


def write_model(folder: Path, state: ModelState, parts: ModelParts, *, overwrite: bool) -> None:
    """Write a model beside the current one, make it current, then remove what it replaces.

    Raises
    ------
    ArtifactError
        If the folder may not be replaced (see `check_overwrite`), another process saves there, the system
        refuses to write, or the encoder was tuned and is of a kind that has no weights to save.
    InvalidInputError
        If the caller's notes are not JSON-able.
    """
    _check_notes(parts.extra)
    original = parts.model_index.original
    if original is not None and original.parent == folder.resolve():
        raise ArtifactError(
            f"expected another folder for a model that was opened to be read, got its own, {folder}, which "
            "others may have open; open it without read_only"
        )
    uri = Path(parts.model_index.index.uri)
    index = uri.name if uri.parent == folder.resolve() else None
    # A folder of other things is left as it is: no lock file is made there.
    check_overwrite(folder, overwrite=overwrite, index=index)
    is_new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder) as lock:
            dead = _listed(lock.read())
            before = check_overwrite(folder, overwrite=overwrite, index=index)
            _note(lock, dead)
            _remove(folder, {_DRAFT, *dead - _names(before) - _index_names(index)})
            _check_replaced_index(folder, before, index)
            manifest = _make_current(folder, state, parts, before, lock)
            _remove(folder, _names(before) - _names(manifest))
            _drop_replaced_version(folder, before, manifest, parts.model_index)
    except BaseException as error:
        if is_new:
            with suppress(OSError):
                folder.rmdir()
        cause = cause_of(error)
        if cause is None or isinstance(error, ZeroShotError):
            raise
        raise ArtifactError(f"the model cannot be saved in {folder}: {cause}") from error


def _check_notes(extra: Mapping[str, Any]) -> None:
    try:
        json.dumps(dict(extra))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInputError(
            f"expected extra as notes that JSON can hold, got {checks.shown(extra)} ({error})"
        ) from error


@contextmanager
def _alone(folder: Path) -> Iterator[IO[str]]:
    """Hold the folder's lock file; its content says who saves there, and what a save makes and removes.

    Raises
    ------
    ArtifactError
        If another process holds it.
    """
    path = folder / _LOCK
    with ExitStack() as stack:
        try:
            file = stack.enter_context(lock_file(path))
        except BlockingIOError as error:
            raise ArtifactError(
                f"{_holder(path)} is saving a model into {folder}; save again when that has ended"
            ) from error
        yield file


def _note(lock: IO[str], names: Collection[str]) -> None:
    """Write into the lock file who holds it, and what must go if this process dies now."""
    lock.seek(0)
    lock.truncate()
    json.dump({"process": os.getpid(), "host": socket.gethostname(), "names": sorted(names)}, lock)
    lock.flush()


def _holder(lock: Path) -> str:
    try:
        content = json.loads(lock.read_text(encoding="utf-8"))
        process, host = content["process"], content["host"]
    except (OSError, ValueError, TypeError, KeyError):
        return "another process"
    if (process, host) == (os.getpid(), socket.gethostname()):
        return f"another thread of this process ({process})"
    return f"process {process} on {host}"


def _left_behind(folder: Path) -> set[str]:
    """Names that a save which died has noted in its lock file."""
    try:
        return _listed((folder / _LOCK).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return set()


def _listed(content: str) -> set[str]:
    """Names in a lock file, of those that only this module gives."""
    try:
        names = json.loads(content)["names"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return set()
    given = names if isinstance(names, list) else []
    return {name for name in given if isinstance(name, str) and _MADE.fullmatch(name)}


def _make_current(
    folder: Path, state: ModelState, parts: ModelParts, before: Mapping[str, Any] | None, lock: IO[str]
) -> dict[str, Any]:
    """Write all that is new into a draft, move it into the folder, and put the new manifest over the old."""
    draft = folder / _DRAFT
    draft.mkdir()
    made: set[str] = set()
    try:
        manifest = _write_draft(draft, folder, state, parts)
        follow_umask(draft)
        made = {path.name for path in draft.iterdir()} - {MANIFEST}
        _note(lock, made | _names(before))
        for name in made:
            (draft / name).rename(folder / name)
        (draft / MANIFEST).replace(folder / MANIFEST)
    except BaseException:
        current = read_manifest(folder) if (folder / MANIFEST).exists() else None
        _remove(folder, made - _names(current))
        raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return manifest


def _write_draft(draft: Path, folder: Path, state: ModelState, parts: ModelParts) -> dict[str, Any]:
    """Write what the folder does not hold yet, and the manifest of all."""
    own = {}
    if parts.holds_encoder or parts.is_portable:
        own = _write_encoder(draft, folder, parts.encoder, graph_alone=not parts.holds_encoder)
    # A name of its own: the current state stays as it is, even where it holds the same.
    name = f"state-{secrets.token_hex(6)}"
    checksums = _write_state(draft / name, state, parts.graph)
    manifest: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "kind": state.kind,
        "encoder": parts.encoder.to_config() | own,
        "index": _index_reference(draft, folder, parts.model_index, parts.version),
        "extra": dict(parts.extra),
        "state": name,
        "checksums": checksums,
    }
    if parts.encoder.modalities != ("text",):
        manifest["modalities"] = [*parts.encoder.modalities]
    write_json(draft / MANIFEST, manifest, indent=1)
    return manifest


def _write_encoder(draft: Path, folder: Path, encoder: Encoder, *, graph_alone: bool) -> dict[str, str]:
    """Write the encoder, by its fingerprint, unless the folder holds it; where it is then."""
    if graph_alone and getattr(encoder, "runtime", "torch") == "torch":
        raise ArtifactError(
            f"expected an encoder with a graph to be portable, got {encoder.name}; fit with "
            'load_encoder(..., runtime="onnx")'
        )
    if not isinstance(encoder, TransformerEncoder | HeadEncoder):
        raise ArtifactError(f"expected an encoder with weights to save, got {type(encoder).__name__}")
    name = f"encoder-{encoder.fingerprint}"
    if not (folder / name).exists():
        if graph_alone and isinstance(encoder, TransformerEncoder):
            encoder.save_graph(draft / name)
        else:
            encoder.save(draft / name)
    return {"inside": name}


def _index_reference(
    draft: Path, folder: Path, model_index: ModelIndex, version: OpenVersion
) -> dict[str, Any]:
    """Say where the index is, by its bare name if in the folder.

    A temporary index is copied, and so is one that lies in the folder of another model: it goes with that.
    """
    index = model_index.index
    uri = index.uri
    if Path(uri).parent == folder.resolve():
        uri = Path(uri).name
    elif model_index.is_temporary or (index.is_lite and _is_of_a_model(Path(uri))):
        uri = _copy_index(Path(uri), draft)
    return {
        "uri": uri,
        "name": index.name,
        "db_name": index.db_name,
        "version": version.info.id,
    }


def _is_of_a_model(index: Path) -> bool:
    """Whether an index lies in a model's folder, as its own."""
    try:
        return bool(read_manifest(index.parent)["index"]["uri"] == index.name)
    except ArtifactError:
        return False


def _copy_index(source: Path, draft: Path) -> str:
    """Copy a Milvus Lite file at rest under a name of its own; the one that serves now stays whole."""
    name = f"index-{secrets.token_hex(4)}.db"
    shutil.copytree(source, draft / name, ignore=shutil.ignore_patterns("LOCK"))
    return name


def _write_state(folder: Path, state: ModelState, graph: KnowledgeGraph | None) -> dict[str, str]:
    """Write the state's files into a new folder; give their checksums."""
    from safetensors.numpy import save_file

    folder.mkdir()
    (folder / _CONFIG).write_text(json.dumps(state.config), encoding="utf-8")
    save_file(dict(state.arrays), folder / _ARRAYS)
    if graph is not None:
        graph.to_jsonl(folder / _GRAPH)
    return {path.name: _checksum(path) for path in sorted(folder.iterdir())}


def _names(manifest: Mapping[str, Any] | None) -> set[str]:
    """List what a manifest names in its folder."""
    if manifest is None:
        return set()
    inside = manifest["encoder"].get("inside")
    own = {manifest["state"]} | ({inside} if inside is not None else set())
    return own | _index_names(manifest["index"]["uri"])


def _index_names(uri: str | None) -> set[str]:
    """Names of an index in the folder, and of the checkpoints of joint rounds beside it."""
    return {uri, f"{uri}-joint"} if uri is not None and _is_inside(uri) else set()


def _remove(folder: Path, names: Collection[str]) -> None:
    for name in names:
        shutil.rmtree(folder / name, ignore_errors=True)


def _siblings(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Give the models in the folders beside one, with where their indexes are."""
    for path in folder.resolve().parent.glob(f"*/{MANIFEST}"):
        if path.parent != folder.resolve():
            with suppress(ArtifactError):
                yield path.parent, read_manifest(path.parent)["index"]


def _check_replaced_index(folder: Path, before: Mapping[str, Any] | None, index: str | None) -> None:
    """Refuse to remove an index that holds more than the replaced model's version, or serves another model.

    Raises
    ------
    ArtifactError
        If it does.
    """
    old = None if before is None else before["index"]
    if old is None or not _is_inside(old["uri"]) or old["uri"] == index:
        return
    path = folder.resolve() / old["uri"]
    own = f"{old['name']}_{old['version']}_"
    there = (*path.glob("collections/*"), *path.glob("databases/*"))
    more = sorted(each.name for each in there if not each.name.startswith(own))
    # One that was copied into the folder has no other user, whatever it holds.
    if more and not _COPY.fullmatch(old["uri"]):
        raise ArtifactError(
            f"expected an index that holds only the model to be replaced in {folder}, got {path}, which "
            f"holds {more[0]} too; move it away, or choose another folder"
        )
    for sibling, reference in _siblings(folder):
        if reference["uri"] == str(path):
            raise ArtifactError(
                f"expected an index that only the model in {folder} uses, got {path}, which the model in "
                f"{sibling} uses too; choose another folder"
            )


def _drop_replaced_version(
    folder: Path, before: Mapping[str, Any] | None, manifest: Mapping[str, Any], model_index: ModelIndex
) -> None:
    """Drop the version of the replaced model from an index in the folder that the new one goes on using."""
    if before is None or not _is_inside(manifest["index"]["uri"]) or model_index.is_temporary:
        return
    old, new = before["index"], manifest["index"]
    place = ("uri", "name", "db_name")
    if old == new or any(old[key] != new[key] for key in place):
        return
    there = {**old, "uri": str(folder.resolve() / old["uri"])}
    is_used = any(reference == there for _, reference in _siblings(folder))
    for version in model_index.index.versions():
        if version.id == old["version"] and not version.is_live and not is_used:
            model_index.index.drop(version.id)


def _is_inside(uri: str) -> bool:
    """Whether a manifest's index is in the model's folder: it is a bare name then."""
    return Path(uri).name == uri


def _told(read: Callable[[Path], dict[str, Any]]) -> Callable[[Path], dict[str, Any]]:
    """Have what the system refuses to a reader of a folder told as its error."""

    @wraps(read)
    def reading(folder: Path) -> dict[str, Any]:
        try:
            return read(folder)
        except OSError as error:
            raise ArtifactError(f"{folder} cannot be read: {cause_of(error)}") from error

    return reading


@_told
def read_manifest(folder: Path) -> dict[str, Any]:
    """Read ``model.json``, and check that all it names is of its type and inside the folder.

    Raises
    ------
    ArtifactError
        If it is missing, a link, not JSON, of another format version, lacks an entry, has a wrong one, or
        does not name each file of the state with its checksum.
    """
    path = folder / MANIFEST
    if not path.is_file():
        what = "there is no such folder" if not folder.exists() else f"{MANIFEST} is missing"
        raise ArtifactError(f"expected a saved model in {folder}, but {what}; fit a model and save it there")
    refuse_links(path)
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        version = manifest["format_version"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ArtifactError(f"{path} is damaged ({error}); save the model again") from error
    if version not in _READABLE:
        raise ArtifactError(
            f"{path}: expected format version 1 or 2, got {checks.shown(version)}; "
            "save the model again with this version of the package"
        )
    missing = {"kind", "encoder", "index", "extra", "state", "checksums"} - manifest.keys()
    if missing:
        raise ArtifactError(f"{path} is damaged: it lacks {', '.join(sorted(missing))}; save the model again")
    wrong = _wrong_entry(manifest)
    if wrong is not None:
        raise ArtifactError(f"{path} is damaged: {wrong}; save the model again")
    _check_state_files(folder / manifest["state"], manifest["checksums"])
    return dict(manifest)


def _wrong_entry(manifest: Mapping[str, Any]) -> str | None:
    """Say which entry of a manifest has the wrong type, or leads out of the folder; None if none does."""
    for name in ("encoder", "index", "extra", "checksums"):
        if not isinstance(manifest[name], dict):
            return f"expected {name} as an object, got {checks.shown(manifest[name])}"
    encoder, index, checksums = manifest["encoder"], manifest["index"], manifest["checksums"]
    rules: list[tuple[str, object, Callable[[Any], bool], str]] = [
        ("kind", manifest["kind"], _is_text, "a text"),
        ("state", manifest["state"], _is_name, "a bare name"),
        ("files with a checksum", sorted(checksums), _are_state_files, f"bare names, {_CONFIG} among them"),
        ("checksums", list(checksums.values()), _are_texts, "texts"),
        ("kind of the encoder", encoder.get("kind"), _is_text, "a text"),
        ("fingerprint of the encoder", encoder.get("fingerprint"), _is_text, "a text"),
        ("dimension of the encoder", encoder.get("dimension"), lambda n: isinstance(n, int), "a number"),
        ("modalities", manifest.get("modalities", []), _are_texts, "texts"),
        ("inside of the encoder", encoder.get("inside", "encoder"), _is_name, "a bare name"),
        ("uri of the index", index.get("uri"), _is_address, "a file in the folder, a path or a server"),
        ("name of the index", index.get("name"), _is_text, "a text"),
        ("db_name of the index", index.get("db_name", ""), lambda n: n is None or _is_text(n), "a text"),
        ("version of the index", index.get("version"), _is_version, "v and 12 hexadecimal digits"),
    ]
    wrong = ((entry, value, what) for entry, value, is_right, what in rules if not is_right(value))
    return next(
        (f"expected {entry} as {what}, got {checks.shown(value)}" for entry, value, what in wrong), None
    )


def _is_text(value: object) -> bool:
    """Whether a value is a text that a path or a message to a server can hold."""
    if not isinstance(value, str) or not value or "\0" in value:
        return False
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _are_texts(values: object) -> bool:
    return isinstance(values, list) and all(map(_is_text, values))


def _is_name(value: object) -> bool:
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _are_state_files(names: Collection[str]) -> bool:
    return all(map(_is_name, names)) and {_CONFIG, _ARRAYS} <= set(names)


def _is_version(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"v[0-9a-f]{12}", value) is not None


def _is_address(uri: Any) -> bool:
    """Whether an index is where one can be: in the folder, at an absolute path, or on a server."""
    if not _is_text(uri):
        return False
    is_path = _is_inside(uri) or (Path(uri).is_absolute() and ".." not in Path(uri).parts)
    return _is_server(uri) or (uri.endswith(".db") and is_path)


def _is_server(uri: str) -> bool:
    return re.match(r"https?://", uri) is not None


def _check_state_files(state: Path, checksums: Mapping[str, str]) -> None:
    """Refuse files of a state that are links, or that nothing vouches for."""
    if not state.exists() and not state.is_symlink():
        return  # `load_state` names the file that is missing
    refuse_links(state)
    unknown = sorted(path.name for path in state.iterdir() if path.name not in checksums)
    if unknown:
        raise ArtifactError(
            f"expected a checksum of each file in {state}, got none of {unknown[0]}; save the model again"
        )


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
    arrays = _read(state / _ARRAYS, load_file)
    if manifest["format_version"] == 1:
        for name in manifest["checksums"]:
            if name.endswith(".skops"):
                arrays |= skops_arrays(state / name)
    config = _read(state / _CONFIG, lambda path: json.loads(path.read_text(encoding="utf-8")))
    if not isinstance(config, dict):
        raise ArtifactError(f"expected {state / _CONFIG} to hold a mapping; save the model again")
    return ModelState(kind=manifest["kind"], config=config, arrays=arrays)


def _read(path: Path, reader: Callable[[Path], Any]) -> Any:
    """Read a file that may hold anything."""
    try:
        return reader(path)
    except Exception as error:
        raise ArtifactError(f"{path} cannot be read: {error}; save the model again") from error


def open_parts(
    folder: Path,
    *,
    encoder: Encoder | None = None,
    uri: str | None = None,
    token: str | None = None,
    trust_uri: bool = False,
    read_only: bool = False,
    graph_of: Callable[[Path], KnowledgeGraph] = KnowledgeGraph.from_jsonl,
) -> ModelParts:
    """Open encoder, graph and index of a saved model.

    Raises
    ------
    ArtifactError
        If something is missing, the index no longer holds the model's version, or it is on a server that
        the folder alone names.
    FingerprintMismatchError
        If the encoder is not the one that the model was fitted with.
    """
    manifest = read_manifest(folder)
    graph_file = folder / manifest["state"] / _GRAPH
    # Milvus Lite reads its file while the encoder and the graph are read.
    with ThreadPoolExecutor(max_workers=1) as beside:
        connecting = beside.submit(
            _connect, folder, manifest["index"], uri, token, trust_uri=trust_uri, read_only=read_only
        )
        try:
            opened = encoder_from_config(_encoder_config(folder, manifest), encoder=encoder)
            graph = graph_of(graph_file) if graph_file.is_file() else None
        except BaseException:
            if connecting.exception() is None:
                connecting.result().close()
            raise
        model_index = connecting.result()
    reference, index = manifest["index"], model_index.index
    try:
        version = index.open(reference["version"], fingerprint=opened.document_fingerprint)
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
    if inside is None:
        return config
    refuse_links(folder / inside)
    # Absolute: a graph is looked for beside a folder, and a bare name may be of the hub.
    return config | {"name_or_path": str((folder / inside).absolute())}


def _connect(
    folder: Path,
    reference: Mapping[str, Any],
    uri: str | None,
    token: str | None,
    *,
    trust_uri: bool,
    read_only: bool,
) -> ModelIndex:
    """Connect to a model's index, where the caller says that it is, or where its folder does.

    A folder may come from anyone: its word opens a local index that is there, and no server. A local one
    that is only read, or can't be written, is opened as a copy, which takes no lock from anybody.
    """
    address = uri or reference["uri"]
    if not uri and _is_server(address):
        if not trust_uri:
            raise ArtifactError(
                f"the index of the model in {folder} is on a server that its folder alone names; give it as "
                f"uri={uri_and_token(address)[0]!r}, or trust_uri=True if you trust the folder"
            )
    elif not uri:
        path = folder / address  # an absolute one stays as it is
        if not (path / "collections").is_dir():
            raise ArtifactError(f"expected {path}, which is missing; save the model again")
        check_lite_folder(path)
        address = str(path)
    place: dict[str, Any] = {"name": reference["name"], "db_name": reference["db_name"]}
    if not _is_server(address):
        local = Path(address).resolve()
        if (local / "collections").is_dir() and (read_only or not os.access(local, os.W_OK)):
            return ModelIndex.copied(local, version=reference["version"], **place)
    return ModelIndex.owning(VectorIndex.connect(address, token=token, **place))


def _checksum(path: Path) -> str:
    return file_digest(path)[:32]
