"""Texts through an extractor, each asked once, and the answers kept in a file of JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zeroshot_core.construction.triples import Extractor, Reading, Triple, read_answer
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.files import digest
from zeroshot_core.types import Item

__all__ = ["Source", "extract_all", "read_sources"]


@dataclass(frozen=True, kw_only=True)
class Source:
    """A text and the id under which it is cited."""

    id: str
    text: str


def read_sources(texts: Sequence[str | Item]) -> list[Source]:
    """Texts with the ids of their items; a bare text is cited as ``text-`` and 16 digits of its digest.

    Raises
    ------
    InvalidInputError
        If something has no text, or two texts share an id.
    """
    if isinstance(texts, str):
        raise InvalidInputError(
            f"expected a list of texts or items, got one text {texts[:40]!r}; wrap it in a list"
        )
    sources: dict[str, Source] = {}
    for value in texts:
        source = _source(value)
        if sources.setdefault(source.id, source).text != source.text:
            raise InvalidInputError(f"expected distinct ids, got {source.id!r} for two texts; rename one")
    return list(sources.values())


def _source(value: str | Item) -> Source:
    if isinstance(value, Item) and value.text is not None:
        return Source(id=value.id, text=value.text)
    if not isinstance(value, str) or not value.strip():
        raise InvalidInputError(f"expected non-empty texts or items with a text, got {value!r}; drop it")
    return Source(id=f"text-{digest(value)}", text=value)


def extract_all(
    texts: Sequence[str],
    extract: Extractor,
    *,
    checkpoint: Path | None,
    batch_size: int,
    show_progress: bool,
) -> dict[str, Reading]:
    """Ask for each text that `checkpoint` does not hold, and add what comes to it batch by batch.

    An answer that failed, or that holds malformed triples alone, is not kept: the next run asks again.
    """
    from tqdm import tqdm

    known = _kept_readings(checkpoint) if checkpoint else {}
    distinct = dict.fromkeys(texts)
    readings = {text: known[key] for text in distinct if (key := digest(text)) in known}
    open_texts = [text for text in distinct if text not in readings]
    with tqdm(total=len(open_texts), desc="extracting", unit="text", disable=not show_progress) as bar:
        for batch in _batches(open_texts, batch_size):
            found = dict(zip(batch, _ask(extract, batch), strict=True))
            if checkpoint:
                _append_readings(checkpoint, _worth_keeping(found))
            readings |= found
            bar.update(len(batch))
    return readings


def _ask(extract: Extractor, batch: list[str]) -> list[Reading]:
    answers = extract(batch)
    if len(answers) != len(batch):
        raise InvalidInputError(
            f"expected an answer for each of {len(batch)} texts, got {len(answers)}; mend the extractor"
        )
    return [read_answer(answer) for answer in answers]


def _worth_keeping(readings: Mapping[str, Reading]) -> dict[str, Reading]:
    return {
        digest(text): reading
        for text, reading in readings.items()
        if reading.triples or not (reading.problems or reading.error)
    }


def _batches(texts: list[str], size: int) -> Iterator[list[str]]:
    for start in range(0, len(texts), size):
        yield texts[start : start + size]


def _kept_readings(path: Path) -> dict[str, Reading]:
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


def _append_readings(path: Path, readings: Mapping[str, Reading]) -> None:
    """Add readings by digest of their text."""
    with path.open("a", encoding="utf-8", newline="\n") as file:
        file.writelines(_line(key, reading) for key, reading in readings.items())


def _line(key: str, reading: Reading) -> str:
    record = {"text": key, "triples": [vars(t) for t in reading.triples], "problems": reading.problems}
    return json.dumps(record) + "\n"


def _record(line: str) -> tuple[str, Reading]:
    record: dict[str, Any] = json.loads(line)
    triples = tuple(Triple(**fields) for fields in record["triples"])
    return record["text"], Reading(triples=triples, problems=tuple(record["problems"]))
