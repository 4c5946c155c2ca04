"""What a Milvus Lite folder from a stranger may say, so that opening it stays within the folder.

Milvus Lite joins the names in its files to paths unchecked: it reads what a manifest lists and removes that
when it compacts, writes what a log was left with into the partition that the log names, and asks an embedding
service under the address that a schema has. So these names are checked before it opens anything.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from zeroshot_core.checks import shown
from zeroshot_core.errors import ArtifactError
from zeroshot_core.files import refuse_links

__all__ = ["check_lite_folder", "copy_collections", "data_files", "read_lite_properties"]

_TRIES = 5
_MANIFEST_FORMAT = 2
# In Milvus's numbers, the function that counts words; others ask services on the network.
_BM25 = 1


def check_lite_folder(folder: Path) -> None:
    """Refuse a Milvus Lite folder that leads out of itself, or has a service asked.

    Raises
    ------
    ArtifactError
        If it is or holds a link, names a file, partition, collection or field that is a path, or computes
        vectors by a service.
    """
    refuse_links(folder)
    for database in (folder, *folder.glob("databases/*")):
        aliases = database / "aliases.json"
        for target in _mapping(aliases, _read(aliases)).values():
            _check_name(aliases, target)
        for collection in database.glob("collections/*"):
            if collection.is_dir():
                _check_collection(collection)


def copy_collections(source: Path, target: Path, prefix: str) -> None:
    """Copy some collections of a Milvus Lite folder, while another process may hold it and compact them.

    Files that hold rows never change, and what a collection consists of is said by one file that is replaced
    as a whole. So that one is copied first, and all is copied again if a file has gone meanwhile.

    Parameters
    ----------
    target
        A folder to be made.
    prefix
        What the names of the collections begin with.

    Raises
    ------
    OSError
        If the system refuses.
    """
    for number in range(_TRIES):
        try:
            for file in _files_of(source, prefix):
                copy = target / file.relative_to(source)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, copy)
            return
        except FileNotFoundError:
            shutil.rmtree(target, ignore_errors=True)
            if number == _TRIES - 1:
                raise


def data_files(collection: Path) -> list[Path] | None:
    """Find the files that hold the rows of a collection; None if they are not all of it.

    Rows are in the log still, were deleted or replaced and stay there until Milvus Lite compacts, or what
    says so is not as it writes it.
    """
    try:
        return _listed_files(collection)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


def _listed_files(collection: Path) -> list[Path] | None:
    manifest = json.loads((collection / "manifest.json").read_text(encoding="utf-8"))
    partitions = manifest["partitions"]
    is_elsewhere = any((collection / "wal").glob("*")) or any(
        each.get("delta_files") for each in partitions.values()
    )
    if manifest.get("manifest_format_version") != _MANIFEST_FORMAT or is_elsewhere:
        return None
    files = [
        collection / "partitions" / partition / file
        for partition, files in partitions.items()
        for file in files["data_files"]
    ]
    return files if all(file.is_file() for file in files) else None


def read_lite_properties(collection: Path) -> dict[str, str] | None:
    """Read the properties of a collection whose files tell all; None where Milvus Lite is to be asked.

    Parameters
    ----------
    collection
        Its folder.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError, pa.ArrowException):
        files = data_files(collection)
        if files is not None and all(pq.read_metadata(file) for file in files):
            schema = json.loads((collection / "schema.json").read_text(encoding="utf-8"))
            return dict(schema.get("properties") or {})
    return None


def _files_of(source: Path, prefix: str) -> Iterator[Path]:
    """Files of collections, of each what says which others it consists of first."""
    for place in (source, *source.glob("databases/*")):
        # No pattern with the prefix, which may come from a stranger and lead elsewhere.
        for collection in place.glob("collections/*"):
            if not collection.name.startswith(prefix):
                continue
            first = [path for path in collection.glob("manifest.json*") if not path.name.endswith(".tmp")]
            yield from first
            yield from (path for path in collection.rglob("*") if path.is_file() and path not in first)


def _check_collection(collection: Path) -> None:
    if (collection / "snapshots").exists():
        raise _refusal(collection, "snapshots, which no saved model has")
    for name in ("manifest.json", "manifest.json.prev"):
        _check_manifest(collection / name)
    path = collection / "schema.json"
    schema = _mapping(path, _read(path))
    for field in schema.get("fields") or ():
        _check_name(path, _mapping(path, field).get("name"))
    for function in schema.get("functions") or ():
        if _mapping(path, function).get("function_type") != _BM25:
            raise _refusal(path, f"the function {shown(function)}, which asks a service")
    _check_log(collection / "wal")


def _check_manifest(path: Path) -> None:
    manifest = _mapping(path, _read(path))
    for name, files in _mapping(path, manifest.get("partitions") or {}).items():
        _check_name(path, name)
        for kind in ("data", "delta"):
            for file in _mapping(path, files).get(f"{kind}_files") or ():
                place, _, rest = str(file).replace("\\", "/").partition("/")
                if place != kind:
                    raise _refusal(path, f"the file {shown(file)}")
                _check_name(path, rest)
    for spec in _mapping(path, manifest.get("index_specs") or {}).values():
        for key in ("field_name", "index_type"):
            _check_name(path, _mapping(path, spec).get(key))


def _check_log(folder: Path) -> None:
    """Check where what a kill has left unwritten is to go, as Milvus Lite reads it."""
    if not folder.is_dir() or not any(folder.iterdir()):
        return  # most often; to read one Milvus Lite is imported, which takes a while
    from milvus_lite.storage.wal import WAL

    for number in WAL.find_wal_files(str(folder)):
        for batches in WAL.recover(str(folder), number):
            for batch in batches:
                for partition in batch.column("_partition").unique().to_pylist():
                    _check_name(folder, partition)


def _check_name(path: Path, name: object) -> None:
    if not isinstance(name, str) or name in ("", ".", "..") or any(sign in name for sign in "/\\:\0"):
        raise _refusal(path, f"the name {shown(name)}")


def _read(path: Path) -> object:
    """Read a file as Milvus Lite does; an empty mapping where it can't be read there either."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}


def _mapping(path: Path, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _refusal(path, f"{shown(value)} where a mapping belongs")
    return value


def _refusal(path: Path, what: str) -> ArtifactError:
    return ArtifactError(
        f"expected {path} to be of an index that keeps to its folder, got {what}; "
        "save the model again, or name its index yourself (uri=...) if you trust who made it"
    )
