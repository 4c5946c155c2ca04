"""What a predictor and the tools are given and answer, as schemas of pydantic.

LangGraph's checkpoints hold them where its serialiser is told so:
``JsonPlusSerializer(allowed_msgpack_modules=[PredictionInput, PredictionOutput])``.
"""

from __future__ import annotations

from langchain_core.documents import Document
from pydantic import BaseModel, Field
from zeroshot_core.serving.tool_inputs import PredictionInput

__all__ = ["PredictionInput", "PredictionOutput"]


class PredictionOutput(BaseModel):
    """A prediction with its uncertainty and its reasons; as a string, the reasons in words."""

    id: str
    value: float | list[float] | str = Field(description="Expected number, curve, or label.")
    interval: list[float] | list[list[float]] | None = Field(description="Ends that hold it with `coverage`.")
    coverage: float | None
    probabilities: dict[str, float] = Field(description="Probability by label.")
    quantiles: dict[str, float | list[float]] = Field(
        default={}, description="Values that the truth stays below, by probability, where asked for."
    )
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
