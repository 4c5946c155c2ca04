"""Knowledge graphs from what texts say, and from what occurs together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zeroshot_core.doors import opens

if TYPE_CHECKING:
    from zeroshot_core.construction.cooccurrence import cooccurrence_graph
    from zeroshot_core.construction.graph_build import BuildReport, GraphBuild, build_graph
    from zeroshot_core.construction.graph_builder import (
        GraphBuilder,
        ask_all,
        extraction_prompt,
        triples_schema,
    )
    from zeroshot_core.construction.resolution import NameLinker
    from zeroshot_core.construction.triples import Extractor, Triple

# Co-occurrence is counted by matrices: only who counts pays for them.
_MODULES = {
    "BuildReport": "graph_build",
    "GraphBuild": "graph_build",
    "build_graph": "graph_build",
    "cooccurrence_graph": "cooccurrence",
    "GraphBuilder": "graph_builder",
    "ask_all": "graph_builder",
    "extraction_prompt": "graph_builder",
    "triples_schema": "graph_builder",
    "Extractor": "triples",
    "Triple": "triples",
    "NameLinker": "resolution",
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
