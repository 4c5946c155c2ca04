"""Small things to index and to learn from, the same on every run."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from zeroshot_core import Item, KnowledgeGraph, VectorIndex, ZeroShotClassifier
from zeroshot_core.checks import repaired_text
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.index import IndexParams, OpenVersion

__all__ = [
    "ENCODER",
    "GRAPH",
    "KINDS",
    "PLACES",
    "QUERIES",
    "Place",
    "answers_of",
    "examples",
    "fitted_classifier",
    "repaired_item",
    "rows_of",
    "same_answers",
    "stock",
]

KINDS = ("wine", "tea", "soap", "socks", "cheese", "bread")
PLACES = ("Sicily", "Assam", "Aleppo", "Leon", "Parma")
GRAPH = KnowledgeGraph.from_table(
    [
        {"kind": kind, "aisle": aisle}
        for kind, aisle in zip(KINDS, ("drinks", "drinks", "care", "care", "food", "food"), strict=True)
    ],
    ["kind", "aisle"],
    edges=[("kind", "aisle")],
)
ENCODER = HashEncoder(32)
QUERIES = ["white wine of Sicily", "black tea", "a pair of socks", "rye bread", "something else", "zzz 17"]


@dataclass(frozen=True)
class Place:
    """Where a part keeps its index and its model.

    Parameters
    ----------
    uri
        Of a server; None for a Milvus Lite file in the folder.
    name
        Of the index, its own on a server.
    """

    uri: str | None
    folder: Path
    name: str

    @classmethod
    def of(cls, uri: str | None, folder: Path) -> Place:
        """Make a place of its own."""
        folder.mkdir(parents=True, exist_ok=True)
        return cls(uri, folder, f"stability_{uuid.uuid4().hex[:8]}")

    def connect(self, params: IndexParams | None = None) -> VectorIndex:
        """Open the index."""
        return VectorIndex.connect(self.uri or str(self.folder / "index.db"), name=self.name, params=params)

    def clear(self, keep: Iterable[str] = ()) -> None:
        """Drop all versions but those to keep."""
        with self.connect() as index:
            for version in index.versions():
                if version.id not in set(keep):
                    index.drop(version.id)


def stock(numbers: Iterable[int], word: str = "article") -> list[Item]:
    """Items ``i0``, ``i1``, ... with a kind each; the word makes their texts others."""
    return [
        Item(
            id=f"i{n}",
            text=f"{word} {n}, {KINDS[n % len(KINDS)]} of {PLACES[n % len(PLACES)]}",
            concepts=(f"kind:{KINDS[n % len(KINDS)]}",),
            metadata={"price": n / 4, "size": n, "even": n % 2 == 0, "place": PLACES[n % len(PLACES)]},
        )
        for n in numbers
    ]


def rows_of(version: OpenVersion) -> dict[str, Item]:
    """All items of a version by id."""
    return version.known_items(version.all_ids())


def repaired_item(item: Item) -> Item:
    """Read lone surrogates as the package does."""

    def text(value: Any) -> Any:
        return repaired_text(value) if isinstance(value, str) else value

    return Item(
        id=text(item.id),
        text=text(item.text),
        concepts=tuple(map(text, item.concepts)),
        metadata={text(key): text(value) for key, value in item.metadata.items()},
    )


def examples(step: int) -> tuple[list[Item], list[str]]:
    """Examples for a `partial_fit`, of a known label and of a new one; ids come again after five steps."""
    place = step % 5
    items = [
        Item(id=f"new-{place}-{n}", text=f"{word} {place} of round {step}, jar {n}")
        for word in ("honey", "wine")
        for n in range(3)
    ]
    items = [
        Item(id=f"{item.id}-{item.text.split()[0]}", text=item.text)
        for item in items
        if item.text is not None
    ]
    return items, [f"honey {place}"] * 3 + ["kind:wine"] * 3


def fitted_classifier(index: VectorIndex | None = None, n: int = 36) -> ZeroShotClassifier:
    """Fit a classifier of six kinds on the stock."""
    items = stock(range(n))
    labels = [item.concepts[0] for item in items]
    return ZeroShotClassifier(ENCODER, GRAPH, index=index).fit(items, labels)


def answers_of(model: ZeroShotClassifier) -> Mapping[str, object]:
    """Ask a classifier everything."""
    return {
        "classes": model.classes_.tolist(),
        "labels": model.predict(QUERIES).tolist(),
        "rejecting": model.predict(QUERIES, reject=True).tolist(),
        "probabilities": model.predict_proba(QUERIES).tolist(),
    }


def same_answers(left: Mapping[str, object], right: Mapping[str, object]) -> bool:
    """Whether two answers agree, probabilities to five digits."""
    if left.keys() != right.keys():
        return False
    for key, value in left.items():
        if key == "probabilities":
            ours, theirs = np.asarray(value), np.asarray(right[key])
            if ours.shape != theirs.shape or not np.allclose(ours, theirs, atol=1e-5):
                return False
        elif value != right[key]:
            return False
    return True
