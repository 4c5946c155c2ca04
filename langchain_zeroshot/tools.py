"""Tools for an agent: predict, and look up what is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from langchain_core.documents import Document
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, StructuredTool, ToolException
from pydantic import BaseModel, Field
from zeroshot_core.errors import InvalidInputError

from langchain_zeroshot._convert import PredictionInput
from langchain_zeroshot.predictor import ZeroShotPredictor
from langchain_zeroshot.retriever import ZeroShotRetriever

_FILTER = 'Conditions on attributes that must all hold, such as {"brand": "acme", "price": {"$gt": 3}}.'


class RetrieveInput(BaseModel):
    """What to look for."""

    query: str = Field(description="What to look for, in plain words.")
    k: int = Field(default=5, ge=1, description="How many known items to return.")
    filter: dict[str, Any] | None = Field(default=None, description=_FILTER)


def zero_shot_tools(
    model: str | Path | Any, *, uri: str | None = None, token: str | None = None
) -> list[BaseTool]:
    """Tools ``zero_shot_predict`` and ``zero_shot_retrieve`` over one model.

    Both answer in words, with the `PredictionOutput` or the Documents as artifact. Wrong input comes back to
    the agent as a message, so that it can mend it; any other error is raised.

    Parameters
    ----------
    model
        Folder of a saved model, or a fitted model.
    uri, token
        Milvus address and credentials, where they differ from the saved ones.
    """
    source: dict[str, Any] = {"model": model, "uri": uri, "token": token}
    predict = _tool(
        ZeroShotPredictor(**source),
        lambda asked: (asked, {}),
        str,
        name="zero_shot_predict",
        description="Predict the value or label of a new thing from its description, with the reasons.",
        args_schema=PredictionInput,
    )
    retrieve = _tool(
        ZeroShotRetriever(**source),
        lambda asked: (asked.pop("query"), asked),
        _documents_in_words,
        name="zero_shot_retrieve",
        description="Look up known things like a description, by meaning and through the knowledge graph.",
        args_schema=RetrieveInput,
    )
    return [predict, retrieve]


def _tool(
    runnable: ZeroShotPredictor | ZeroShotRetriever,
    split: Callable[[dict[str, Any]], tuple[Any, dict[str, Any]]],
    words: Callable[[Any], str],
    **options: Any,
) -> BaseTool:
    def call(config: RunnableConfig, **asked: Any) -> tuple[str, Any]:
        value, kwargs = split(asked)
        with _refusals_told():
            found = runnable.invoke(value, config, **kwargs)
        return words(found), found

    async def acall(config: RunnableConfig, **asked: Any) -> tuple[str, Any]:
        value, kwargs = split(asked)
        with _refusals_told():
            found = await runnable.ainvoke(value, config, **kwargs)
        return words(found), found

    return StructuredTool(
        func=call,
        coroutine=acall,
        response_format="content_and_artifact",
        handle_tool_error=True,
        handle_validation_error=str,
        **options,
    )


@contextmanager
def _refusals_told() -> Iterator[None]:
    try:
        yield
    except InvalidInputError as error:
        raise ToolException(str(error)) from error


def _documents_in_words(documents: list[Document]) -> str:
    lines = [f"{d.id}: {d.page_content} (score {d.metadata['score']:.2f})" for d in documents]
    return "\n".join(lines) or "nothing known matches"
