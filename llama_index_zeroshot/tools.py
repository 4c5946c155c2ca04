"""Tools for an agent or a router: predict, and look up what is known."""

from __future__ import annotations

from typing import Any

from llama_index.core.schema import NodeWithScore, QueryBundle
from llama_index.core.tools import QueryEngineTool, RetrieverTool, ToolMetadata, ToolOutput
from pydantic import SecretStr
from zeroshot_core.explain.wording import evidence_in_words
from zeroshot_core.serving.loading import ModelLike
from zeroshot_core.serving.threads import method_in_thread
from zeroshot_core.serving.tools import TOOLS

from llama_index_zeroshot._convert import to_node
from llama_index_zeroshot.predictor import ZeroShotQueryEngine
from llama_index_zeroshot.retriever import ZeroShotRetriever


def zero_shot_tools(
    model: ModelLike, *, uri: str | None = None, token: SecretStr | str | None = None
) -> list[QueryEngineTool | RetrieverTool]:
    """Tools ``zero_shot_predict``, ``_retrieve``, ``_explain`` and ``_related_concepts`` over one model.

    Parameters
    ----------
    model
        Folder of a saved model, or a fitted model.
    uri, token
        Milvus address, where it is a server or not the saved one, and its credentials.
    """
    source: dict[str, Any] = {"model": model, "uri": uri, "token": token}
    predict, retrieve, explain, related = (
        ToolMetadata(description, name) for name, description in TOOLS.items()
    )
    return [
        QueryEngineTool(ZeroShotQueryEngine(**source), predict),
        _LookUp(ZeroShotRetriever(k=5, **source), retrieve),
        QueryEngineTool(_ExplainingEngine(top_k=10, **source), explain),
        _LookUp(_ConceptRetriever(k=5, **source), related),
    ]


class _ExplainingEngine(ZeroShotQueryEngine):
    _words = staticmethod(evidence_in_words)


class _ConceptRetriever(ZeroShotRetriever):
    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        hits = self._handle.retriever.related_concepts([query_bundle.query_str], top_k=self.k)
        return [*map(to_node, hits[0])]

    _aretrieve = method_in_thread(_retrieve)


class _LookUp(RetrieverTool):
    """Searches with what the agent says; LlamaIndex's own searches with ``input is`` before it."""

    def call(self, input: str) -> ToolOutput:
        return super().call(input)

    async def acall(self, input: str) -> ToolOutput:
        return await super().acall(input)
