"""Relations between concepts that occur together in items more often than chance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from zeroshot_core import checks
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
    """Extend a graph by a relation for each pair of concepts that the same items are linked to.

    A pair is related where it is too frequent for chance, by the hypergeometric test (Fisher's, one-sided).
    The weight is the normalised pointwise mutual information of the two concepts, in (0, 1].

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
    Bouma (2009), Normalized (pointwise) mutual information in collocation extraction.
    """
    checks.whole("min_count", min_count, least=1)
    checks.whole("max_sources", max_sources)
    checks.real("significance", significance, above=0, below=1)
    graph.require(id_ for item in items for id_ in item.concepts)
    links = _links(items, graph)
    heads, tails, counts = _pairs(links, min_count)
    carried = np.asarray(links.sum(axis=0), dtype=np.float64)
    weights, chances = _association(len(items), carried[heads], carried[tails], counts.astype(np.float64))
    n_concepts = np.count_nonzero(carried)
    found = (weights > 0) & (chances * (n_concepts * (n_concepts - 1) / 2) < significance)
    heads, tails, weights = heads[found], tails[found], weights[found]
    cited = _first_rows(links, heads, tails, max_sources)
    relations = {(r.head, r.type, r.tail): r for r in graph.relations}
    for head, tail, weight, rows in zip(heads, tails, weights.tolist(), cited, strict=True):
        relation = Relation(
            head=graph.concept_ids[head],
            type=relation_type,
            tail=graph.concept_ids[tail],
            weight=weight,
            sources=tuple(items[row].id for row in rows),
        )
        relations[relation.head, relation_type, relation.tail] = relation
    return graph.replace(relations=relations.values())


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


def _association(n_items: int, heads: Floats, tails: Floats, both: Floats) -> tuple[Floats, Floats]:
    """Normalised mutual information in [-1, 1] of numbers of items, and the chance of as many as `both`."""
    surprise = -np.log(both / max(n_items, 1))
    information = np.log(both * n_items / (heads * tails))
    # A pair that all items carry tells nothing: its surprise is 0, and so is its information.
    weights = np.divide(information, surprise, out=np.zeros(len(both)), where=surprise > 0)
    return weights, _chance(n_items, heads, tails, both)


def _chance(n_items: int, heads: Floats, tails: Floats, both: Floats) -> Floats:
    """Bound the hypergeometric tail from `both` on by the geometric series of its first two terms.

    The ratio of successive terms only falls, so the bound holds; above the mode it is tight.
    `scipy.stats.hypergeom.sf` sums the tail of one pair at a time, 30 us each, and there may be millions.
    """
    neither = n_items - heads - tails + both
    ratio = (heads - both) * (tails - both) / ((both + 1) * (neither + 1))
    log_first = (
        _log_choose(heads, both)
        + _log_choose(n_items - heads, tails - both)
        - _log_choose(np.full(len(both), float(n_items)), tails)
    )
    bound = np.divide(np.exp(log_first), 1 - ratio, out=np.ones(len(both)), where=ratio < 1)
    return np.minimum(bound, 1.0)


def _log_choose(n: Floats, k: Floats) -> Floats:
    from scipy.special import gammaln

    result: Floats = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    return result


def _first_rows(links: Any, heads: Ints, tails: Ints, n_rows: int) -> list[Ints]:
    """For each pair the first rows that carry both, ascending."""
    both = links[:, heads].multiply(links[:, tails]).tocsc()
    both.sort_indices()
    return [
        both.indices[start : min(end, start + n_rows)]
        for start, end in zip(both.indptr, both.indptr[1:], strict=False)
    ]
