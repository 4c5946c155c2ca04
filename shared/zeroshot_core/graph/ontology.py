"""A hierarchy as matrices: what is wider than what, and how a thing is told in wider words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from zeroshot_core.graph.hierarchy import check_hierarchy
from zeroshot_core.graph.knowledge_graph import KnowledgeGraph
from zeroshot_core.graph.propagation import edge_arrays

if TYPE_CHECKING:
    from zeroshot_core.types import Floats

__all__ = ["Hierarchy", "hierarchy_of", "information_content", "way_up", "wider_words"]

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
    reached = closure = sparse.identity(n, format="csr")
    while reached.nnz:
        reached = reached @ parents
        closure = closure + reached
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
    reached = told = (1.0 - imprecision) * sparse.identity(len(counts), format="csr")
    while reached.nnz:
        reached = (reached @ step).tocsr()
        reached.data[reached.data < _LEAST_SHARE] = 0.0
        reached.eliminate_zeros()
        told = told + reached
    return told.tocsr()


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
