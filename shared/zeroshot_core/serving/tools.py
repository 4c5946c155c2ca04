"""What an agent is told of the tools over a model, and what they answer, alike in every framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from zeroshot_core.explain.wording import evidence_in_words, hits_in_words, prediction_in_words
from zeroshot_core.index.filters import filter_of
from zeroshot_core.serving.inputs import to_item
from zeroshot_core.serving.model_handle import ModelHandle
from zeroshot_core.serving.predictions import PredictionSettings, predictions
from zeroshot_core.types import Hit, Prediction

if TYPE_CHECKING:
    from zeroshot_core.index import Filter

__all__ = ["ARGUMENTS", "TOOLS", "ModelTools"]

_EXPLAIN = """\
Predict like zero_shot_predict, and list all known things and concepts behind the prediction, each with its \
score and the path through the knowledge graph that leads to it."""
_RETRIEVE = "Look up known things like a description, by meaning and through the knowledge graph."
_RELATED = """\
Look up the concepts of the knowledge graph that a description is about, and those near them in the graph."""
_FILTER = 'Conditions on attributes that must all hold, such as {"brand": "acme", "price": {"$gt": 3}}.'

_COVERAGE, _N_KNOWN = 0.9, 5

TOOLS: Final[Mapping[str, str]] = {
    "zero_shot_predict": "Predict the value or label of a new thing from its description, with the reasons.",
    "zero_shot_retrieve": _RETRIEVE,
    "zero_shot_explain": _EXPLAIN,
    "zero_shot_related_concepts": _RELATED,
}
"""Description by name."""

ARGUMENTS: Final[Mapping[str, str]] = {
    "text": "Description of the thing to predict for, in plain words.",
    "concepts": "Ids of the graph's concepts that it belongs to.",
    "metadata": "Attributes, by name.",
    "id": "Its id, where it has one.",
    "query": "What to look for, in plain words.",
    "k": "How many to return.",
    "filter": _FILTER,
    "top_k": "How many known things to list.",
}
"""Description by name of an argument."""


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

    def explain(self, *, top_k: int, **thing: Any) -> tuple[str, Prediction]:
        """Predict for one thing, and list all that is behind it."""
        prediction = self._predict(thing, top_k)
        return evidence_in_words(prediction), prediction

    def retrieve(
        self, query: str, k: int, filter: Filter | Mapping[str, Any] | None = None
    ) -> tuple[str, list[Hit]]:
        """Look up known things."""
        (hits,) = self.handle.retriever.retrieve([query], top_k=k, filter=filter_of(filter))
        return hits_in_words(hits), hits

    def related_concepts(self, query: str, k: int) -> tuple[str, list[Hit]]:
        """Look up concepts.

        Raises
        ------
        InvalidInputError
            If the model has no graph.
        """
        (hits,) = self.handle.retriever.related_concepts([query], top_k=k)
        return hits_in_words(hits), hits

    def _predict(self, thing: Mapping[str, Any], top_k: int) -> Prediction:
        settings = PredictionSettings(coverage=_COVERAGE, top_k=top_k)
        return predictions(self.handle.model, [to_item(thing, "query-0")], settings)[0]
