"""Data sets that don't fit in memory: surveyed, then encoded and written block by block."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Container, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from zeroshot_core import checks
from zeroshot_core.encoders.contents import unique_texts
from zeroshot_core.errors import InvalidInputError, require
from zeroshot_core.index.builder import encode_checked
from zeroshot_core.index.key_sum import KeySum
from zeroshot_core.index.version_writer import unfinished
from zeroshot_core.index.versions import item_key

if TYPE_CHECKING:
    from zeroshot_core.encoders.base import Encoder
    from zeroshot_core.index.item_columns import ItemColumns
    from zeroshot_core.index.record_table import RecordTable
    from zeroshot_core.index.schema import Row
    from zeroshot_core.index.versions import VersionCatalog, VersionInfo
    from zeroshot_core.types import Item

__all__ = [
    "BLOCK_ROWS",
    "Files",
    "StreamedItems",
    "find_files",
    "read_blocks",
    "write_block",
]

Paths: TypeAlias = "str | os.PathLike[str] | Sequence[str | os.PathLike[str]]"

BLOCK_ROWS = 2048
_FORMATS = {".parquet": "parquet", ".jsonl": "json", ".ndjson": "json", ".json": "json", ".csv": "csv"}


class Files(NamedTuple):
    """Files of one format."""

    filesystem: Any
    paths: list[str]
    format: str


class StreamedItems:
    """Files of items, read, encoded and written by this process a block at a time.

    Milvus Lite keeps what it writes in memory; a server does not.
    """

    def __init__(self, files: Files, columns: ItemColumns) -> None:
        self._files = files
        self._columns = columns

    def survey(self, concepts: Container[str] | None) -> KeySum:
        """Check all items; their number and digest."""
        total = KeySum()
        for block in self._blocks():
            total = total.plus(KeySum.of(map(item_key, self._columns.checked(block, concepts)[1])))
        return total

    def write(
        self, catalog: VersionCatalog, info: VersionInfo, encoder: Encoder, *, is_resumed: bool
    ) -> None:
        """Encode and write what is missing or changed."""
        table = catalog.tables(info).items
        for block in self._blocks():
            write_block(table, encoder, *self._columns.checked(block), is_resumed=is_resumed)

    def _blocks(self) -> Iterator[Any]:
        texts = (self._columns.id, self._columns.text, *self._columns.concepts)
        return read_blocks(self._files, texts=texts)


def write_block(
    table: RecordTable[Item],
    encoder: Encoder,
    items: Sequence[Item],
    rows: Sequence[Row],
    *,
    is_resumed: bool,
) -> int:
    """Encode and write the rows of a block that are missing or changed; their number.

    Each content is encoded once. Writing a block again changes nothing.
    """
    stored = table.hashes([row["id"] for row in rows]) if is_resumed else {}
    places = unfinished(rows, stored)
    if places:
        texts, where = unique_texts([items[place].content for place in places], encoder.name)
        table.write([rows[place] for place in places], encode_checked(encoder, texts)[where], replace=True)
    return len(places)


def find_files(source: Paths) -> Files:
    """Files of a path, a folder, a glob, or several of these, here or at a URL that Arrow opens (``s3://``).

    Raises
    ------
    InvalidInputError
        If there are none, or they are not all Parquet, JSON lines or CSV.
    """
    arrow_fs = require("pyarrow.fs", extra="tables")
    given = [source] if isinstance(source, str | os.PathLike) else list(source)
    wanted = [os.fspath(path) for path in given]
    is_remote = any("://" in path for path in wanted)
    if is_remote:
        try:
            opened = [_remote_paths(url) for url in wanted]
        except (OSError, require("pyarrow", extra="tables").ArrowInvalid) as error:
            raise InvalidInputError(
                f"expected files at {checks.shown(source)}, got an error: {checks.shown(str(error))}; check "
                "the address, the credentials (AWS_ACCESS_KEY_ID or a profile) and AWS_ENDPOINT_URL"
            ) from None
        filesystem, paths = opened[0][0], [path for _, found in opened for path in found]
    else:
        filesystem = arrow_fs.LocalFileSystem()
        paths = [found for path in wanted for found in _local_paths(path)]
    formats = {_FORMATS.get(Path(path).suffix.lower()) for path in paths}
    if len(formats) != 1 or None in formats:
        got = checks.listed([Path(path).name for path in paths[:3]]) or "none"
        raise InvalidInputError(
            f"expected files that are all .parquet, all .jsonl or all .csv at {checks.shown(source)}, "
            f"got {got}"
        )
    return Files(filesystem, paths, str(formats.pop()))


def read_blocks(files: Files, *, texts: Sequence[str] = ()) -> Iterator[Any]:
    """Arrow tables of at most 2,048 rows, one after the other.

    Parameters
    ----------
    texts
        Columns of CSV that are read as they are written, where others become numbers if they look so.
    """
    dataset = require("pyarrow.dataset", extra="tables")
    arrow = require("pyarrow", extra="tables")
    format_ = (
        dataset.CsvFileFormat(convert_options=csv_options(texts)) if files.format == "csv" else files.format
    )
    try:
        opened = dataset.dataset(files.paths, format=format_, filesystem=files.filesystem)
        for batch in opened.to_batches(batch_size=BLOCK_ROWS, batch_readahead=1, fragment_readahead=1):
            if batch.num_rows:
                yield arrow.Table.from_batches([batch])
    except (arrow.ArrowInvalid, arrow.ArrowTypeError) as error:
        raise InvalidInputError(
            f"expected readable files like {files.paths[0]}, got one that is not: {str(error)[:200]}"
        ) from error


def csv_options(texts: Sequence[str]) -> Any:
    """How Arrow reads CSV: ids stay as they are written, ``007`` too."""
    arrow, csv = require("pyarrow", extra="tables"), require("pyarrow.csv", extra="tables")
    return csv.ConvertOptions(
        column_types=dict.fromkeys(texts, arrow.string()), strings_can_be_null=True, null_values=[""]
    )


def _local_paths(path: str) -> list[str]:
    if Path(path).is_dir():
        return sorted(str(each) for each in Path(path).iterdir() if each.suffix.lower() in _FORMATS)
    return [path] if Path(path).is_file() else sorted(glob.glob(path, recursive=True))  # noqa: PTH207


def _remote_paths(url: str) -> tuple[Any, list[str]]:
    """Arrow's file system of a file, a folder or a glob at a URL, and the files there."""
    fs = require("pyarrow.fs", extra="tables")
    # User and password of a URL are the file system's, and no part of a path.
    wild = re.search(r"[*?\[]", url)
    head, _, name = url[: wild.start()].rpartition("/") if wild else (url, "", "")
    filesystem, base = fs.FileSystem.from_uri(head)
    if wild is None and filesystem.get_file_info(base).type == fs.FileType.File:
        return filesystem, [base]
    pattern = f"{base.rstrip('/')}/{name}{url[wild.start() :]}" if wild else ""
    infos = filesystem.get_file_info(fs.FileSelector(base, recursive=True, allow_not_found=True))
    return filesystem, sorted(
        info.path
        for info in infos
        if info.type == fs.FileType.File
        and Path(info.path).suffix.lower() in _FORMATS
        and (wild is None or fnmatchcase(info.path, pattern))
    )
