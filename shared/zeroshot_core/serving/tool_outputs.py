"""What a model answers, as schemas of pydantic, which every framework and the service stand on."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from zeroshot_core.explain.attributes import prediction_attributes
from zeroshot_core.explain.wording import evidence_in_words, path_in_words, prediction_in_words
from zeroshot_core.images import shown_image
from zeroshot_core.types import Contribution, Hit, Prediction

__all__ = ["FoundHit", "PredictedValues", "ReasonedPrediction", "found_hit", "reasoned_prediction"]


class PredictedValues(BaseModel):
    """A prediction with its uncertainty, without what is behind it; as a string, the reasons in words."""

    id: str
    value: float | list[float] | str = Field(description="Expected number, curve, or label.")
    interval: list[float] | list[list[float]] | None = Field(description="Ends that hold it with `coverage`.")
    coverage: float | None
    probabilities: dict[str, float] = Field(description="Probability by label.")
    quantiles: dict[str, float | list[float]] = Field(
        default={}, description="Values that the truth stays below, by probability, where asked for."
    )
    contributions: list[Contribution] = Field(
        default=[], description="What moved a forecast, the strongest first, where asked for."
    )
    typical: float | None = Field(
        default=None, description="Forecast for a typical known item, from which the contributions lead here."
    )
    reason: str = Field(description="What the language model that chose the label wrote in support of it.")
    fallback: str = Field(description="Why a language model that should have chosen the label did not.")
    explanation: str

    def __str__(self) -> str:
        return self.explanation


class FoundHit(BaseModel):
    """A known item or a concept that was found."""

    id: str
    kind: Literal["item", "concept"]
    score: float = Field(description="Higher is better.")
    text: str
    parts: dict[str, float] = Field(description="What each way of finding it contributed to the score.")
    path: str = Field(description="The way through the graph that led to it, in words.")
    concepts: list[str]
    metadata: dict[str, str | int | float | bool]
    modality: Literal["text", "image", "text+image"] = Field(description="What it is said by.")
    image: str = Field(
        description="Name of its image's file, its URL, or the digest of its bytes; '' for none."
    )


class ReasonedPrediction(PredictedValues):
    """A prediction with its uncertainty and what is behind it."""

    items: list[FoundHit] = Field(description="Known items behind it, best first; none without evidence.")
    concepts: list[FoundHit] = Field(description="Concepts behind it, best first; none without evidence.")


def found_hit(hit: Hit) -> FoundHit:
    """Give a hit as values that JSON can hold."""
    return FoundHit(
        id=hit.id,
        kind=hit.kind,
        score=float(hit.score),
        text=hit.text,
        parts={name: float(part) for name, part in hit.parts.items()},
        path=path_in_words(hit.path),
        concepts=list(hit.concepts),
        metadata=dict(hit.metadata),
        modality=hit.modality,
        image=shown_image(hit.image),
    )


def reasoned_prediction(prediction: Prediction, *, is_explained: bool = False) -> ReasonedPrediction:
    """Give a prediction as values that JSON can hold.

    Parameters
    ----------
    is_explained
        Whether its explanation names all that is behind it, or the most important of that.
    """
    in_words = evidence_in_words if is_explained else prediction_in_words
    return ReasonedPrediction(
        id=prediction.id,
        items=[found_hit(hit) for hit in prediction.evidence.items],
        concepts=[found_hit(hit) for hit in prediction.evidence.concepts],
        explanation=in_words(prediction),
        **prediction_attributes(prediction),
    )
