"""Arguments of the tools over a model, as schemas of pydantic, which every framework here stands on."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model, model_validator

from zeroshot_core.checks import known_names
from zeroshot_core.serving.tools import ARGUMENTS, reads_images

__all__ = [
    "TOOL_INPUTS",
    "ExplainInput",
    "PredictionInput",
    "RelatedInput",
    "RetrieveInput",
    "ToolInput",
    "tool_inputs",
    "with_image",
]


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


class ExplainInput(PredictionInput):
    """What is asked, and how much of what is behind the answer."""

    top_k: int = Field(default=10, ge=1, description=ARGUMENTS["top_k"])
    contributions: bool = Field(default=False, description=ARGUMENTS["contributions"])


class RelatedInput(ToolInput):
    """What to look for among the concepts."""

    query: str = Field(description=ARGUMENTS["query"])
    k: int = Field(default=5, ge=1, description=ARGUMENTS["k"])


class RetrieveInput(RelatedInput):
    """What to look for among the known things."""

    filter: dict[str, Any] | None = Field(default=None, description=ARGUMENTS["filter"])


TOOL_INPUTS: dict[str, type[ToolInput]] = {
    "predict": PredictionInput,
    "retrieve": RetrieveInput,
    "explain": ExplainInput,
    "related_concepts": RelatedInput,
}
"""Arguments by what a tool does, as `tools.TOOLS`."""


def with_image(schema: type[ToolInput]) -> type[ToolInput]:
    """Make the arguments of a tool over a model that reads images: a text, an image, or both."""
    said = next(iter(schema.model_fields))
    fields: dict[str, Any] = {
        name: (str | None, Field(default=None, description=ARGUMENTS[name])) for name in (said, "image")
    }
    return create_model(schema.__name__, __base__=schema, __doc__=schema.__doc__, **fields)


_IMAGE_INPUTS = {does: with_image(schema) for does, schema in TOOL_INPUTS.items()}


def tool_inputs(source: object) -> dict[str, type[ToolInput]]:
    """Arguments of the tools over a model, by what they do; images are among them where it reads images.

    Parameters
    ----------
    source
        Folder of a saved model, which is not opened, or a fitted one.
    """
    return _IMAGE_INPUTS if reads_images(source) else TOOL_INPUTS
