"""Strings that look like expressions, quotes, escapes and control characters, in every place that takes one.

Each string becomes the id, a metadata key, a metadata value, part of the text and a concept of an item. What
the package refuses, it must refuse in one sentence. What it takes must come back exactly, be found by exactly
its own filters, and be deleted alone; queries about other items must answer the same throughout.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from zeroshot_core import Concept, IndexParams, Item, KnowledgeGraph
from zeroshot_core.checks import repaired_text
from zeroshot_core.errors import ZeroShotError
from zeroshot_core.index import Condition, OpenVersion
from zeroshot_core.index.builder import checked_items
from zeroshot_core.index.schema import concept_row

from scripts.stability.outcome import CampaignOutcome, Tally, target_name
from scripts.stability.samples import ENCODER, Place, repaired_item, stock
from scripts.stability.sandbox import FilesOfOthers

__all__ = ["run", "strings"]

_FRAGMENTS = (
    '"', "'", "\\", "`", "\\\\", '\\"', "\n", "\r", "\t", "\b", "\x0b", "\x1b[31m", "\x7f", "\x85", "\0",
    "][", "k][", "[", "]", "(", ")", "{", "}", "{}", "{0}", "%", "%s", "%00", "$", "${HOME}", "$(id)", "#",
    ";", "--", "/*", "*/", "//", "..", "../", "~", "|", "&", "&&", "||", "!", "!=", "==", "=", "<", ">",
    "<=", "in", "not", "and", "or", "like", "exists", "true", "false", "null", "nan", "inf", "1", "0", "-1",
    "1e999", "0x10", "id", "text", "concepts", "metadata", '" or id != "', '\\" or true or "',
    "') or ('1'='1", "id in []", 'metadata["price"]', "json_contains(", "array_contains_any(concepts, [])",
    "$meta", "$eq", "$and", "drop collection", "<script>", "&amp;", "é", "e\u0301", "ß", "İ", "\u0131", "ﬁ",
    "日本語", "العربية", "\u202e", "\u200b", "\u200d", "\ufeff", "\u2028", "\ufffd", "😀",
    "👩\u200d🔬", "\U0010ffff", "\ud800", "\udfff", " ", "  ", "\u3000", "a", "b", "A", "x" * 200,
)  # fmt: skip
_CHECK_EVERY = 25


def strings(n: int, seed: int) -> list[str]:
    """Distinct strings: each fragment alone, then mixtures of them and of random characters.

    Distinct also where lone surrogates are read as U+FFFD.
    """
    rng = random.Random(seed)
    found = {repaired_text(fragment): fragment for fragment in _FRAGMENTS}
    while len(found) < n:
        parts = [
            rng.choice(_FRAGMENTS)
            if rng.random() < 0.8
            else chr(rng.choice([rng.randrange(1, 0x250), rng.randrange(0x10FFFF)]))
            for _ in range(rng.randint(2, 8))
        ]
        text = "".join(parts)
        found.setdefault(repaired_text(text), text)
    return list(found.values())[:n]


def run(n: int, *, uri: str | None = None, seed: int = 0, folder: Path) -> CampaignOutcome:
    """Try `n` strings on the default index, and the same on a FLAT one."""
    tally = Tally("injection", target_name(uri), 2 * n)
    others = FilesOfOthers(folder)
    for params in (IndexParams(), IndexParams(index_type="FLAT")):
        place = Place.of(uri, folder / params.index_type)
        with tally.guarded(f"{params.index_type}: the whole", 3600), warnings.catch_warnings():
            # Of lone surrogates that are repaired.
            warnings.simplefilter("ignore")
            _StringTrial(tally, strings(n, seed), params.index_type).run(place, params)
        if uri:
            place.clear()
    for name in others.touched():
        tally.fail("foreign", name)
    return tally.outcome()


class _StringTrial:
    """All strings on one index."""

    def __init__(self, tally: Tally, given: Sequence[str], kind: str) -> None:
        self.tally, self.given, self.kind = tally, given, kind
        self.refused: dict[str, int] = dict.fromkeys(("concept", "id", "key", "value", "text", "filter"), 0)

    def run(self, place: Place, params: IndexParams) -> None:
        concepts = self._concepts()
        own = [Concept(id=f"kind:{name}", name=name) for name in ("other", "none")]
        graph = KnowledgeGraph([*own, *concepts.values()])
        with place.connect(params) as index:
            others = [replace(item, concepts=("kind:other",)) for item in stock(range(40))]
            index.activate(index.build(others, ENCODER, graph))
            self.version = index.open(fingerprint=ENCODER.fingerprint)
            self.canary = self._canary()
            written = self._write(concepts)
            self._check_canary("after all were written")
            for place_, (number, item) in enumerate(written.items()):
                with self.tally.guarded(self._about(number, "asked"), 60):
                    self._ask(number, item)
                if place_ % _CHECK_EVERY == 0:
                    self._check_canary(self._about(number, "after it was asked"))
            self._delete(written)
        refused = ", ".join(f"{count} as {role}" for role, count in self.refused.items() if count)
        self.tally.notes.append(
            f"{self.kind}: {len(self.given)} strings; refused in a sentence: {refused or 'none'}"
        )

    def _concepts(self) -> dict[str, Concept]:
        """Concepts of the strings that a graph and an index take, by id."""
        found: dict[str, Concept] = {}
        for number, text in enumerate(self.given):

            def make(text: str = text, number: int = number) -> Concept:
                concept = Concept(id=text, name=text, type=f"t{number % 7}")
                # The check that a build makes of each; to build a graph of each string would take hours.
                concept_row(*KnowledgeGraph([concept]).concepts.values(), 0)
                return concept

            if self._is_taken("concept", number, make):
                found[text] = make()
        return found

    def _write(self, concepts: dict[str, Concept]) -> dict[int, Item]:
        """Write an item for each string, which has it in as many places as take it; by number."""
        items = {}
        for number, text in enumerate(self.given):
            parts: dict[str, Any] = {
                "id": f"plain-{number}",
                "text": f"number {number}",
                "metadata": {"n": number},
                "concepts": (text,) if text in concepts else ("kind:none",),
            }
            tried: dict[str, dict[str, Any]] = {
                "id": {"id": text},
                "key": {"metadata": {text: number}},
                "value": {"metadata": {"value": text}},
                "text": {"text": f"number {number} says {text}"},
            }
            for role, change in tried.items():
                metadata = {**parts["metadata"], **change.get("metadata", {})}
                probe = {**parts, **change, "metadata": metadata}
                if self._is_taken(role, number, lambda probe=probe: checked_items([Item(**probe)])):
                    parts = probe
            items[number] = Item(**parts)
            self.tally.advance()
        written = dict(items)
        numbers = list(items)
        for start in range(0, len(numbers), _CHECK_EVERY):
            part = numbers[start : start + _CHECK_EVERY]
            try:
                self._upsert([items[number] for number in part])
            except Exception:
                # One of them; which one, and why, is told when each is written alone.
                for number in part:
                    with self.tally.guarded(self._about(number, "written"), 60):
                        self._upsert([items[number]])
                        continue
                    del written[number]
        return {number: repaired_item(item) for number, item in written.items()}

    def _upsert(self, items: list[Item]) -> None:
        self.version.upsert(items, ENCODER)

    def _is_taken(self, role: str, number: int, attempt: Any) -> bool:
        try:
            attempt()
        except ZeroShotError as error:
            self.refused[role] += 1
            self.tally.refused(self._about(number, f"as {role}"), error)
            return False
        except Exception as error:
            self.tally.refused(self._about(number, f"as {role}"), error)
            return False
        return True

    def _ask(self, number: int, item: Item) -> None:
        """Whether an item comes back exactly, and is what its own filters find."""
        text = repaired_text(self.given[number])
        found = self.version.known_items([item.id]).get(item.id)
        if found is None:
            self.tally.fail("lost", self._about(number, "read by its id"))
        elif found != item:
            self.tally.fail("wrong", self._about(number, f"came back as {found!r}"))
        asked: dict[str, tuple[str, str, Any]] = {
            "id": ("id", "==", item.id),
            "n": ("n", "==", number),
            "text": ("text", "==", item.text),
        }
        if "value" in item.metadata:
            asked["value"] = ("value", "==", text)
            asked["value in"] = ("value", "in", [text, "nowhere"])
        if item.concepts == (text,):
            asked["concept"] = ("concepts", "contains", text)
        if item.metadata.get(text) == number and text not in ("n", "value", "id", "text", "concepts"):
            asked["key"] = (text, "==", number)
        vector = ENCODER.encode([item.text or ""])
        for role, condition in asked.items():
            try:
                ids = self.version.search_items(vector, 10, Condition(*condition)).ids[0]
            except ZeroShotError as error:
                # A text with NUL is kept and given back, but Milvus has no literal for it.
                if "\0" in text and role in ("text", "value", "value in"):
                    self.refused["filter"] += 1
                    self.tally.refused(self._about(number, f"filter by {role}"), error)
                else:
                    self.tally.fail(
                        "wrong",
                        self._about(number, f"taken as {role}, refused by its filter: {str(error)[:99]}"),
                    )
                continue
            if ids != [item.id]:
                self.tally.fail("wrong", self._about(number, f"filter by {role} finds {ids[:3]!r}"))

    def _delete(self, written: dict[int, Item]) -> None:
        """Delete one by one: each takes itself alone."""
        left = self.version.count()
        for place, (number, item) in enumerate(written.items()):
            with self.tally.guarded(self._about(number, "deleted"), 60):
                self.version.delete([item.id])
                left -= 1
                if self.version.known_items([item.id]):
                    self.tally.fail("wrong", self._about(number, "is there after it was deleted"))
                count = self.version.count()
                if count != left:
                    self.tally.fail("lost", self._about(number, f"deleted: {count} rows, expected {left}"))
                    left = count
                if place % _CHECK_EVERY == 0:
                    self._check_canary(self._about(number, "after it was deleted"))
            self.tally.advance(0)
        self._check_canary("after all were deleted")

    def _canary(self) -> list[Any]:
        """Answer queries about the other items."""
        vectors = ENCODER.encode(["article 7", "tea of Assam"])
        version: OpenVersion = self.version
        answers: list[Any] = []
        for condition in (
            Condition("place", "==", "Assam"),
            Condition("size", "<", 9),
            Condition("concepts", "contains", "kind:other"),
        ):
            found = version.search_items(vectors, 12, condition)
            answers.append((found.ids, [row.round(4).tolist() for row in found.scores]))
        return answers

    def _check_canary(self, when: str) -> None:
        with self.tally.guarded(f"{self.kind}: other queries {when}", 30):
            if self._canary() != self.canary:
                self.tally.fail("wrong", f"{self.kind}: another query answers otherwise {when}")

    def _about(self, number: int, what: str) -> str:
        return f"{self.kind}: string {number} {self.given[number][:60]!r} {what}"
