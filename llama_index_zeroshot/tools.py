"""Tools for an agent or a router: predict, and look up what is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from llama_index.core.tools import QueryEngineTool, RetrieverTool
from pydantic import SecretStr

from llama_index_zeroshot.predictor import ZeroShotQueryEngine
from llama_index_zeroshot.retriever import ZeroShotRetriever


def zero_shot_tools(
    model: str | Path | Any, *, uri: str | None = None, token: SecretStr | str | None = None
) -> list[QueryEngineTool | RetrieverTool]:
    """Tools ``zero_shot_predict`` and ``zero_shot_retrieve`` over one model.

    Parameters
    ----------
    model
        Folder of a saved model, or a fitted model.
    uri, token
        Milvus address and credentials, where they differ from the saved ones.
    """
    predict = QueryEngineTool.from_defaults(
        ZeroShotQueryEngine(model, uri=uri, token=token),
        name="zero_shot_predict",
        description="Predict the value or label of a new thing from its description, with the reasons.",
    )
    retrieve = RetrieverTool.from_defaults(
        ZeroShotRetriever(model, k=5, uri=uri, token=token),
        name="zero_shot_retrieve",
        description="Look up known things like a description, by meaning and through the knowledge graph.",
    )
    return [predict, retrieve]
