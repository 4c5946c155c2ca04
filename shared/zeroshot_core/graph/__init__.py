"""The knowledge graph: concepts and relations, their vectors, and activation that spreads over them."""

from zeroshot_core.graph.knowledge_graph import KnowledgeGraph
from zeroshot_core.graph.paths import Path, PathFinder
from zeroshot_core.graph.propagation import (
    activations,
    adjacency,
    ancestors,
    check_spread,
    closure_matrix,
    expand,
)
from zeroshot_core.graph.tables import table_concepts
from zeroshot_core.graph.vectors import concept_text, concept_vectors, relation_vectors

__all__ = [
    "KnowledgeGraph",
    "Path",
    "PathFinder",
    "activations",
    "adjacency",
    "ancestors",
    "check_spread",
    "closure_matrix",
    "concept_text",
    "concept_vectors",
    "expand",
    "relation_vectors",
    "table_concepts",
]
