"""Texts through an extractor, each asked once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from zeroshot_core.construction.checkpoint import append_readings, read_checkpoint, text_digest
from zeroshot_core.construction.reading import Extractor, Reading, read_answer
from zeroshot_core.errors import InvalidInputError
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
    return Source(id=f"text-{text_digest(value)}", text=value)


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

    known = read_checkpoint(checkpoint) if checkpoint else {}
    distinct = dict.fromkeys(texts)
    readings = {text: known[digest] for text in distinct if (digest := text_digest(text)) in known}
    open_texts = [text for text in distinct if text not in readings]
    with tqdm(total=len(open_texts), desc="extracting", unit="text", disable=not show_progress) as bar:
        for batch in _batches(open_texts, batch_size):
            found = dict(zip(batch, _ask(extract, batch), strict=True))
            if checkpoint:
                append_readings(checkpoint, _worth_keeping(found))
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
        text_digest(text): reading
        for text, reading in readings.items()
        if reading.triples or not (reading.problems or reading.error)
    }


def _batches(texts: list[str], size: int) -> Iterator[list[str]]:
    for start in range(0, len(texts), size):
        yield texts[start : start + size]
