"""Tools for an agent: predict, explain, and look up what is known."""

from __future__ import annotations

from typing import Any

from langchain_core.documents import Document
from langchain_core.tools import BaseTool, StructuredTool, ToolException
from pydantic import Field, SecretStr
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.serving.loading import ModelLike
from zeroshot_core.serving.model_handle import ModelHandle
from zeroshot_core.serving.threads import run_in_thread
from zeroshot_core.serving.tools import ARGUMENTS, TOOLS, ModelTools
from zeroshot_core.types import Prediction

from langchain_zeroshot._convert import PredictionInput, PredictionOutput, ToolInput, to_document, to_output


class ExplainInput(PredictionInput):
    """What is asked, and how much of what is behind the answer."""

    top_k: int = Field(default=10, ge=1, description=ARGUMENTS["top_k"])


class RelatedInput(ToolInput):
    """What to look for among the concepts."""

    query: str = Field(description=ARGUMENTS["query"])
    k: int = Field(default=5, ge=1, description=ARGUMENTS["k"])


class RetrieveInput(RelatedInput):
    """What to look for among the known things."""

    filter: dict[str, Any] | None = Field(default=None, description=ARGUMENTS["filter"])


def zero_shot_tools(
    model: ModelLike, *, uri: str | None = None, token: SecretStr | str | None = None
) -> list[BaseTool]:
    """Tools ``zero_shot_predict``, ``_retrieve``, ``_explain`` and ``_related_concepts`` over one model.

    All answer in words, with the `PredictionOutput` or the Documents as artifact. Wrong input comes back to
    the agent as a message, so that it can mend it; any other error is raised.

    Parameters
    ----------
    model
        Folder of a saved model, or a fitted model.
    uri, token
        Milvus address, where it is a server or not the saved one, and its credentials.
    """
    tools = ModelTools(handle=ModelHandle(model, uri, token))
    schemas: list[type[ToolInput]] = [PredictionInput, RetrieveInput, ExplainInput, RelatedInput]
    return [_tool(tools, name, schema) for name, schema in zip(TOOLS, schemas, strict=True)]


def _tool(tools: ModelTools, name: str, schema: type[ToolInput]) -> BaseTool:
    ask = getattr(tools, name.removeprefix("zero_shot_"))

    def answer(**arguments: Any) -> tuple[str, PredictionOutput | list[Document]]:
        try:
            words, found = ask(**arguments)
        except InvalidInputError as error:
            raise ToolException(str(error)) from error
        return words, to_output(found) if isinstance(found, Prediction) else [*map(to_document, found)]

    return StructuredTool(
        name=name,
        description=TOOLS[name],
        args_schema=schema,
        func=answer,
        coroutine=run_in_thread(answer),
        response_format="content_and_artifact",
        handle_tool_error=True,
        handle_validation_error=str,
    )
