"""Relations between concepts that occur together in items more often than chance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from scipy.special import gammainc

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.types import Item, Relation

if TYPE_CHECKING:
    from zeroshot_core.types import Floats, Ints

__all__ = ["cooccurrence_graph"]


def cooccurrence_graph(
    items: Sequence[Item],
    graph: KnowledgeGraph,
    *,
    relation_type: str = "related",
    min_count: int = 3,
    significance: float = 0.01,
    max_sources: int = 10,
) -> KnowledgeGraph:
    r"""Extend a graph by a relation for each pair of concepts that the same items are linked to.

    Of :math:`n` items, :math:`n_i` carry one concept, :math:`n_j` the other and :math:`n_{ij}` both. By
    chance the count is about Poisson of mean :math:`n_i n_j / n`, wider than the exact
    hypergeometric. The weight is the normalised pointwise mutual information, in (0, 1].

    Parameters
    ----------
    graph
        Holds the concepts of the items; its other relations are kept.
    relation_type
        Of the new relations, whose head is the concept that comes first in the graph.
    min_count
        Fewest items that carry both, at least 1.
    significance
        Bound, in (0, 1), on the probability that any pair at all is found by chance (Bonferroni over all
        pairs of concepts that occur).
    max_sources
        How many of the items, by their order, a relation cites.

    Raises
    ------
    InvalidInputError
        If a parameter is out of range; `UnknownConceptError` if an item names a concept outside the graph.

    References
    ----------
    Quasthoff and Wolff (2002), The Poisson collocation measure and its applications; Bouma (2009), Normalized
    (pointwise) mutual information in collocation extraction.
    """
    if min_count < 1 or max_sources < 0 or not 0 < significance < 1:
        raise InvalidInputError(
            "expected min_count of at least 1, max_sources of at least 0 and significance in (0, 1), "
            f"got {min_count}, {max_sources} and {significance}"
        )
    graph.require(id_ for item in items for id_ in item.concepts)
    links = _links(items, graph)
    heads, tails, counts = _pairs(links, min_count)
    weights, chances = _association(links, heads, tails, counts)
    n_concepts = np.count_nonzero(links.sum(axis=0))
    found = chances * (n_concepts * (n_concepts - 1) / 2) < significance
    heads, tails, weights = heads[found], tails[found], weights[found]
    cited = _first_rows(links, heads, tails, max_sources)
    relations = {(r.head, r.type, r.tail): r for r in graph.relations}
    for head, tail, weight, rows in zip(heads, tails, weights.tolist(), cited, strict=True):
        ends = graph.concept_ids[head], graph.concept_ids[tail]
        sources = tuple(items[row].id for row in rows)
        relations[ends[0], relation_type, ends[1]] = Relation(
            head=ends[0], type=relation_type, tail=ends[1], weight=weight, sources=sources
        )
    return KnowledgeGraph(graph.concepts.values(), relations.values())


def _links(items: Sequence[Item], graph: KnowledgeGraph) -> Any:
    """Binary csc of shape (n_items, n_concepts)."""
    lists = [sorted({graph.positions[id_] for id_ in item.concepts}) for item in items]
    ends = np.cumsum([0, *map(len, lists)])
    columns = np.fromiter((column for row in lists for column in row), dtype=np.int64, count=ends[-1])
    ones = np.ones(len(columns), dtype=np.int64)
    return sp.csr_array((ones, columns, ends), shape=(len(items), len(graph))).tocsc()


def _pairs(links: Any, min_count: int) -> tuple[Ints, Ints, Ints]:
    """Row and column (row < column) and count of the pairs that at least `min_count` items carry."""
    together = sp.triu(links.T @ links, k=1).tocoo()
    enough = together.data >= min_count
    return together.row[enough], together.col[enough], together.data[enough]


def _association(links: Any, heads: Ints, tails: Ints, counts: Ints) -> tuple[Floats, Floats]:
    """Normalised mutual information in [-1, 1], and the chance of a count as high."""
    n_items = links.shape[0]
    carried = np.asarray(links.sum(axis=0), dtype=np.float64).ravel()
    expected = carried[heads] * carried[tails] / max(n_items, 1)
    surprise = -np.log(counts / max(n_items, 1))
    # A pair that all items carry tells nothing: its surprise is 0, and so is its information.
    information = np.divide(
        np.log(counts / expected), surprise, out=np.zeros(len(counts)), where=surprise > 0
    )
    return information, gammainc(counts, expected)


def _first_rows(links: Any, heads: Ints, tails: Ints, n_rows: int) -> list[Ints]:
    """For each pair the first rows that carry both, ascending."""
    both = links[:, heads].multiply(links[:, tails]).tocsc()
    both.sort_indices()
    return [
        both.indices[start : min(end, start + n_rows)]
        for start, end in zip(both.indptr, both.indptr[1:], strict=False)
    ]
