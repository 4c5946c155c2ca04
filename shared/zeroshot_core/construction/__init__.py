"""Knowledge graphs from what texts say, and from what occurs together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zeroshot_core.doors import opens

if TYPE_CHECKING:
    from zeroshot_core.construction.building import BuildReport, GraphBuild, build_graph
    from zeroshot_core.construction.cooccurrence import cooccurrence_graph
    from zeroshot_core.construction.graph_builder import GraphBuilder, ask_all
    from zeroshot_core.construction.prompting import extraction_prompt, triples_schema
    from zeroshot_core.construction.reading import Extractor, Triple
    from zeroshot_core.construction.resolving import NameLinker

# Co-occurrence is counted by matrices: only who counts pays for them.
_MODULES = {
    "BuildReport": "building",
    "GraphBuild": "building",
    "build_graph": "building",
    "cooccurrence_graph": "cooccurrence",
    "GraphBuilder": "graph_builder",
    "ask_all": "graph_builder",
    "extraction_prompt": "prompting",
    "triples_schema": "prompting",
    "Extractor": "reading",
    "Triple": "reading",
    "NameLinker": "resolving",
}

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

__getattr__ = opens(__name__, _MODULES)
