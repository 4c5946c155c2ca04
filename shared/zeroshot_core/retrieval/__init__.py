"""Retrieval: vector search, expansion over the graph, and their fusion into hits with paths."""

from zeroshot_core.explain.hit_graph import graph_to_html, hits_to_graph
from zeroshot_core.explain.wording import hit_in_words
from zeroshot_core.retrieval.completion import propose_tails
from zeroshot_core.retrieval.fusion import LearnedFusion, learn_fusion
from zeroshot_core.retrieval.graph_view import Fact, GraphView
from zeroshot_core.retrieval.out_of_fold import fold_neighbours
from zeroshot_core.retrieval.query_bank import QueryBank
from zeroshot_core.retrieval.recommendation import Profile, diversify, recommend, similar_items
from zeroshot_core.retrieval.reranking import rerank
from zeroshot_core.retrieval.retriever import Retriever

__all__ = [
    "Fact",
    "GraphView",
    "LearnedFusion",
    "Profile",
    "QueryBank",
    "Retriever",
    "diversify",
    "fold_neighbours",
    "graph_to_html",
    "hit_in_words",
    "hits_to_graph",
    "learn_fusion",
    "propose_tails",
    "recommend",
    "rerank",
    "similar_items",
]
