"""What may become a hit for each query: its nearest items, and the nearest linked to its concepts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.graph.matrices import entries_of
from zeroshot_core.retrieval.scoring import fuse, highest_overlap, overlap_scores
from zeroshot_core.types import Item

if TYPE_CHECKING:
    from zeroshot_core.index import Collection, Filter, SearchResult
    from zeroshot_core.retrieval.activation import Activation
    from zeroshot_core.types import Floats, Ints, Vectors

__all__ = ["Candidates", "Pool", "add_linked", "best_links", "gather", "is_settled", "n_near", "nearest"]

# So many of the nearest items mostly hold the best hits, and show that they do: `is_settled`.
_OVERSAMPLING = 5
_MAX_CANDIDATES = 16384
_N_LINKS = 3
# What counts among linked items is their overlap too, so more of them are weighed than of the nearest.
_LEAST_LINKED = 100


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """What may become a hit of one query.

    Parameters
    ----------
    items
        m of them, those that the vector search found first, best first.
    vector
        Cosine similarities to the query, shape (m,).
    graph
        `overlap_scores`, shape (m,).
    """

    items: Sequence[Item]
    vector: Floats
    graph: Floats


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Candidates of a batch of queries.

    Parameters
    ----------
    items
        All distinct candidates, m of them.
    concepts
        Shape (m, n_concepts), ``1 / sqrt(number of its concepts)`` where an item is linked to one of the
        graph's; those outside a part of a graph count in the number.
    rows
        For each query, the rows of its candidates.
    similarities
        For each query, the cosine similarities of its candidates, in the same order.
    """

    items: Sequence[Item]
    concepts: sparse.csr_matrix
    rows: Sequence[Ints]
    similarities: Sequence[Floats]


def n_near(top_k: int) -> int:
    """How many of the nearest items are candidates for `top_k` hits."""
    return max(top_k, min(top_k * _OVERSAMPLING, _MAX_CANDIDATES))


def gather(
    version: Collection,
    near: SearchResult[Item],
    vectors: Vectors,
    activation: Activation,
    top_k: int,
    filter: Filter | None,
    graph_weight: float | None = None,
) -> list[Candidates]:
    """Score each query's nearest items, and the nearest linked to concepts active but rare among those.

    Parameters
    ----------
    near
        The `n_near` items nearest to each query.
    vectors
        Shape (q, d).
    graph_weight
        Where it is given, linked items are sought only where they could change the best `top_k`.
    """
    pool = nearest(near, activation.graph)
    found: list[Candidates] = []
    links: list[list[str]] = []
    for query in range(len(vectors)):
        # One at a time: it is as long as the graph.
        own_activation = activation.by(query)
        own = _scored(pool, query, own_activation)
        is_open = len(own.items) >= n_near(top_k) and (
            graph_weight is None or not is_settled(own, own_activation, graph_weight, top_k)
        )
        rows = best_links(pool, activation.values, query, _N_LINKS) if is_open else []
        found.append(own)
        links.append([activation.graph.concept_ids[row] for row in rows])
    if not any(links):
        return found
    linked = version.search_linked(vectors, links, max(_LEAST_LINKED, n_near(top_k)), filter)
    pool = add_linked(pool, linked, activation.graph)
    return [
        _scored(pool, query, activation.by(query)) if ids else found[query] for query, ids in enumerate(links)
    ]


def is_settled(near: Candidates, activation: Floats, graph_weight: float, top_k: int) -> bool:
    """Whether no item but these, which are the nearest, can come before the last of their best `top_k`.

    No other is nearer than the last of them, nor overlaps more with the activation than `highest_overlap`.
    """
    scores = fuse(near.vector, near.graph, graph_weight)
    least = np.partition(scores, -top_k)[-top_k]
    most = fuse(near.vector[-1], highest_overlap(activation), graph_weight)
    return bool(most < least)


def _scored(pool: Pool, query: int, activation: Floats) -> Candidates:
    rows = pool.rows[query]
    return Candidates(
        items=[pool.items[row] for row in rows.tolist()],
        vector=pool.similarities[query],
        graph=overlap_scores(activation, pool.concepts, rows),
    )


def nearest(found: SearchResult[Item], graph: KnowledgeGraph) -> Pool:
    """Pool what a vector search found."""
    by_id = {item.id: item for items in found.records for item in items}
    row_of = {id_: row for row, id_ in enumerate(by_id)}
    return Pool(
        items=list(by_id.values()),
        concepts=_links(graph, list(by_id.values())),
        rows=[np.array([row_of[id_] for id_ in ids], dtype=np.int64) for ids in found.ids],
        similarities=found.scores,
    )


def best_links(pool: Pool, spread: sparse.csr_matrix, query: int, n_links: int) -> list[int]:
    """Choose the concepts over which more candidates of a query are sought.

    A concept that many near items carry needs no search: an activation counts ``1 / (1 + n)``, where n is the
    number of the query's candidates that are linked to the concept.

    Parameters
    ----------
    spread
        Activations, shape (q, n_concepts).

    Returns
    -------
    list of int
        At most `n_links` rows of concepts, best first.
    """
    start, end = spread.indptr[query : query + 2]
    active = spread.indices[start:end]
    carried = entries_of(pool.concepts, pool.rows[query])[1]
    n_linked = np.bincount(carried, minlength=spread.shape[1])[active]
    order = np.lexsort((active, -spread.data[start:end] / (1 + n_linked)))
    best: list[int] = active[order[:n_links]].tolist()
    return best


def add_linked(pool: Pool, linked: SearchResult[Item], graph: KnowledgeGraph) -> Pool:
    """Give each query the items found over its own links, but those that it has."""
    row_of = {item.id: row for row, item in enumerate(pool.items)}
    found = {item.id: item for items in linked.records for item in items}
    fresh = [item for id_, item in found.items() if id_ not in row_of]
    row_of.update({item.id: len(pool.items) + place for place, item in enumerate(fresh)})
    rows: list[Ints] = []
    similarities: list[Floats] = []
    for near, near_scores, ids, scores in zip(
        pool.rows, pool.similarities, linked.ids, linked.scores, strict=True
    ):
        more = np.array([row_of[id_] for id_ in ids], dtype=np.int64)
        is_fresh = np.isin(more, near, invert=True)
        rows.append(np.concatenate([near, more[is_fresh]]))
        similarities.append(np.concatenate([near_scores, scores[is_fresh]]))
    more_concepts = sparse.vstack([pool.concepts, _links(graph, fresh)], format="csr") if fresh else None
    return Pool(
        items=[*pool.items, *fresh],
        concepts=pool.concepts if more_concepts is None else more_concepts,
        rows=rows,
        similarities=similarities,
    )


def _links(graph: KnowledgeGraph, items: Sequence[Item]) -> sparse.csr_matrix:
    """Shape (m, n_concepts), as in `Pool`."""
    positions = graph.positions
    distinct = [dict.fromkeys(item.concepts) for item in items]
    columns = [[positions[id_] for id_ in ids if id_ in positions] for ids in distinct]
    counts = np.array([len(row) for row in columns], dtype=np.int64)
    lengths = np.sqrt(np.array([max(1, len(ids)) for ids in distinct], dtype=np.float64))
    ends = np.concatenate([[0], np.cumsum(counts)])
    flat = np.fromiter((column for row in columns for column in row), np.int64, int(ends[-1]))
    return sparse.csr_matrix((np.repeat(1 / lengths, counts), flat, ends), shape=(len(items), len(graph)))
