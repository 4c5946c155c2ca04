"""Knowledge graphs from what texts say, and from what occurs together."""

from zeroshot_core.construction.building import BuildReport, GraphBuild, build_graph
from zeroshot_core.construction.cooccurrence import cooccurrence_graph
from zeroshot_core.construction.graph_builder import GraphBuilder, ask_all
from zeroshot_core.construction.prompting import extraction_prompt, triples_schema
from zeroshot_core.construction.reading import Extractor, Triple
from zeroshot_core.construction.resolving import NameLinker

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
