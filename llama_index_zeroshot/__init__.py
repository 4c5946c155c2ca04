"""LlamaIndex adapter: embedding, retriever, query engine, reranking, graph and tools over one saved model."""

from __future__ import annotations

from zeroshot_core.errors import require

try:
    from llama_index_zeroshot._convert import from_nodes, reuse_vectors
    from llama_index_zeroshot.embeddings import ZeroShotEmbedding
    from llama_index_zeroshot.graph import (
        ZeroShotGraphBuilder,
        from_entities,
        from_property_graph,
        to_entities,
        to_property_graph,
    )
    from llama_index_zeroshot.graph_store import ZeroShotPropertyGraphStore
    from llama_index_zeroshot.predictor import ZeroShotQueryEngine
    from llama_index_zeroshot.rerank import ZeroShotRerank
    from llama_index_zeroshot.retriever import ZeroShotRetriever
    from llama_index_zeroshot.selector import ZeroShotSelector
    from llama_index_zeroshot.tool_retriever import ZeroShotToolRetriever
    from llama_index_zeroshot.tools import zero_shot_tools
except ModuleNotFoundError:
    require("llama_index.core", extra="llama-index")
    raise

__all__ = [
    "ZeroShotEmbedding",
    "ZeroShotGraphBuilder",
    "ZeroShotPropertyGraphStore",
    "ZeroShotQueryEngine",
    "ZeroShotRerank",
    "ZeroShotRetriever",
    "ZeroShotSelector",
    "ZeroShotToolRetriever",
    "from_entities",
    "from_nodes",
    "from_property_graph",
    "reuse_vectors",
    "to_entities",
    "to_property_graph",
    "zero_shot_tools",
]
