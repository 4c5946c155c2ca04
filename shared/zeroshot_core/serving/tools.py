"""What an agent is told of the tools over a model, and what they answer, alike in every framework."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from zeroshot_core.checks import known_names, listed, shown, text
from zeroshot_core.errors import InvalidInputError, ZeroShotError
from zeroshot_core.explain.wording import evidence_in_words, hits_in_words, prediction_in_words
from zeroshot_core.index.filters import filter_of
from zeroshot_core.serving.inputs import takes_images, to_item
from zeroshot_core.serving.model_handle import ModelHandle
from zeroshot_core.serving.predictions import PredictionSettings, predictions
from zeroshot_core.types import Hit, Item, Prediction

if TYPE_CHECKING:
    from zeroshot_core.index import Filter
    from zeroshot_core.retrieval import Retriever

__all__ = ["ARGUMENTS", "TOOLS", "ModelTools", "described_tools", "reads_images"]

_EXPLAIN = """\
Predict, and list all known things and concepts behind the prediction, each with its \
score and the path through the knowledge graph that leads to it."""
_RETRIEVE = "Look up known things like a description, by meaning and through the knowledge graph."
_RELATED = """\
Look up the concepts of the knowledge graph that a description is about, and those near them in the graph."""
_FILTER = 'Conditions on attributes that must all hold, such as {"brand": "acme", "price": {"$gt": 3}}.'

_COVERAGE, _N_KNOWN = 0.9, 5
_PREDICT = ("predict", "explain")

TOOLS: Final[Mapping[str, str]] = {
    "predict": "Predict the value or label of a new thing from its description, with the reasons.",
    "retrieve": _RETRIEVE,
    "explain": _EXPLAIN,
    "related_concepts": _RELATED,
}
"""Description by what a tool does."""

# What language models' interfaces take as the name of a tool.
_PREFIX = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,40}")

ARGUMENTS: Final[Mapping[str, str]] = {
    "text": "Description of the thing to predict for, in plain words.",
    "concepts": "Ids of the graph's concepts that it belongs to.",
    "metadata": "Attributes, by name.",
    "id": "Its id, where it has one.",
    "query": "What to look for, in plain words.",
    "image": "A picture of it as a data URI, such as data:image/png;base64,...; no path, no URL.",
    "k": "How many to return.",
    "filter": _FILTER,
    "top_k": "How many known things to list.",
    "contributions": "Whether to say how far each thing known of it moved a number; it takes longer.",
}
"""Description by name of an argument."""


def described_tools(
    source: object, prefix: str, descriptions: Mapping[str, str] | None
) -> dict[str, tuple[str, str]]:
    """Name and description of each tool over a model, by what it does.

    Parameters
    ----------
    source
        Folder of a saved model, which is not opened, or a fitted one. Of its notes, ``extra`` of `save`,
        ``unit`` and ``examples`` are told.
    prefix
        What the names begin with, so that the tools of several models have several names.
    descriptions
        Those that take the place of ours, by what a tool does.

    Raises
    ------
    InvalidInputError
        If the prefix can't begin a name, or a description is of another tool.
    """
    if not isinstance(prefix, str) or not _PREFIX.fullmatch(prefix):
        raise InvalidInputError(
            f"expected a prefix of letters, digits, - and _, 41 at most, that begins with no digit, got "
            f"{shown(prefix)}"
        )
    given = descriptions or {}
    known_names("descriptions", given, TOOLS)
    subject = _subject(source)
    own = {does: f"{said} {subject}".strip() if does in _PREDICT else said for does, said in TOOLS.items()}
    said = {does: text(f"description of {does}", one) for does, one in {**own, **given}.items()}
    return {does: (f"{prefix}_{does}", said[does]) for does in TOOLS}


def reads_images(source: object) -> bool:
    """Whether a model reads images: of a folder, which is not opened, as its manifest has it."""
    if not isinstance(source, str | Path):
        return takes_images(source)
    from zeroshot_core.estimators.saving import read_manifest

    with suppress(ZeroShotError, OSError):
        return "image" in read_manifest(Path(source)).get("modalities", ())
    return False


def _subject(source: object) -> str:
    """Say what a model predicts, as far as that is known without opening it.

    The unit, and examples of what is asked, are those of the notes that it was saved with.
    """
    labels: Sequence[object] = ()
    target: Sequence[str] = ()
    notes: Mapping[str, Any] = {}
    with suppress(ZeroShotError, OSError, ValueError):
        if isinstance(source, str | Path):
            from zeroshot_core.estimators.saving import read_manifest

            manifest = read_manifest(Path(source))
            config = json.loads((Path(source) / manifest["state"] / "config.json").read_text("utf-8"))
            labels, notes = config.get("classes") or (), manifest["extra"]
            target = (config.get("schema") or {}).get("target") or ()
        else:
            model: Any = getattr(source, "classifier", source)
            labels, notes = getattr(model, "classes_", ()), getattr(model, "saved_extra_", {})
            target = getattr(getattr(model, "schema_", None), "target", ())
    unit, examples = notes.get("unit"), notes.get("examples")
    said = [
        f"The labels are {listed(map(str, labels))}." if len(labels) else "",
        f"The value is {listed(map(str, target))}." if len(target) and not len(labels) else "",
        f"Its unit is {listed([unit])}." if isinstance(unit, str) and unit else "",
        f"Descriptions are such as: {listed(map(str, examples))}." if isinstance(examples, list) else "",
    ]
    return " ".join(filter(None, said))


@dataclass(frozen=True, kw_only=True)
class ModelTools:
    """What an agent may ask a model, each answered in words and with what the words are made of.

    Parameters
    ----------
    handle
        The model that is asked.
    """

    handle: ModelHandle

    def predict(self, **thing: Any) -> tuple[str, Prediction]:
        """Predict for one thing, given as the keys of `inputs.to_item`."""
        prediction = self._predict(thing, _N_KNOWN)
        return prediction_in_words(prediction), prediction

    def explain(self, *, top_k: int, contributions: bool = False, **thing: Any) -> tuple[str, Prediction]:
        """Predict for one thing, and list all that is behind it."""
        prediction = self._predict(thing, top_k, contributions=contributions)
        return evidence_in_words(prediction), prediction

    def retrieve(
        self,
        query: str | None = None,
        image: str | None = None,
        *,
        k: int,
        filter: Filter | Mapping[str, Any] | None = None,
    ) -> tuple[str, list[Hit]]:
        """Look up known things."""
        retriever = self.handle.retriever
        asked = _query(query, image, retriever)
        (hits,) = retriever.retrieve([asked], top_k=k, filter=filter_of(filter))
        return hits_in_words(hits), hits

    def related_concepts(
        self, query: str | None = None, image: str | None = None, *, k: int
    ) -> tuple[str, list[Hit]]:
        """Look up concepts.

        Raises
        ------
        InvalidInputError
            If the model has no graph.
        """
        retriever = self.handle.retriever
        (hits,) = retriever.related_concepts([_query(query, image, retriever)], top_k=k)
        return hits_in_words(hits), hits

    def _predict(self, thing: Mapping[str, Any], top_k: int, *, contributions: bool = False) -> Prediction:
        settings = PredictionSettings(coverage=_COVERAGE, top_k=top_k, contributions=contributions)
        given = {name: value for name, value in thing.items() if value is not None}
        model = self.handle.model
        return predictions(model, [to_item(given, "query-0", model)], settings)[0]


def _query(query: str | None, image: str | None, retriever: Retriever) -> str | Item:
    """Give what is looked for: a text as it is, or an item with the image."""
    given = {name: value for name, value in (("text", query), ("image", image)) if value is not None}
    return query if query is not None and image is None else to_item(given, "query-0", retriever)
