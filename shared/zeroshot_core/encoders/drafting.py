"""Writing a folder beside its place and renaming it, so that no half-written one ever bears the name."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zeroshot_core.errors import InvalidInputError

__all__ = ["drafted_folder"]


@contextmanager
def drafted_folder(folder: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a place to write to, not made yet, which becomes the folder at the end.

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
