from .cooccurrence import cooccurrence_graph
from .graph_build import BuildReport, GraphBuild, build_graph
from .graph_builder import GraphBuilder, ask_all, extraction_prompt, triples_schema
from .resolution import NameLinker
from .triples import Extractor, Triple

__all__ = [
    "BuildReport",
    "Extractor",
    "GraphBuild",
    "GraphBuilder",
    "NameLinker",
    "Triple",
    "ask_all",
    "build_graph",
    "cooccurrence_graph",
    "extraction_prompt",
    "triples_schema",
]
