"""The standard tests that LangChain ships for integrations, without overrides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from langchain_core.tools import BaseTool
from langchain_tests.integration_tests import (
    EmbeddingsIntegrationTests,
    RetrieversIntegrationTests,
    ToolsIntegrationTests,
)
from langchain_tests.unit_tests import EmbeddingsUnitTests, ToolsUnitTests

from langchain_zeroshot import ZeroShotEmbeddings, ZeroShotRetriever, zero_shot_tools


class _SavedModel:
    folder: Path

    @pytest.fixture(autouse=True)
    def _use(self, saved_model: Path) -> None:
        self.folder = saved_model


class TestEmbeddingsUnit(EmbeddingsUnitTests):
    @property
    def embeddings_class(self) -> type[ZeroShotEmbeddings]:
        return ZeroShotEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"model": "all-MiniLM-L6-v2"}


class TestEmbeddings(_SavedModel, EmbeddingsIntegrationTests):
    @property
    def embeddings_class(self) -> type[ZeroShotEmbeddings]:
        return ZeroShotEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"model": self.folder}


class TestRetriever(_SavedModel, RetrieversIntegrationTests):
    @property
    def retriever_constructor(self) -> type[ZeroShotRetriever]:
        return ZeroShotRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"model": self.folder}

    @property
    def retriever_query_example(self) -> str:
        return "a dry red wine"


class _PredictTool(_SavedModel):
    @property
    def tool_constructor(self) -> BaseTool:
        return zero_shot_tools(self.folder)[0]

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return {"text": "white wine from Sicily", "concepts": ["kind:red wine"]}


class _RetrieveTool(_SavedModel):
    @property
    def tool_constructor(self) -> BaseTool:
        return zero_shot_tools(self.folder)[1]

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return {"query": "white wine from Sicily", "k": 2}


class _ExplainTool(_SavedModel):
    @property
    def tool_constructor(self) -> BaseTool:
        return zero_shot_tools(self.folder)[2]

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return {"text": "white wine from Sicily", "top_k": 3}


class _RelatedTool(_SavedModel):
    @property
    def tool_constructor(self) -> BaseTool:
        return zero_shot_tools(self.folder)[3]

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return {"query": "white wine from Sicily"}


class TestPredictToolUnit(_PredictTool, ToolsUnitTests):
    pass


class TestPredictTool(_PredictTool, ToolsIntegrationTests):
    pass


class TestRetrieveToolUnit(_RetrieveTool, ToolsUnitTests):
    pass


class TestRetrieveTool(_RetrieveTool, ToolsIntegrationTests):
    pass


class TestExplainToolUnit(_ExplainTool, ToolsUnitTests):
    pass


class TestExplainTool(_ExplainTool, ToolsIntegrationTests):
    pass


class TestRelatedToolUnit(_RelatedTool, ToolsUnitTests):
    pass


class TestRelatedTool(_RelatedTool, ToolsIntegrationTests):
    pass
