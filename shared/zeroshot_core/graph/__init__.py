"""The knowledge graph: concepts and relations, their vectors, and activation that spreads over them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zeroshot_core.doors import opens

if TYPE_CHECKING:
    from zeroshot_core.graph.hierarchy import check_hierarchy
    from zeroshot_core.graph.knowledge_graph import KnowledgeGraph
    from zeroshot_core.graph.obo import read_obo
    from zeroshot_core.graph.pagerank import personalized_pagerank
    from zeroshot_core.graph.paths import Path, PathFinder
    from zeroshot_core.graph.propagation import (
        activations,
        adjacency,
        ancestors,
        check_relation_weights,
        check_spread,
        closure_matrix,
        expand,
    )
    from zeroshot_core.graph.rdf import read_rdf
    from zeroshot_core.graph.records import Ontology
    from zeroshot_core.graph.smoothing import (
        SmoothingChoice,
        check_smoothing,
        choose_smoothing,
        hold_out_synonyms,
        smooth_vectors,
    )
    from zeroshot_core.graph.tables import table_concepts
    from zeroshot_core.graph.translation import RelationMap, fit_relation_map, relation_vectors
    from zeroshot_core.graph.vectors import concept_text, concept_vectors

# What spreads over a graph stands on scipy; to hold one, or to name its type, does not.
_MODULES = {
    "check_hierarchy": "hierarchy",
    "KnowledgeGraph": "knowledge_graph",
    "read_obo": "obo",
    "personalized_pagerank": "pagerank",
    "Path": "paths",
    "PathFinder": "paths",
    "activations": "propagation",
    "adjacency": "propagation",
    "ancestors": "propagation",
    "check_relation_weights": "propagation",
    "check_spread": "propagation",
    "closure_matrix": "propagation",
    "expand": "propagation",
    "read_rdf": "rdf",
    "Ontology": "records",
    "SmoothingChoice": "smoothing",
    "check_smoothing": "smoothing",
    "choose_smoothing": "smoothing",
    "hold_out_synonyms": "smoothing",
    "smooth_vectors": "smoothing",
    "table_concepts": "tables",
    "RelationMap": "translation",
    "fit_relation_map": "translation",
    "relation_vectors": "translation",
    "concept_text": "vectors",
    "concept_vectors": "vectors",
}

__all__ = [
    "KnowledgeGraph",
    "Ontology",
    "Path",
    "PathFinder",
    "RelationMap",
    "SmoothingChoice",
    "activations",
    "adjacency",
    "ancestors",
    "check_hierarchy",
    "check_relation_weights",
    "check_smoothing",
    "check_spread",
    "choose_smoothing",
    "closure_matrix",
    "concept_text",
    "concept_vectors",
    "expand",
    "fit_relation_map",
    "hold_out_synonyms",
    "personalized_pagerank",
    "read_obo",
    "read_rdf",
    "relation_vectors",
    "smooth_vectors",
    "table_concepts",
]

__getattr__ = opens(__name__, _MODULES)
