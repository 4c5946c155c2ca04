"""Hierarchies of a graph: checked for cycles, as matrices, and what is wider than what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph.knowledge_graph import KnowledgeGraph
from zeroshot_core.graph.matrices import edge_arrays
from zeroshot_core.graph.series import neumann_series

if TYPE_CHECKING:
    from zeroshot_core.types import Floats, Ints

__all__ = [
    "Hierarchy",
    "check_hierarchy",
    "hierarchy_of",
    "information_content",
    "way_up",
    "wider_words",
]

# Steps up that are rarer than this change no score.
_LEAST_SHARE = 1e-7


@dataclass(frozen=True, kw_only=True)
class Hierarchy:
    """Concepts by what they are.

    Parameters
    ----------
    parents
        Shape (n, n): 1 where the row's concept is directly one of the column's.
    closure
        Shape (n, n): 1 where it is one over any number of steps, and on the diagonal.
    """

    parents: sparse.csr_matrix
    closure: sparse.csr_matrix


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


def hierarchy_of(graph: KnowledgeGraph, types: Sequence[str] = ("is_a",)) -> Hierarchy:
    """Put the relations of `types`, from narrow to wide, into matrices over the graph's positions.

    Raises
    ------
    InvalidInputError
        If they form a cycle, or the graph has no relation of one of `types`.
    """
    check_hierarchy(graph, types)
    heads, tails, _, _ = edge_arrays(graph, types)
    n = len(graph)
    parents = sparse.csr_matrix((np.ones(len(heads)), (heads, tails)), shape=(n, n))
    closure = neumann_series(sparse.identity(n, format="csr"), lambda reached: reached @ parents)
    closure.data[:] = 1.0
    parents.data[:] = 1.0
    return Hierarchy(parents=parents, closure=closure)


def wider_words(hierarchy: Hierarchy, imprecision: float) -> sparse.csr_matrix:
    """Probability that the row's concept is told as the column's: k steps up with ``(1 - p) p^k``.

    Of several parents each is as likely. Shape (n, n); what would leave the top is left out.
    """
    counts = np.diff(hierarchy.parents.indptr)
    step = sparse.diags(np.divide(1.0, counts, out=np.zeros(len(counts)), where=counts > 0))
    step = imprecision * (step @ hierarchy.parents)

    def step_up(told: sparse.csr_matrix) -> sparse.csr_matrix:
        wider: sparse.csr_matrix = (told @ step).tocsr()
        wider.data[wider.data < _LEAST_SHARE] = 0.0
        wider.eliminate_zeros()
        return wider

    exact = (1.0 - imprecision) * sparse.identity(len(counts), format="csr")
    told: sparse.csr_matrix = neumann_series(exact, step_up)
    return told


def information_content(hierarchy: Hierarchy, annotations: sparse.csr_matrix) -> Floats:
    """Information content ``-log(share of rows annotated with the concept or a narrower one)``, shape (n,).

    A concept that no row has counts as if one had it.

    Parameters
    ----------
    annotations
        Shape (m, n), positive where a thing is annotated with a concept.

    References
    ----------
    Resnik, "Using information content to evaluate semantic similarity in a taxonomy", IJCAI 1995.
    """
    implied = (annotations > 0).astype(np.float64) @ hierarchy.closure
    counts = np.bincount(implied.indices, minlength=implied.shape[1])
    content: Floats = np.log(annotations.shape[0] / np.maximum(counts, 1))
    return content


def way_up(hierarchy: Hierarchy, start: int, end: int) -> list[int]:
    """Rows on a shortest way from a concept up to a wider one, both included; empty if it is not wider."""
    parents = hierarchy.parents
    came_from, waiting = {start: start}, [start]
    while waiting and end not in came_from:
        above = []
        for row in waiting:
            for parent in parents.indices[parents.indptr[row] : parents.indptr[row + 1]].tolist():
                if parent not in came_from:
                    came_from[parent] = row
                    above.append(parent)
        waiting = above
    if end not in came_from:
        return []
    way = [end]
    while way[-1] != start:
        way.append(came_from[way[-1]])
    return way[::-1]
