"""LangChain adapter: embeddings, retriever, predictor and tools over one saved model."""

from __future__ import annotations

from zeroshot_core.errors import require

try:
    from langchain_zeroshot._convert import PredictionInput, PredictionOutput
    from langchain_zeroshot.embeddings import ZeroShotEmbeddings
    from langchain_zeroshot.graph import ZeroShotGraphBuilder, from_graph_documents, to_graph_documents
    from langchain_zeroshot.predictor import ZeroShotPredictor
    from langchain_zeroshot.retriever import ZeroShotRetriever
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
    "ZeroShotRetriever",
    "from_graph_documents",
    "to_graph_documents",
    "zero_shot_tools",
]
