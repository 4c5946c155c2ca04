"""The knowledge graph: concepts and relations, their vectors, and activation that spreads over them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zeroshot_core.doors import opens

if TYPE_CHECKING:
    from zeroshot_core.graph.hierarchy import check_hierarchy
    from zeroshot_core.graph.knowledge_graph import KnowledgeGraph
    from zeroshot_core.graph.matrices import (
        activations,
        adjacency,
        ancestors,
        check_relation_weights,
        closure_matrix,
    )
    from zeroshot_core.graph.obo import read_obo
    from zeroshot_core.graph.ontology import Ontology
    from zeroshot_core.graph.path_finder import Path, PathFinder
    from zeroshot_core.graph.rdf import read_rdf
    from zeroshot_core.graph.series import (
        check_smoothing,
        check_spread,
        expand,
        personalized_pagerank,
        smooth_vectors,
    )
    from zeroshot_core.graph.smoothing_choice import SmoothingChoice, choose_smoothing, hold_out_synonyms
    from zeroshot_core.graph.tables import table_concepts
    from zeroshot_core.graph.translation import RelationMap, fit_relation_map, relation_vectors
    from zeroshot_core.graph.vectors import concept_text, concept_vectors

# What spreads over a graph stands on scipy; to hold one, or to name its type, does not.
_MODULES = {
    "check_hierarchy": "hierarchy",
    "KnowledgeGraph": "knowledge_graph",
    "read_obo": "obo",
    "personalized_pagerank": "series",
    "Path": "path_finder",
    "PathFinder": "path_finder",
    "activations": "matrices",
    "adjacency": "matrices",
    "ancestors": "matrices",
    "check_relation_weights": "matrices",
    "check_spread": "series",
    "closure_matrix": "matrices",
    "expand": "series",
    "read_rdf": "rdf",
    "Ontology": "ontology",
    "SmoothingChoice": "smoothing_choice",
    "check_smoothing": "series",
    "choose_smoothing": "smoothing_choice",
    "hold_out_synonyms": "smoothing_choice",
    "smooth_vectors": "series",
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
