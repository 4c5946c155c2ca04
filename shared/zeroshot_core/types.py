"""Frozen records that every room speaks: items, concepts, relations, hits, evidence, predictions.

Scores are *higher is better* everywhere. Vectors are float32 rows of unit length.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

from zeroshot_core.checks import instance, repaired_text, sequence, shown, warn_of_repairs
from zeroshot_core.dataframes import frame_of_columns
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.images import ImageSource, is_uri

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Vectors: TypeAlias = npt.NDArray[np.float32]
    Floats: TypeAlias = npt.NDArray[np.float64]
    Ints: TypeAlias = npt.NDArray[np.int64]

__all__ = [
    "KEY_BYTES",
    "Concept",
    "Content",
    "Contribution",
    "Evidence",
    "Hit",
    "Item",
    "Prediction",
    "Relation",
    "Scalar",
    "Value",
    "content_key",
    "predictions_frame",
    "repaired_items",
]

Query = TypeVar("Query")
_N_SHOWN = 3
_LONGEST_NAME = 60
KEY_BYTES = 512
"""Length of the longest id that Milvus keeps, in UTF-8."""
Scalar: TypeAlias = "str | int | float | bool"
Content: TypeAlias = Any
"""What an encoder takes: a text, an image (a path-like, bytes or a PIL image), or an Item with either."""
Value: TypeAlias = "float | tuple[float, ...] | str"
"""A number, a curve, or a label."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """A known or new thing: a product, a document, a patient note.

    Parameters
    ----------
    id
        Primary key, not empty.
    text
        What it says; not empty. One of `text` and `image` is needed.
    image
        Path, bytes of a file, data URI or PIL image, for encoders of images; a URL for those that are allowed
        to fetch it. It is read, and checked, when it is encoded.
    concepts
        Ids of the graph's concepts that it is linked to.
    metadata
        Plain scalars for filters and for numeric features.

    Raises
    ------
    InvalidInputError
        If the id or the content is missing, empty, or of the wrong type.
    """

    id: str
    text: str | None = None
    image: ImageSource | None = None
    concepts: tuple[str, ...] = ()
    metadata: Mapping[str, Scalar] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.id, str) or not self.id:
            raise InvalidInputError(f"expected an item id that is a non-empty string, got {shown(self.id)}")
        if self.text is None and self.image is None:
            raise InvalidInputError(f"item {shown(self.id)}: expected a text or an image, got neither")
        if self.text is not None and (not isinstance(self.text, str) or not self.text.strip()):
            raise InvalidInputError(
                f"item {shown(self.id)}: expected a non-empty text, got {shown(self.text)}; drop the row or "
                "describe it"
            )
        if isinstance(self.image, os.PathLike):
            object.__setattr__(self, "image", os.fspath(self.image))
        # Most items have a tuple, and as many of them as an index holds are made in one search.
        concepts = self.concepts
        if type(concepts) is not tuple:
            concepts = tuple(sequence(f"concepts of item {shown(self.id)}", concepts, of="concept ids"))
            object.__setattr__(self, "concepts", concepts)
        for concept in concepts:
            if not isinstance(concept, str):
                raise InvalidInputError(
                    f"item {shown(self.id)}: expected concept ids that are strings, got {shown(concept)}"
                )
        if not isinstance(self.metadata, Mapping):
            raise InvalidInputError(
                f"item {shown(self.id)}: expected metadata as a mapping of names to values, got "
                f"{shown(self.metadata)}; leave it out where there is none"
            )

    @property
    def modality(self) -> Literal["text", "image", "text+image"]:
        """What it is said by."""
        if self.image is None:
            return "text"
        return "image" if self.text is None else "text+image"

    @property
    def content(self) -> Content:
        """What the encoder takes: the text or the image alone, or the item itself where it has both."""
        if self.image is None:
            return self.text
        if self.text is not None or is_uri(self.image) or not self.image:
            return self
        # A text would be read as its words.
        return Path(self.image) if isinstance(self.image, str) else self.image


def content_key(item: Item) -> Hashable:
    """Tell contents of items apart by what they are given as; an image in memory by which object it is."""
    image = item.image
    return item.text, image if image is None or isinstance(image, str | bytes) else id(image)


def repaired_items(items: Iterable[Query]) -> list[Query]:
    """Read each lone surrogate in ids, texts, concepts and metadata of items as U+FFFD, told in one warning.

    What is no item is repaired if it is a text, and else comes back as it is.
    """
    given = list(items)
    repaired: list[Any] = [_repaired(one) for one in given]
    warn_of_repairs(repaired, given, "items")
    return repaired


def _repaired(one: Any) -> Any:
    if isinstance(one, str):
        return repaired_text(one)
    if not isinstance(one, Item):
        return one
    texts = [one.id, one.text or "", *one.concepts]
    for key, value in one.metadata.items():
        texts += [part for part in (key, value) if isinstance(part, str)]
    # One look at all of them: nearly all items are whole.
    together = "".join(texts)
    if together.isascii() or repaired_text(together) is together:
        return one
    metadata = {_repaired(key): _repaired(value) for key, value in one.metadata.items()}
    return replace(
        one,
        id=repaired_text(one.id),
        text=None if one.text is None else repaired_text(one.text),
        concepts=tuple(map(repaired_text, one.concepts)),
        metadata=metadata,
    )


@dataclass(frozen=True, kw_only=True)
class Concept:
    """A node of the graph: a label, a category, a disease."""

    id: str
    name: str
    type: str = "concept"
    synonyms: tuple[str, ...] = ()
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class Relation:
    """A typed edge ``head -type-> tail`` with a weight above 0.

    Parameters
    ----------
    sources
        Where it is said: ids of texts or publications.
    """

    head: str
    type: str
    tail: str
    weight: float = 1.0
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Hit:
    """Something retrieved, with the parts of its score and the path that led to it.

    Parameters
    ----------
    score
        Fused score; higher is better.
    parts
        What each way of finding it contributed, by name (``vector``, ``graph``, and ``lexical`` where words
        count).
    path
        Relations from the query (head ``"query"``) to this hit; empty when only its vector led here. The
        first ``mentions`` a concept: with weight 1 one that the query is linked to, with less one that its
        text is near.
    image
        Of an item that has an image: its path, URI, or what `images.kept_image` writes down of it.
    """

    id: str
    kind: Literal["item", "concept"]
    score: float
    text: str = ""
    parts: Mapping[str, float] = field(default_factory=dict)
    path: tuple[Relation, ...] = ()
    concepts: tuple[str, ...] = ()
    metadata: Mapping[str, Scalar] = field(default_factory=dict)
    image: str = ""

    @property
    def modality(self) -> Literal["text", "image", "text+image"]:
        """What it is said by."""
        if not self.image:
            return "text"
        return "text+image" if self.text else "image"


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """All hits behind one prediction, best first."""

    items: tuple[Hit, ...] = ()
    concepts: tuple[Hit, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Contribution:
    """What one thing about an item adds to its forecast, set against a typical known item (a Shapley value).

    Parameters
    ----------
    kind
        ``"text"``, ``"concepts"`` of one type, ``"neighbours"``, or a ``"column"`` of numbers or dates.
    name
        Type of the concepts or name of the column; ``""`` for the others.
    said
        What the item has there: names of its concepts, the number, or the month of a date; ``"picture"`` or
        ``"text and picture"`` where it is not said by a text alone; ``""`` for nothing.
    amount
        What it adds on the scale on which the model learns: ``log(1 + y)`` of the total for counts and
        non-negative targets, the unit of the target otherwise.
    is_relative
        Whether that scale is ``log(1 + y)``, so that it multiplies ``1 + y`` by ``exp(amount)``.
    """

    kind: Literal["text", "concepts", "neighbours", "column"]
    name: str = ""
    said: str = ""
    amount: float
    is_relative: bool


@dataclass(frozen=True, kw_only=True, repr=False)
class Prediction:
    """A number, curve or label with its uncertainty and its reasons.

    Parameters
    ----------
    value
        Expected value: a float, a tuple of `horizon` floats, or a label, which is ``""`` for none of them.
    interval
        Lower and upper end, in the unit of the value, that hold it with probability `coverage`.
    probabilities
        For labels: probability by label, summing to 1; the classifier's, whoever chose the label.
    reason
        What the language model that chose the label wrote in support of it.
    fallback
        Why a language model that should have chosen did not, so that the value is the classifier's.
    contributions
        What moved the forecast, the strongest first, where it was asked for.
    quantiles
        For numbers: values that the truth stays below, by their probabilities, where they were asked for.
    typical
        Geometric forecast for a typical known item, from which the contributions lead to that of this one;
        the total of a curve. None without contributions.
    """

    id: str
    value: Value
    interval: tuple[Value, Value] | None = None
    coverage: float | None = None
    probabilities: Mapping[str, float] = field(default_factory=dict)
    evidence: Evidence = field(default_factory=Evidence)
    reason: str = ""
    fallback: str = ""
    contributions: tuple[Contribution, ...] = ()
    quantiles: Mapping[float, Value] = field(default_factory=dict)
    typical: float | None = None

    def to_frame(self) -> Any:
        """Give a table of one row, as of `predictions_frame`."""
        return predictions_frame([self])

    def __repr__(self) -> str:
        """Show value, uncertainty, and the first of what is behind it, on one screen."""
        parts: dict[str, object] = {"id": self.id, "value": self.value, "interval": self.interval}
        likely = sorted(self.probabilities.items(), key=lambda pair: -pair[1])[:_N_SHOWN]
        parts |= {"coverage": self.coverage, "probabilities": dict(likely)}
        parts |= {"nearest": _named(self.evidence.items), "concepts": _named(self.evidence.concepts)}
        parts |= {"reason": self.reason, "fallback": self.fallback}
        parts |= {"contributions": [each.name or each.kind for each in self.contributions[:_N_SHOWN]]}
        said = [f"{name}={shown(value)}" for name, value in parts.items() if value or value == 0]
        return f"Prediction({', '.join(said)})"


def predictions_frame(predictions: Sequence[Prediction], like: object = None) -> Any:
    """Put predictions into a table, a row each.

    Parameters
    ----------
    like
        A table of the library that is to make it; anything else takes pandas, or polars where that alone is
        installed.

    Returns
    -------
    DataFrame
        ``id``; ``value`` or, of a curve, ``value_1`` and so on, or ``label``; ``low``, ``high`` and
        ``coverage``; ``p_<label>`` for the probabilities; ``nearest`` and ``concepts``, the evidence with its
        scores; ``reason`` and ``fallback``. Columns of what none of the predictions has are left out.
    """
    given = sequence("predictions", predictions, of="predictions")
    for each in given:
        instance("predictions", each, Prediction, remedy="explain gives them")
    rows = [_row_of(each) for each in given]
    names = dict.fromkeys(["id", *(name for row in rows for name in row)])
    return frame_of_columns({name: [row.get(name) for row in rows] for name in names}, like)


def _row_of(prediction: Prediction) -> dict[str, Any]:
    """Cells of a prediction by column, empty ones left out."""
    name = "label" if isinstance(prediction.value, str) else "value"
    row: dict[str, Any] = {"id": prediction.id, **_steps(name, prediction.value)}
    if prediction.interval is not None:
        low, high = prediction.interval
        row |= {**_steps("low", low), **_steps("high", high), "coverage": prediction.coverage}
    row |= {f"p_{label}": share for label, share in prediction.probabilities.items()}
    told = {
        "nearest": "; ".join(_named(prediction.evidence.items)),
        "concepts": "; ".join(_named(prediction.evidence.concepts)),
        "reason": prediction.reason,
        "fallback": prediction.fallback,
    }
    return row | {column: words for column, words in told.items() if words}


def _steps(name: str, value: Value) -> dict[str, Any]:
    """Give a value its column, or each step of a curve one."""
    if not isinstance(value, tuple):
        return {name: value}
    return {f"{name}_{step}": part for step, part in enumerate(value, start=1)}


def _named(hits: Sequence[Hit]) -> list[str]:
    """Name the first hits, with their scores."""
    return [f"{(hit.text or hit.id)[:_LONGEST_NAME]} ({hit.score:.2f})" for hit in hits[:_N_SHOWN]]
