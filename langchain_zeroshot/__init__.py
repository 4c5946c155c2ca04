"""LangChain adapter: embeddings, retriever, predictor and tools over one saved model."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from zeroshot_core.errors import require

if TYPE_CHECKING:
    from langchain_zeroshot.tool_selector import ZeroShotToolSelector
    from langchain_zeroshot.vector_store import ZeroShotVectorStore

try:
    from langchain_zeroshot._convert import from_documents
    from langchain_zeroshot.embeddings import ZeroShotEmbeddings
    from langchain_zeroshot.evaluation import prediction_evaluators
    from langchain_zeroshot.graph import ZeroShotGraphBuilder, from_graph_documents, to_graph_documents
    from langchain_zeroshot.predictor import ZeroShotPredictor
    from langchain_zeroshot.rerank import ZeroShotReranker
    from langchain_zeroshot.retriever import ZeroShotRetriever
    from langchain_zeroshot.router import ZeroShotRouter
    from langchain_zeroshot.schemas import PredictionInput, PredictionOutput
    from langchain_zeroshot.tools import zero_shot_tools
except ModuleNotFoundError:
    require("langchain_core", extra="langchain")
    raise

__all__ = [
    "PredictionInput",
    "PredictionOutput",
    "ZeroShotEmbeddings",
    "ZeroShotGraphBuilder",
    "ZeroShotPredictor",
    "ZeroShotReranker",
    "ZeroShotRetriever",
    "ZeroShotRouter",
    "ZeroShotToolSelector",
    "ZeroShotVectorStore",
    "from_documents",
    "from_graph_documents",
    "prediction_evaluators",
    "to_graph_documents",
    "zero_shot_tools",
]


# What stands on packages that are extras of their own: the module, the package, the extra.
_EXTRAS = {
    "ZeroShotToolSelector": ("tool_selector", "langchain", "langchain-agents"),
    "ZeroShotVectorStore": ("vector_store", "langchain_milvus", "langchain-milvus"),
}


def __getattr__(name: str) -> Any:
    """Import what stands on a package of its own when it is first asked for."""
    if name not in _EXTRAS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, package, extra = _EXTRAS[name]
    require(package, extra=extra)
    return getattr(import_module(f"langchain_zeroshot.{module}"), name)
