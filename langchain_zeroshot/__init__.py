"""LangChain adapter: embeddings, retriever, predictor and tools over one saved model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zeroshot_core.errors import require

if TYPE_CHECKING:
    from langchain_zeroshot.vector_store import ZeroShotVectorStore

try:
    from langchain_zeroshot._convert import from_documents
    from langchain_zeroshot.embeddings import ZeroShotEmbeddings
    from langchain_zeroshot.graph import ZeroShotGraphBuilder, from_graph_documents, to_graph_documents
    from langchain_zeroshot.predictor import ZeroShotPredictor
    from langchain_zeroshot.rerank import ZeroShotReranker
    from langchain_zeroshot.retriever import ZeroShotRetriever
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
    "ZeroShotVectorStore",
    "from_documents",
    "from_graph_documents",
    "to_graph_documents",
    "zero_shot_tools",
]


def __getattr__(name: str) -> Any:
    """Import the vector store when first asked for: it stands on langchain-milvus, an extra of its own."""
    if name != "ZeroShotVectorStore":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    require("langchain_milvus", extra="langchain-milvus")
    from langchain_zeroshot.vector_store import ZeroShotVectorStore

    return ZeroShotVectorStore
