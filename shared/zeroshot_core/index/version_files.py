"""A version as files: its four collections as Parquet, vectors included, and a manifest.

========================= =============================================================================
``manifest.json``         what the version was built from, and for each file its rows and SHA-256
``items.parquet``         id, text, concepts (list), metadata (JSON), content_hash, vector (float32)
``concepts.parquet``      id, name, type, description, synonyms (list), content_hash, position, vector
``relations.parquet``     id, head, type, tail, weight, sources (list), content_hash, position, vector
``names.parquet``         id, concept, text, content_hash, vector
========================= =============================================================================

A server can also import them itself, from its own storage: each column is a field of the collection.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core import checks
from zeroshot_core.errors import ArtifactError, InvalidInputError, require
from zeroshot_core.files import file_digest, new_folder, refuse_links, write_json
from zeroshot_core.index.key_sum import KeySum
from zeroshot_core.index.schema import KINDS, Row, check_row
from zeroshot_core.index.versions import VersionInfo, item_key

if TYPE_CHECKING:
    from zeroshot_core.index.record_table import RecordTable
    from zeroshot_core.index.schema import RecordKind
    from zeroshot_core.index.version_writer import Page
    from zeroshot_core.index.versions import Tables, VersionCatalog
    from zeroshot_core.types import Vectors

__all__ = ["VersionFiles", "write_version_files"]

_FORMAT_VERSION = 1
_MANIFEST = "manifest.json"
_ROWS_PER_READ = 2048
_LENGTH_TOLERANCE = 1e-3


def write_version_files(catalog: VersionCatalog, info: VersionInfo, folder: Path, *, name: str) -> None:
    """Write a version into a new folder, whole or not at all.

    Parameters
    ----------
    name
        Of the index, which the manifest tells.
    """
    catalog.load(info)
    with new_folder(folder) as draft:
        draft.mkdir()
        counts = {}
        for kind in KINDS:
            table = catalog.tables(info)._asdict()[kind.name]
            counts[kind.name] = _write_parquet(draft / f"{kind.name}.parquet", kind, table, info.dimension)
        if info.state == "ready" and counts != dict(info.counts):
            raise ArtifactError(
                f"expected version {info.id} to hold {dict(info.counts)}, read {counts}; build it again"
            )
        files = {
            kind: {"rows": rows, "sha256": file_digest(draft / f"{kind}.parquet")}
            for kind, rows in counts.items()
        }
        manifest = {
            "format_version": _FORMAT_VERSION,
            "index": name,
            "files": files,
            "version": replace(info, counts=counts).to_properties(),
        }
        write_json(draft / _MANIFEST, manifest)


@dataclass(frozen=True, kw_only=True)
class VersionFiles:
    """A folder that `VectorIndex.export` wrote, checked.

    Parameters
    ----------
    info
        What the version was built from.
    """

    folder: Path
    info: VersionInfo

    @classmethod
    def open(cls, folder: Path) -> VersionFiles:
        """Read the manifest, and check the files against it.

        Raises
        ------
        ArtifactError
            If the folder is no export, is damaged, or holds other items than it says.
        """
        manifest = _manifest(folder)
        refuse_links(folder)
        for kind in KINDS:
            path = folder / f"{kind.name}.parquet"
            if not path.is_file() or file_digest(path) != manifest["files"][kind.name]["sha256"]:
                raise ArtifactError(f"{path} is missing or damaged: export the version again")
        try:
            info = VersionInfo.from_properties(manifest["version"], is_live=False)
            files = cls(folder=folder, info=info)
            rows = {kind: entry["rows"] for kind, entry in manifest["files"].items()}
            is_said = dict(info.counts) == rows == {kind.name: files._counted(kind) for kind in KINDS}
        except (KeyError, TypeError, ValueError, InvalidInputError) as error:
            raise _no_export(folder) from error
        if not is_said or not files._is_itself():
            raise ArtifactError(
                f"expected {folder} to hold version {info.id}, got other rows; export the version again"
            )
        return files

    @staticmethod
    def name_in(folder: Path) -> str:
        """Name of the index that was exported into a folder."""
        return str(_manifest(folder)["index"])

    def pages(self) -> dict[str, Iterator[Page]]:
        """Rows and vectors of each collection, checked as they are read."""
        return {kind.name: self._pages(kind) for kind in KINDS}

    def check_rows(self) -> None:
        """Refuse rows over their limits in bytes, to which a server that imports files does not hold them.

        Raises
        ------
        InvalidInputError
            If there is one, or a vector is none.
        """
        for pages in self.pages().values():
            deque(pages, maxlen=0)

    def check_copy(self, tables: Tables) -> None:
        """Refuse a version that a server has read from other files than these.

        Raises
        ------
        ArtifactError
            If the rows differ in an id or a hash, or those of the first page in a vector.
        """
        for kind, table in tables._asdict().items():
            stored = table.hashes().items()
            keys = (item_key({"id": id_, "content_hash": hash_}) for id_, hash_ in stored)
            is_same = KeySum.of(keys) == KeySum.of(self._keys(kind))
            for rows, vectors in islice(self.pages()[kind], int(is_same)):
                is_same = np.array_equal(table.vectors([row["id"] for row in rows]), vectors)
            if not is_same:
                raise ArtifactError(
                    f"expected the server's copy of {kind}.parquet to be that of {self.folder}, got another "
                    "one; copy the folder to the server's storage again"
                )

    def _pages(self, kind: RecordKind[Any]) -> Iterator[Page]:
        for table in self._batches(kind.name):
            vectors = _checked_vectors(kind, table.column("vector"), self.info.dimension)
            rows = table.drop_columns(["vector"]).to_pylist()
            for row in rows:
                if "metadata" in row:
                    row["metadata"] = _from_json(row["metadata"])
                check_row(kind, row)
            yield rows, vectors

    def _is_itself(self) -> bool:
        """Whether the items make the version's id; those of one that was edited need not."""
        if self.info.state != "ready":
            return self.info.state == "edited"
        return self.info.is_of(list(self._keys("items")))

    def _keys(self, kind: str) -> Iterator[str]:
        for table in self._batches(kind, columns=["id", "content_hash"]):
            yield from map(item_key, table.to_pylist())

    def _batches(self, kind: str, columns: list[str] | None = None) -> Iterator[Any]:
        arrow, parquet = require("pyarrow", extra="tables"), require("pyarrow.parquet", extra="tables")
        with parquet.ParquetFile(self.folder / f"{kind}.parquet") as file:
            for batch in file.iter_batches(batch_size=_ROWS_PER_READ, columns=columns):
                yield arrow.Table.from_batches([batch])

    def _counted(self, kind: RecordKind[Any]) -> int:
        parquet = require("pyarrow.parquet", extra="tables")
        with parquet.ParquetFile(self.folder / f"{kind.name}.parquet") as file:
            found, expected = file.schema_arrow, _schema(kind, self.info.dimension)
            if not found.equals(expected) or found.metadata != expected.metadata:
                raise _no_export(self.folder)
            return int(file.metadata.num_rows)


def _manifest(folder: Path) -> Mapping[str, Any]:
    try:
        manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        is_known = manifest["format_version"] == _FORMAT_VERSION
        is_whole = {kind.name for kind in KINDS} == set(manifest["files"]) and "index" in manifest
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _no_export(folder) from error
    if not is_known or not is_whole:
        raise _no_export(folder)
    return manifest  # type: ignore[no-any-return]


def _no_export(folder: Path) -> ArtifactError:
    return ArtifactError(
        f"expected {folder} to be a folder that `zeroshot export` wrote, of format {_FORMAT_VERSION}, got "
        "something else; export the version again"
    )


def _from_json(cell: object) -> object:
    """Read metadata; what is no JSON stays as it is, and is refused as a row."""
    try:
        return json.loads(cell)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return cell


def _write_parquet(path: Path, kind: RecordKind[Any], table: RecordTable[Any], dimension: int) -> int:
    """Write the rows of one collection, page by page; their number."""
    parquet = require("pyarrow.parquet", extra="tables")
    schema, n_rows = _schema(kind, dimension), 0
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for rows, vectors in table.stored_pages():
            writer.write_table(_arrow_table(rows, vectors, schema))
            n_rows += len(rows)
    return n_rows


def _schema(kind: RecordKind[Any], dimension: int) -> Any:
    arrow = require("pyarrow", extra="tables")
    of_lists = arrow.list_(arrow.string())
    types = {"position": arrow.int64(), "weight": arrow.float64()} | dict.fromkeys(
        ("concepts", "synonyms", "sources"), of_lists
    )
    fields = [(name, types.get(name, arrow.string())) for name in kind.stored]
    # A server takes no lists of a fixed length, so that the length stands beside them.
    vector = ("vector", arrow.list_(arrow.float32()))
    return arrow.schema([*fields, vector], metadata={"dimension": str(dimension)})


def _arrow_table(rows: list[Row], vectors: Vectors, schema: Any) -> Any:
    arrow = require("pyarrow", extra="tables")
    plain = [
        row | {"metadata": json.dumps(row["metadata"], ensure_ascii=False)} if "metadata" in row else row
        for row in rows
    ]
    cells = arrow.array(np.ascontiguousarray(vectors, dtype=np.float32).ravel())
    fields = [schema.field(name) for name in schema.names[:-1]]
    columns = [arrow.array([row[field.name] for row in plain], field.type) for field in fields]
    starts = arrow.array(np.arange(len(rows) + 1, dtype=np.int32) * vectors.shape[1])
    columns.append(arrow.ListArray.from_arrays(starts, cells))
    return arrow.Table.from_arrays(columns, schema=schema)


def _checked_vectors(kind: RecordKind[Any], column: Any, dimension: int) -> Vectors:
    """Vectors of unit length, shape (n, d)."""
    arrow = require("pyarrow", extra="tables")
    try:
        lists = column.combine_chunks().cast(arrow.list_(arrow.float32(), dimension))
    except arrow.ArrowInvalid as error:
        raise InvalidInputError(f"expected vectors of {kind.name} of {dimension} numbers: {error}") from error
    cells = lists.flatten().to_numpy(zero_copy_only=False).reshape(-1, dimension)
    vectors = checks.vectors(f"vectors of {kind.name}", cells, (len(column), dimension))
    lengths = np.linalg.norm(vectors, axis=1)
    # A relation between two concepts with the same vector has none of its own.
    if kind.name == "items" and not np.allclose(lengths, 1.0, atol=_LENGTH_TOLERANCE):
        raise InvalidInputError(f"expected vectors of {kind.name} of unit length, got {lengths.max():.3f}")
    return vectors
