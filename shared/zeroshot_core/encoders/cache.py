"""Vectors kept on disk, so that no text is paid for twice."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.encoders.base import Encoder, Role
from zeroshot_core.encoders.contents import check_role, unique_texts
from zeroshot_core.encoders.wrapping import WrappingEncoder
from zeroshot_core.errors import ArtifactError, InvalidInputError
from zeroshot_core.types import Content

if TYPE_CHECKING:
    from zeroshot_core.types import Vectors

__all__ = ["CachedEncoder"]

# Texts encoded between two writes: what an interruption may lose.
_CHUNK = 1024
# Most keys in one query of SQLite.
_KEYS = 500
_TABLE = "CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB)"
_TRIM = "DELETE FROM vectors WHERE rowid <= (SELECT max(rowid) FROM vectors) - ?"


class CachedEncoder(WrappingEncoder):
    """Another encoder with the same vectors, kept in an SQLite file by text, role and fingerprint.

    Several encoders, and several processes, may share a file.

    Parameters
    ----------
    encoder
        What encodes the texts not met before.
    path
        Of the file; made at the first use.
    max_vectors
        Most vectors to keep, at least 1; the oldest go first. A million of 384 numbers take 1.6 GB.

    Raises
    ------
    InvalidInputError
        If `max_vectors` is below 1.
    """

    def __init__(
        self, encoder: Encoder, path: str | os.PathLike[str], *, max_vectors: int = 1_000_000
    ) -> None:
        if max_vectors < 1:
            raise InvalidInputError(f"expected max_vectors of at least 1, got {max_vectors}")
        super().__init__(encoder)
        self._path = Path(path)
        self._max_vectors = max_vectors

    def encode(
        self, contents: Sequence[Content], *, role: Role = "document", show_progress: bool = False
    ) -> Vectors:
        """Look up the texts met before, encode and keep the others.

        Raises
        ------
        InvalidInputError
            If a content is not a non-empty text.
        ArtifactError
            If the file is no cache of vectors.
        """
        check_role(role)
        texts, where = unique_texts(contents, self.name)
        keys = [self._key(text, role) for text in texts]
        rows = np.empty((len(texts), self.dimension), dtype=np.float32)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with closing(sqlite3.connect(self._path, timeout=60)) as file:
                file.execute(_TABLE)
                known = _read(file, keys)
                new = [place for place, key in enumerate(keys) if key not in known]
                for place, key in enumerate(keys):
                    if key in known:
                        rows[place] = np.frombuffer(known[key], dtype="<f4")
                for start in range(0, len(new), _CHUNK):
                    chunk = new[start : start + _CHUNK]
                    rows[chunk] = self._encoder.encode(
                        [texts[place] for place in chunk], role=role, show_progress=show_progress
                    )
                    with file:
                        file.executemany(
                            "INSERT OR REPLACE INTO vectors VALUES (?, ?)",
                            [(keys[place], rows[place].astype("<f4").tobytes()) for place in chunk],
                        )
                        file.execute(_TRIM, (self._max_vectors,))
        except sqlite3.DatabaseError as error:
            raise ArtifactError(
                f"expected a cache of vectors in {self._path}, got {error}; give another path, or delete it"
            ) from error
        return rows[where]

    def _key(self, text: str, role: Role) -> bytes:
        whole = f"{self.fingerprint}\0{role}\0{text}".encode("utf-8", "surrogatepass")
        return blake2b(whole, digest_size=16).digest()


def _read(file: sqlite3.Connection, keys: Sequence[bytes]) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for start in range(0, len(keys), _KEYS):
        part = keys[start : start + _KEYS]
        marks = ",".join("?" * len(part))
        found.update(file.execute(f"SELECT key, vector FROM vectors WHERE key IN ({marks})", part))
    return found
