"""What a predictor and the tools are given and answer, as schemas of pydantic.

LangGraph's checkpoints hold what `ZeroShotPredictor.as_node` gives as it is. They hold these classes without
a warning where the state's schema names them and ``LANGGRAPH_STRICT_MSGPACK=true`` is set, as LangGraph asks,
or by ``JsonPlusSerializer(allowed_msgpack_modules=[PredictionInput, PredictionOutput])``.
"""

from __future__ import annotations

from langchain_core.documents import Document
from pydantic import Field
from zeroshot_core.serving.tool_inputs import PredictionInput
from zeroshot_core.serving.tool_outputs import PredictedValues

__all__ = ["PredictionInput", "PredictionOutput"]


class PredictionOutput(PredictedValues):
    """A prediction with its uncertainty and its reasons; as a string, the reasons in words."""

    documents: list[Document] = Field(
        default=[], description="Known items behind it, best first; none where no evidence is wanted."
    )
    concepts: list[Document] = Field(
        default=[], description="Concepts behind it, best first; none where no evidence is wanted."
    )
