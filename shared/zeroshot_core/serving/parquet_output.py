"""Places for Parquet, on this machine or at a URL that Arrow opens, that are filled whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from zeroshot_core import checks
from zeroshot_core.errors import InvalidInputError, require
from zeroshot_core.files import new_folder, replacing

__all__ = ["count_rows", "is_url", "parquet_file", "parquet_folder", "write_tables"]


def is_url(out: str | os.PathLike[str]) -> bool:
    """Whether an output is not on this machine's disk: ``s3://bucket/name``."""
    return "://" in os.fspath(out)


@contextmanager
def parquet_file(out: str | os.PathLike[str]) -> Iterator[tuple[Any, str]]:
    """Write a file within the block; it is there, or replaced, when the block ends well.

    Yields
    ------
    filesystem, path
        Arrow's, and where on it to write.
    """
    if is_url(out):
        filesystem, path = _opened(out)
        beside = f"{path}.part"
        try:
            yield filesystem, beside
            filesystem.move(beside, path)
        except BaseException:
            with suppress(OSError):
                filesystem.delete_file(beside)
            raise
    else:
        target = checks.path("out", out)
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target) as part:
            yield require("pyarrow.fs", extra="tables").LocalFileSystem(), str(part)


@contextmanager
def parquet_folder(out: str | os.PathLike[str]) -> Iterator[tuple[Any, str]]:
    """Write into a new or empty folder within the block; nothing is left there when it fails.

    Yields
    ------
    filesystem, path
        Arrow's, and the folder on it.

    Raises
    ------
    InvalidInputError
        If the folder is not empty.
    """
    arrow_fs = require("pyarrow.fs", extra="tables")
    if is_url(out):
        filesystem, path = _opened(out)
        if filesystem.get_file_info(arrow_fs.FileSelector(path, allow_not_found=True)):
            raise InvalidInputError(
                f"expected a new or empty folder, got {checks.shown(out)}; choose another one"
            )
        filesystem.create_dir(path)
        try:
            yield filesystem, path
        except BaseException:
            with suppress(OSError):
                filesystem.delete_dir(path)
            raise
    else:
        with new_folder(checks.path("out", out)) as draft:
            draft.mkdir()
            yield arrow_fs.LocalFileSystem(), str(draft)


def write_tables(tables: Iterable[Any], filesystem: Any, path: str) -> int:
    """Write Arrow tables into one Parquet file as they come; the number of rows."""
    parquet, n_rows, writer = require("pyarrow.parquet", extra="tables"), 0, None
    try:
        for table in tables:
            if writer is None:
                writer = parquet.ParquetWriter(path, table.schema, filesystem=filesystem)
            writer.write_table(table.cast(writer.schema))
            n_rows += table.num_rows
    finally:
        if writer is not None:
            writer.close()
    return n_rows


def count_rows(filesystem: Any, folder: str) -> int:
    """Rows of the Parquet files in a folder."""
    parquet = require("pyarrow.parquet", extra="tables")
    found = filesystem.get_file_info(require("pyarrow.fs", extra="tables").FileSelector(folder))
    return sum(
        parquet.read_metadata(info.path, filesystem=filesystem).num_rows
        for info in found
        if info.path.endswith(".parquet")
    )


def _opened(url: str | os.PathLike[str]) -> tuple[Any, str]:
    filesystem, path = require("pyarrow.fs", extra="tables").FileSystem.from_uri(os.fspath(url))
    return filesystem, path.rstrip("/")
