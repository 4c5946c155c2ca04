"""Answers already paid for, kept in a file of JSON lines."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zeroshot_core.construction.reading import Reading, Triple
from zeroshot_core.errors import InvalidInputError

__all__ = ["append_readings", "read_checkpoint", "text_digest"]


def text_digest(text: str) -> str:
    """16 hex digits of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_checkpoint(path: Path) -> dict[str, Reading]:
    """Read what an earlier run kept, by digest of the text; cut off a last line that a kill left unfinished.

    Raises
    ------
    InvalidInputError
        If the file can't be read, or another line is damaged.
    """
    if not path.exists():
        return {}
    try:
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        found = dict(map(_record, whole.decode().splitlines()))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InvalidInputError(
            f"expected a checkpoint of an earlier run, got {path}: {error}; name another file"
        ) from error
    if len(whole) < len(content):
        with path.open("r+b") as file:
            file.truncate(len(whole))
    return found


def append_readings(path: Path, readings: Mapping[str, Reading]) -> None:
    """Add readings by digest of their text."""
    with path.open("a", encoding="utf-8", newline="\n") as file:
        file.writelines(_line(digest, reading) for digest, reading in readings.items())


def _line(digest: str, reading: Reading) -> str:
    record = {"text": digest, "triples": [vars(t) for t in reading.triples], "problems": reading.problems}
    return json.dumps(record) + "\n"


def _record(line: str) -> tuple[str, Reading]:
    record: dict[str, Any] = json.loads(line)
    triples = tuple(Triple(**fields) for fields in record["triples"])
    return record["text"], Reading(triples=triples, problems=tuple(record["problems"]))
