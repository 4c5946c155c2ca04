"""Hierarchies: relations along which no concept comes back to itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph.knowledge_graph import KnowledgeGraph
from zeroshot_core.graph.propagation import edge_arrays

if TYPE_CHECKING:
    from zeroshot_core.types import Ints

__all__ = ["check_hierarchy"]


def check_hierarchy(graph: KnowledgeGraph, types: Sequence[str] = ("is_a",)) -> None:
    """Refuse a graph in which relations of `types` lead from a concept back to itself.

    Raises
    ------
    InvalidInputError
        If they do, with the number of such concepts and one cycle; or if the graph has no relation of one of
        `types`.
    """
    heads, tails, _, _ = edge_arrays(graph, types)
    n = len(graph)
    step = sparse.csr_matrix((np.ones(len(heads)), (heads, tails)), shape=(n, n))
    from scipy.sparse import csgraph

    _, component = csgraph.connected_components(step, connection="strong")
    # Concepts that reach each other are one strong component, so an edge within a component lies on a cycle.
    within = component[heads] == component[tails]
    if not within.any():
        return
    heads, tails = heads[within], tails[within]
    names = [repr(graph.concept_ids[row]) for row in _one_cycle(heads, tails, component[heads])]
    raise InvalidInputError(
        f"expected a hierarchy without cycles along {', '.join(types)}, got {len(np.unique(heads))} concepts "
        f"that lead back to themselves, such as {' -> '.join(names)}; drop one relation of each cycle"
    )


def _one_cycle(heads: Ints, tails: Ints, component: Ints) -> list[int]:
    """Rows along a cycle in the component of fewest edges, the first row again at the end."""
    import networkx as nx

    found, counts = np.unique(component, return_counts=True)
    chosen = component == found[np.argmin(counts)]
    edges = nx.find_cycle(nx.DiGraph(zip(heads[chosen].tolist(), tails[chosen].tolist(), strict=True)))
    return [head for head, _ in edges] + [edges[0][0]]
