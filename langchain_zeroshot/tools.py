"""Tools for an agent: predict, explain, and look up what is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from langchain_core.documents import Document
from langchain_core.tools import BaseTool, StructuredTool, ToolException
from pydantic import SecretStr
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.serving.argument_names import known_keywords
from zeroshot_core.serving.loading import ModelLike
from zeroshot_core.serving.model_handle import ModelHandle
from zeroshot_core.serving.threads import run_in_thread
from zeroshot_core.serving.tool_inputs import ToolInput, tool_inputs
from zeroshot_core.serving.tools import ModelTools, described_tools
from zeroshot_core.types import Prediction

from langchain_zeroshot._convert import to_document, to_output
from langchain_zeroshot.schemas import PredictionOutput


@known_keywords
def zero_shot_tools(
    model: ModelLike,
    *,
    prefix: str = "zero_shot",
    descriptions: Mapping[str, str] | None = None,
    uri: str | None = None,
    token: SecretStr | str | None = None,
) -> list[BaseTool]:
    """Tools ``zero_shot_predict``, ``_retrieve``, ``_explain`` and ``_related_concepts`` over one model.

    All answer in words, with the `PredictionOutput` or the Documents as artifact. Wrong input comes back to
    the agent as a message, so that it can mend it; any other error is raised.

    Parameters
    ----------
    model
        Folder of a saved model, or a fitted model. Its labels and target are told to the agent, and of its
        notes the unit and examples: ``save(folder, extra={"unit": "bottles a week", "examples": [...]})``.
    prefix
        What the names begin with, so that the tools of several models have several names.
    descriptions
        What an agent is told of ``predict``, ``retrieve``, ``explain`` or ``related_concepts``, in the place
        of what the model says of itself.
    uri, token
        Milvus address, where it is a server or not the saved one, and its credentials.
    """
    tools = ModelTools(handle=ModelHandle(model, uri, token))
    told, schemas = described_tools(model, prefix, descriptions), tool_inputs(model)
    return [_tool(getattr(tools, does), schemas[does], *said) for does, said in told.items()]


def _tool(ask: Callable[..., Any], schema: type[ToolInput], name: str, description: str) -> BaseTool:

    def answer(**arguments: Any) -> tuple[str, PredictionOutput | list[Document]]:
        try:
            words, found = ask(**arguments)
        except InvalidInputError as error:
            raise ToolException(str(error)) from error
        return words, to_output(found) if isinstance(found, Prediction) else [*map(to_document, found)]

    return StructuredTool(
        name=name,
        description=description,
        args_schema=schema,
        func=answer,
        coroutine=run_in_thread(answer),
        response_format="content_and_artifact",
        handle_tool_error=True,
        handle_validation_error=str,
    )
