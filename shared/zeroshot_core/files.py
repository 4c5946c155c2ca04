"""Files and folders written whole or not at all, locks, what the system refuses, and digests."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import secrets
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from zeroshot_core.errors import ArtifactError, InvalidInputError

__all__ = [
    "cause_of",
    "digest",
    "file_digest",
    "follow_umask",
    "lock_file",
    "new_folder",
    "refuse_links",
    "replacing",
    "write_json",
    "write_text",
]

_REMEDIES = {
    errno.ENOSPC: "free some space, or choose a folder on another disk",
    errno.EDQUOT: "free some space, or choose a folder on another disk",
    errno.EROFS: "choose a folder on a disk that can be written",
    errno.EACCES: "choose a folder that you may read and write, or change its permissions",
    errno.EPERM: "choose a folder that you may read and write, or change its permissions",
}


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
        follow_umask(draft)
        draft.replace(target)


def follow_umask(folder: Path) -> None:
    """Give the files in a folder the permissions of the user's umask, whatever the libraries that wrote them.

    Safetensors lets nobody but the user read what it writes.
    """
    # To ask for the umask is to change it, for all threads.
    probe = folder / f".{secrets.token_hex(8)}.tmp"
    os.close(os.open(probe, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    mode = probe.stat().st_mode
    probe.unlink()
    for place, _, files in os.walk(folder):
        for name in files:
            Path(place, name).chmod(mode)


def write_text(path: Path, content: str) -> None:
    """Write a text as UTF-8 with bare line feeds, whole or not at all."""
    with replacing(path) as beside:
        beside.write_text(content, encoding="utf-8", newline="\n")


def write_json(path: Path, content: Any, *, indent: int | None = 2) -> None:
    """Write JSON, whole or not at all."""
    write_text(path, json.dumps(content, indent=indent) + "\n")


@contextmanager
def lock_file(path: Path) -> Iterator[IO[str]]:
    """Hold a lock file, alone among all processes and threads; it is removed in the end.

    The system frees it when its holder dies; then it stays behind with its content. (No filelock that runs on
    every Python of ours spares the content of a lock that another one holds.)

    Yields
    ------
    IO
        The open file, with what a holder that died has left in it.

    Raises
    ------
    BlockingIOError
        If it is held; the content says by whom, if its holder wrote that.
    """
    file = _open_locked(path)
    try:
        yield file
    finally:
        # On a full disk, what is still to be written fails again here.
        with suppress(OSError):
            path.unlink()
        with suppress(OSError):
            file.truncate(0)
        with suppress(OSError):
            file.close()


def _open_locked(path: Path) -> IO[str]:
    """Open and lock a file, making it if need be, but never through a link."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    while True:
        file = os.fdopen(os.open(path, flags, 0o666), "r+", encoding="utf-8", errors="replace")
        try:
            _lock(file.fileno())
            # The former holder may have removed it since it was opened: then the lock guards nothing.
            if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return file
        except BaseException:
            file.close()
            raise
        file.close()


def _lock(number: int) -> None:
    """Lock an open file, or raise BlockingIOError at once."""
    if sys.platform == "win32":
        import msvcrt

        os.lseek(number, 1 << 30, os.SEEK_SET)  # beyond the content, which others may read
        try:
            msvcrt.locking(number, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from error
        finally:
            os.lseek(number, 0, os.SEEK_SET)
    else:
        import fcntl

        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)


def refuse_links(path: Path) -> None:
    """Refuse a file or folder of a saved model that is a link, or that holds one: it may lead anywhere.

    Raises
    ------
    ArtifactError
        If it is, or does.
    """
    within = (Path(root, name) for root, folders, files in os.walk(path) for name in (*folders, *files))
    for each in (path, *within):
        if each.is_symlink():
            raise ArtifactError(
                f"expected {each} to be no link, since one may lead out of the model's folder; "
                "copy the folder with what its links lead to (cp -rL)"
            )


def cause_of(error: BaseException) -> str | None:
    """Name what the system refused, in a clause with the remedy; None for an error of another origin.

    Libraries written in Rust raise errors of their own, which hold the system's number in words.
    """
    number = error.errno if isinstance(error, OSError) else None
    if number is None:
        found = re.search(r"\(os error (\d+)\)", str(error))
        number = int(found[1]) if found else None
    if number is None:
        return str(error) if isinstance(error, OSError) else None
    name = getattr(error, "filename", None)
    words = os.strerror(number).lower() + (f": {name}" if name else "")
    return f"{words}; {_REMEDIES[number]}" if number in _REMEDIES else words


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
