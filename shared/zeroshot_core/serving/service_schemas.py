"""What the service is asked and answers, as schemas of pydantic; its OpenAPI is made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from pydantic import BaseModel, Field

from zeroshot_core.serving.tool_inputs import PredictionInput, ToolInput, with_image
from zeroshot_core.serving.tool_outputs import FoundHit, ReasonedPrediction
from zeroshot_core.serving.tools import ARGUMENTS

__all__ = [
    "ClassifyReply",
    "ClassifyRequest",
    "DetectReply",
    "DetectRequest",
    "ExplainRequest",
    "LabelsReply",
    "LabelsRequest",
    "Novelty",
    "PredictReply",
    "PredictRequest",
    "Readiness",
    "RetrieveReply",
    "RetrieveRequest",
    "State",
]

# What is no text and no PredictionInput may be a row of the table that a model was fitted on.
if TYPE_CHECKING:
    Thing: TypeAlias = "str | PredictionInput | dict[str, str | int | float | bool | None]"
else:
    Thing = Annotated[
        str | with_image(PredictionInput) | dict[str, str | int | float | bool | None],
        Field(union_mode="left_to_right"),
    ]
_THINGS = (
    "What is asked about: texts, mappings with a text, an image (of models that read images, as /ready says) "
    "or both, or rows of a table such as the model was fitted on."
)


class DetectRequest(ToolInput):
    """Things to tell the novelty of."""

    inputs: list[Thing] = Field(min_length=1, description=_THINGS)


class ClassifyRequest(DetectRequest):
    """Texts to label, and what may be answered."""

    reject: bool = Field(default=False, description="Whether none of the labels, '', may be the answer.")
    confidence: float | None = Field(
        default=None, gt=0, le=1, description="Least probability of an answer, else a wider concept is it."
    )


class PredictRequest(ClassifyRequest):
    """Things to predict for, and how."""

    coverage: float = Field(
        default=0.9, gt=0, lt=1, description="Probability with which an interval holds the value."
    )
    statistic: str | None = Field(default=None, description="expectation, median or geometric.")
    quantiles: list[Annotated[float, Field(gt=0, lt=1)]] = Field(
        default=[], max_length=100, description="Probabilities; the values that the truth stays below."
    )


class ExplainRequest(PredictRequest):
    """Things to predict for with what is behind each prediction."""

    top_k: int = Field(default=10, ge=1, le=1000, description="How many known items to list.")
    contributions: bool = Field(default=False, description="Whether to say what moved a number.")


class RetrieveRequest(ToolInput):
    """What to look for among the known things."""

    queries: list[Thing] = Field(min_length=1, description="What to look for.")
    k: int = Field(default=10, ge=1, le=1000, description="How many to return for each.")
    filter: dict[str, Any] | None = Field(
        default=None, description="Conditions on attributes that must all hold, such as {'brand': 'acme'}."
    )
    graph_weight: float | None = Field(
        default=None, ge=0, le=1, description="0 is pure vector search, 1 pure graph."
    )
    score_threshold: float | None = Field(default=None, ge=-1, le=1, description="Least score.")


class LabelledThing(ToolInput):
    """An example of a label: a text, an image, or both."""

    text: str | None = None
    image: str | None = Field(default=None, description=ARGUMENTS["image"])
    label: str | int | bool
    id: str | None = None


class LabelsRequest(ToolInput):
    """New labels, and examples of new and known ones."""

    labels: list[str | int | bool] = Field(
        default=[], description="New labels; those of examples need not be."
    )
    examples: list[LabelledThing] = Field(default=[], description="Texts or images with their labels.")


class LabelProbabilities(BaseModel):
    """Answer for one text."""

    id: str
    label: str = Field(description="The most probable label; '' for none of them.")
    probabilities: dict[str, float] = Field(description="Probability by label.")


class ClassifyReply(BaseModel):
    """Answers in the order of the inputs."""

    labels: list[LabelProbabilities]


class Novelty(BaseModel):
    """Answer of a novelty detector for one thing."""

    id: str
    novelty: float = Field(description="The higher, the newer; 0 is the mean known thing.")
    is_new: bool


class DetectReply(BaseModel):
    """Answers in the order of the inputs."""

    novelties: list[Novelty]


class PredictReply(BaseModel):
    """Predictions in the order of the inputs."""

    predictions: list[ReasonedPrediction]


class RetrieveReply(BaseModel):
    """What was found for each query, best first."""

    results: list[list[FoundHit]]


class LabelsReply(BaseModel):
    """The labels that the model knows now."""

    labels: list[str | int | bool]


class State(BaseModel):
    """How the service is, in a word."""

    status: str


class Readiness(State):
    """Whether the model is open, and what it reads."""

    reads: list[str] = Field(description="texts, images or both; empty while the model is being opened.")
