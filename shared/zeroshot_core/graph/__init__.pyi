from .hierarchy import check_hierarchy
from .knowledge_graph import KnowledgeGraph
from .matrices import activations, adjacency, ancestors, check_relation_weights, closure_matrix
from .obo import read_obo
from .ontology import Ontology
from .path_finder import Path, PathFinder
from .rdf import read_rdf
from .series import check_smoothing, check_spread, expand, personalized_pagerank, smooth_vectors
from .smoothing_choice import SmoothingChoice, choose_smoothing, hold_out_synonyms
from .tables import table_concepts
from .translation import RelationMap, fit_relation_map, relation_vectors
from .vectors import concept_text, concept_vectors

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
