"""Files and folders written whole or not at all, and digests."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from zeroshot_core.errors import InvalidInputError

__all__ = ["digest", "file_digest", "new_folder", "replacing", "write_json", "write_text"]


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file beside another one, which it replaces by one rename when the block ends well.

    The file beside is created exclusively, under a name that nobody can foresee, with the permissions of the
    user's umask; it is removed if the block fails.

    Yields
    ------
    Path
        An empty file to be written.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    os.close(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        yield beside
        with beside.open("rb") as written:
            # A rename that reaches the disk before the content would leave an empty file after a power cut.
            os.fsync(written.fileno())
        beside.replace(path)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise


@contextmanager
def new_folder(folder: str | os.PathLike[str]) -> Iterator[Path]:
    """Write a folder beside its place, to which it is renamed when the block ends well.

    Yields
    ------
    Path
        A place to write to, not made yet.

    Raises
    ------
    InvalidInputError
        If the folder exists and is not empty.
    """
    target = Path(folder)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InvalidInputError(f"expected a new or empty folder, got {str(target)!r}; choose another one")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as beside:
        draft = Path(beside, "draft")
        yield draft
        draft.replace(target)


def write_text(path: Path, content: str) -> None:
    """Write a text as UTF-8 with bare line feeds, whole or not at all."""
    with replacing(path) as beside:
        beside.write_text(content, encoding="utf-8", newline="\n")


def write_json(path: Path, content: Any, *, indent: int | None = 2) -> None:
    """Write JSON, whole or not at all."""
    write_text(path, json.dumps(content, indent=indent) + "\n")


def digest(*parts: str | bytes, n: int = 16) -> str:
    """Hash parts, one after the other, by SHA-256.

    Parameters
    ----------
    n
        How many of the 64 hexadecimal digits are kept.
    """
    hasher = hashlib.sha256()
    for part in parts:
        hasher.update(part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass"))
    return hasher.hexdigest()[:n]


def file_digest(path: Path) -> str:
    """Hash a file's content by SHA-256, 64 hexadecimal digits, without holding it in memory."""
    with path.open("rb") as file:
        hasher = hashlib.sha256()
        for block in iter(lambda: file.read(1 << 20), b""):
            hasher.update(block)
    return hasher.hexdigest()
