"""Encoders that stand in for another one and give the same vectors, kept from before or known elsewhere."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping, Sequence
from contextlib import closing
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core import checks
from zeroshot_core.encoders.base import Encoder, Role
from zeroshot_core.encoders.contents import check_role, unique_texts, unit_rows
from zeroshot_core.encoders.modalities import content_keys
from zeroshot_core.errors import ArtifactError, InvalidInputError
from zeroshot_core.types import Content

if TYPE_CHECKING:
    import sqlite3

    from zeroshot_core.types import Ints, Vectors

__all__ = ["CachedEncoder", "KnownVectors", "RememberingEncoder", "WrappingEncoder"]

# Texts encoded between two writes: what an interruption may lose.
_CHUNK = 1024
# Most keys in one query of SQLite.
_KEYS = 500
# How far the length of a stored unit vector may be from 1.
_LENGTH_TOLERANCE = 1e-3
_TABLE = "CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB)"
_TRIM = "DELETE FROM vectors WHERE rowid <= (SELECT max(rowid) FROM vectors) - ?"


class WrappingEncoder(Encoder):
    """Another encoder with the same vectors; how it comes by them is up to its `encode`.

    Parameters
    ----------
    encoder
        What encodes the contents that are not known.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder

    @property
    def name(self) -> str:
        """The inner encoder's name."""
        return self._encoder.name

    @property
    def dimension(self) -> int:
        """The inner encoder's dimension."""
        return self._encoder.dimension

    @property
    def fingerprint(self) -> str:
        """The inner encoder's: the vectors are the same."""
        return self._encoder.fingerprint

    @property
    def document_fingerprint(self) -> str:
        """The inner encoder's."""
        return self._encoder.document_fingerprint

    @property
    def modalities(self) -> tuple[str, ...]:
        """The inner encoder's."""
        return self._encoder.modalities

    @property
    def languages(self) -> frozenset[str] | None:
        """The inner encoder's."""
        return self._encoder.languages

    @property
    def repeatability(self) -> float:
        """The inner encoder's."""
        return self._encoder.repeatability

    def to_config(self) -> dict[str, Any]:
        """Refer to the inner encoder."""
        return self._encoder.to_config()


class RememberingEncoder(WrappingEncoder):
    """Another encoder with the same vectors, which keeps those that it has computed.

    Parameters
    ----------
    encoder
        What encodes the contents not met before.
    """

    def __init__(self, encoder: Encoder) -> None:
        super().__init__(encoder)
        self._known: dict[tuple[Role, Hashable], Vectors] = {}

    def encode(
        self, contents: Sequence[Content], *, role: Role = "document", show_progress: bool = False
    ) -> Vectors:
        """Encode the contents not met before, and look up the others."""
        given = checks.repaired_texts(checks.sequence("contents", contents, of="texts"))
        keys = [(role, key) for key in _keys(self._encoder, given)]
        new = {key: content for key, content in zip(keys, given, strict=True) if key not in self._known}
        if new:
            vectors = self._encoder.encode(list(new.values()), role=role, show_progress=show_progress)
            self._known.update(zip(new, vectors, strict=True))
        rows = [self._known[key] for key in keys]
        return np.stack(rows) if rows else np.empty((0, self.dimension), dtype=np.float32)


class KnownVectors(WrappingEncoder):
    """Another encoder that takes the vectors of documents from a table where they are in it.

    Parameters
    ----------
    encoder
        What encodes all other texts; the one that the vectors come from.
    vectors
        Vector by text; scaled to length 1.

    Raises
    ------
    InvalidInputError
        If a vector has another dimension than the encoder's, or no direction.
    """

    def __init__(self, encoder: Encoder, vectors: Mapping[str, Sequence[float]]) -> None:
        super().__init__(encoder)
        wrong = {len(vector) for vector in vectors.values()} - {encoder.dimension}
        if wrong:
            raise InvalidInputError(
                f"expected vectors of {encoder.dimension} dimensions, got {wrong.pop()}; give the encoder "
                "that they were made with"
            )
        rows = unit_rows(np.reshape([*vectors.values()], (-1, encoder.dimension)), [*vectors])
        self._known = dict(zip(vectors, rows, strict=True))

    def encode(
        self, contents: Sequence[Content], *, role: Role = "document", show_progress: bool = False
    ) -> Vectors:
        """Look up the documents that are known, encode the other contents."""
        check_role(role)
        if role == "query":
            return self._encoder.encode(contents, role=role, show_progress=show_progress)
        if self._encoder.modalities == ("text",):
            texts, where = unique_texts(contents, self.name)
        else:
            texts = checks.sequence("contents", contents, of="texts or images")
            where = np.arange(len(texts))
        rows = np.empty((len(texts), self.dimension), dtype=np.float32)
        new = [i for i, text in enumerate(texts) if not isinstance(text, str) or text not in self._known]
        for place in set(range(len(texts))).difference(new):
            rows[place] = self._known[texts[place]]
        if new:
            fresh = [texts[place] for place in new]
            rows[new] = self._encoder.encode(fresh, role=role, show_progress=show_progress)
        return rows[where]


class CachedEncoder(WrappingEncoder):
    """Another encoder with the same vectors, kept in an SQLite file by content, role and fingerprint.

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
        super().__init__(encoder)
        self._path = Path(path)
        self._max_vectors = checks.whole("max_vectors", max_vectors, least=1)

    def encode(
        self, contents: Sequence[Content], *, role: Role = "document", show_progress: bool = False
    ) -> Vectors:
        """Look up the contents met before, encode and keep the others; a damaged row is made anew.

        Raises
        ------
        InvalidInputError
            If a content is empty, or of a kind that the inner encoder does not take.
        ArtifactError
            If the file is no cache of vectors.
        """
        import sqlite3

        check_role(role)
        texts, where = self._distinct(contents)
        keys = [self._key(key, role) for key in _keys(self._encoder, texts)]
        rows = np.empty((len(texts), self.dimension), dtype=np.float32)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ArtifactError(
                f"expected a place for a cache of vectors, got {self._path} ({error}); give another path"
            ) from error
        try:
            with closing(sqlite3.connect(self._path, timeout=60)) as file:
                file.execute(_TABLE)
                known = _read(file, keys, self.dimension)
                new = [place for place, key in enumerate(keys) if key not in known]
                for place, key in enumerate(keys):
                    if key in known:
                        rows[place] = known[key]
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

    def _distinct(self, contents: Sequence[Content]) -> tuple[list[Any], Ints]:
        """Give the distinct contents, and for each content the position of its own."""
        if self._encoder.modalities == ("text",):
            return unique_texts(contents, self.name)
        given = checks.repaired_texts(checks.sequence("contents", contents, of="texts or images"))
        places: dict[Hashable, int] = {}
        kept, where = [], np.empty(len(given), np.int64)
        for i, (key, content) in enumerate(zip(content_keys(given), given, strict=True)):
            if key not in places:
                kept.append(content)
            where[i] = places.setdefault(key, len(places))
        return kept, where

    def _key(self, key: Hashable, role: Role) -> bytes:
        whole = f"{self.fingerprint}\0{role}\0{key}".encode("utf-8", "surrogatepass")
        kind = b"" if isinstance(key, str) else b"image"
        return blake2b(whole, digest_size=16, person=kind).digest()


def _keys(encoder: Encoder, contents: Sequence[Content]) -> Sequence[Hashable]:
    """Tell contents apart; an encoder of texts refuses what is none in its own words."""
    return contents if encoder.modalities == ("text",) else content_keys(contents)


def _read(file: sqlite3.Connection, keys: Sequence[bytes], dimension: int) -> dict[bytes, Vectors]:
    """Look up vectors; a damaged row counts as missing, so that it is made anew."""
    found: dict[bytes, Vectors] = {}
    for start in range(0, len(keys), _KEYS):
        part = keys[start : start + _KEYS]
        marks = ",".join("?" * len(part))
        for key, stored in file.execute(f"SELECT key, vector FROM vectors WHERE key IN ({marks})", part):
            if isinstance(stored, bytes) and len(stored) == 4 * dimension:
                vector = np.frombuffer(stored, dtype="<f4")
                # NaN compares as no length does.
                if abs(float(np.linalg.norm(vector)) - 1) < _LENGTH_TOLERANCE:
                    found[key] = vector
    return found
