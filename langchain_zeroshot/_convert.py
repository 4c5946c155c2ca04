"""The only mapping between LangChain's records and the core's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from langchain_core.documents import Document
from pydantic import BaseModel, ConfigDict, Field, model_validator
from zeroshot_core.checks import known_names
from zeroshot_core.explain.attributes import hit_attributes, own_attributes, prediction_attributes
from zeroshot_core.explain.wording import prediction_in_words
from zeroshot_core.serving.inputs import item_from_attributes, to_item
from zeroshot_core.serving.tools import ARGUMENTS
from zeroshot_core.types import Hit, Item, Prediction

PredictorInput: TypeAlias = str | dict[str, Any] | Document | Item


class ToolInput(BaseModel):
    """Arguments of a tool; an agent that writes others is told the nearest right word."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown(cls, given: Any) -> Any:
        if isinstance(given, dict):
            known_names(cls.__name__, given, cls.model_fields)
        return given


class PredictionInput(ToolInput):
    """What is asked: a description, with what else is known of the thing."""

    text: str = Field(description=ARGUMENTS["text"])
    concepts: list[str] = Field(default=[], description=ARGUMENTS["concepts"])
    metadata: dict[str, str | int | float | bool] = Field(default={}, description=ARGUMENTS["metadata"])
    id: str | None = Field(default=None, description=ARGUMENTS["id"])


class PredictionOutput(BaseModel):
    """A prediction with its uncertainty and its reasons; as a string, the reasons in words."""

    id: str
    value: float | list[float] | str = Field(description="Expected number, curve, or label.")
    interval: list[float] | list[list[float]] | None = Field(description="Ends that hold it with `coverage`.")
    coverage: float | None
    probabilities: dict[str, float] = Field(description="Probability by label.")
    documents: list[Document] = Field(
        default=[], description="Known items behind it, best first; none where no evidence is wanted."
    )
    concepts: list[Document] = Field(
        default=[], description="Concepts behind it, best first; none where no evidence is wanted."
    )
    reason: str = Field(description="What the language model that chose the label wrote in support of it.")
    fallback: str = Field(description="Why a language model that should have chosen the label did not.")
    explanation: str

    def __str__(self) -> str:
        return self.explanation


def to_items(inputs: Sequence[PredictorInput], model: object = None) -> list[Item]:
    """Items of texts, mappings, Documents or Items, numbered where they have no id.

    A mapping may be a row of a table where the model was fitted on one.
    """
    return [
        item_from_attributes(value.id or f"query-{row}", value.page_content, value.metadata)
        if isinstance(value, Document)
        else to_item(value, f"query-{row}", model)
        for row, value in enumerate(inputs)
    ]


def to_document(hit: Hit) -> Document:
    """Document of a hit; its metadata are the item's, with score, parts, path and concepts added."""
    document = Document(id=hit.id, page_content=hit.text)
    document.metadata = _HitMetadata(hit_attributes(hit))  # pydantic would make a plain dict of it
    return document


class _HitMetadata(dict[str, Any]):
    """Metadata that are equal where the item's own are, however a query found it.

    What unites the Documents of several queries compares them as a whole.
    """

    def __eq__(self, other: object) -> bool:
        return isinstance(other, dict) and own_attributes(self) == own_attributes(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None


def to_output(prediction: Prediction) -> PredictionOutput:
    """Typed output of a prediction."""
    return PredictionOutput(
        id=prediction.id,
        documents=[to_document(hit) for hit in prediction.evidence.items],
        concepts=[to_document(hit) for hit in prediction.evidence.concepts],
        explanation=prediction_in_words(prediction),
        **prediction_attributes(prediction),
    )
