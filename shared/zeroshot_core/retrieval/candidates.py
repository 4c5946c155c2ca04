"""What may become a hit for each query: its nearest items, the best by words, the nearest over concepts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.graph.matrices import entries_of
from zeroshot_core.index.collection import SearchResult
from zeroshot_core.retrieval.scoring import Weights, fuse, highest_overlap, lexical_scores, overlap_scores
from zeroshot_core.types import Item

if TYPE_CHECKING:
    from zeroshot_core.index import Collection, Filter
    from zeroshot_core.index.collection import LexicalResult
    from zeroshot_core.retrieval.activation import Activation
    from zeroshot_core.retrieval.modality_scales import ModalityScales
    from zeroshot_core.retrieval.query_bank import BankScores
    from zeroshot_core.types import Floats, Ints, Vectors

__all__ = [
    "LEAST_LINKED",
    "N_LINKS",
    "Candidates",
    "Pool",
    "add_linked",
    "best_links",
    "gather",
    "is_settled",
    "n_near",
    "nearest",
    "rarest_active",
]

# So many of the nearest items mostly hold the best hits, and show that they do: `is_settled`.
_OVERSAMPLING = 5
_MAX_CANDIDATES = 16384
N_LINKS = 3
# What counts among linked items is their overlap too, so more of them are weighed than of the nearest.
LEAST_LINKED = 100


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
    lexical
        `lexical_scores`, shape (m,): 0 for what is not among the best by words.
    """

    items: Sequence[Item]
    vector: Floats
    graph: Floats
    lexical: Floats


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
    lexical
        For each query, `lexical_scores` by id; none at all where words don't count.
    """

    items: Sequence[Item]
    concepts: sparse.csr_matrix
    rows: Sequence[Ints]
    similarities: Sequence[Floats]
    lexical: Sequence[Mapping[str, float]] = ()


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
    weights: Weights | None = None,
    *,
    words: LexicalResult[Item] | None = None,
    scales: ModalityScales | BankScores | None = None,
) -> list[Candidates]:
    """Score each query's nearest items, and the nearest linked to concepts active but rare among those.

    Parameters
    ----------
    near
        The `n_near` items nearest to each query.
    vectors
        Shape (q, d).
    weights
        Where they are given, linked items are sought only where they could change the best `top_k`.
    words
        The best items of each query by words, which are candidates too.
    scales
        Of texts and images, on whose one scale the scores in `near` are, or what a bank of queries takes from
        them; others are put on it.
    """
    pool = nearest(near, activation.graph, words, vectors, scales)
    found: list[Candidates] = []
    links: list[list[str]] = []
    for query in range(len(vectors)):
        # One at a time: it is as long as the graph.
        own_activation = activation.by(query)
        own = _scored(pool, query, own_activation)
        is_open = len(near.ids[query]) >= n_near(top_k)
        if is_open and weights is not None:
            is_open = not is_settled(own, float(near.scores[query][-1]), own_activation, weights, top_k)
        rows = best_links(pool, activation.values, query, N_LINKS) if is_open else []
        found.append(own)
        links.append([activation.graph.concept_ids[row] for row in rows])
    if not any(links):
        return found
    linked = version.search_linked(vectors, links, max(LEAST_LINKED, n_near(top_k)), filter)
    if scales is not None:
        linked = scales.of_result(linked)
    pool = add_linked(pool, linked, activation.graph)
    return [
        _scored(pool, query, activation.by(query)) if ids else found[query] for query, ids in enumerate(links)
    ]


def is_settled(found: Candidates, farthest: float, activation: Floats, weights: Weights, top_k: int) -> bool:
    """Whether no item but these can come before the last of their best `top_k`.

    No other is nearer than the `farthest` of the nearest items, nor overlaps more with the activation than
    `highest_overlap`, nor is among the best by words.
    """
    scores = fuse(found.vector, found.graph, weights.graph, found.lexical, weights.lexical)
    least = np.partition(scores, -top_k)[-top_k]
    most = fuse(np.array(farthest), highest_overlap(activation), weights.graph, 0.0, weights.lexical)
    return bool(most < least)


def _scored(pool: Pool, query: int, activation: Floats) -> Candidates:
    rows = pool.rows[query]
    items = [pool.items[row] for row in rows.tolist()]
    words = pool.lexical[query] if pool.lexical else {}
    return Candidates(
        items=items,
        vector=pool.similarities[query],
        graph=overlap_scores(activation, pool.concepts, rows),
        lexical=np.array([words.get(item.id, 0.0) for item in items]) if words else np.zeros(len(items)),
    )


def nearest(
    found: SearchResult[Item],
    graph: KnowledgeGraph,
    words: LexicalResult[Item] | None = None,
    vectors: Vectors | None = None,
    scales: ModalityScales | BankScores | None = None,
) -> Pool:
    """Pool what a vector search found, and behind it what words did for queries of vectors (q, d)."""
    lexical: list[dict[str, float]] = []
    if words is not None and vectors is not None:
        found = _joined(found, words, vectors, scales)
        scores = (lexical_scores(each).tolist() for each in words.scores)
        lexical = [dict(zip(ids, row, strict=True)) for ids, row in zip(words.ids, scores, strict=True)]
    by_id = {item.id: item for items in found.records for item in items}
    row_of = {id_: row for row, id_ in enumerate(by_id)}
    return Pool(
        items=list(by_id.values()),
        concepts=_links(graph, list(by_id.values())),
        rows=[np.array([row_of[id_] for id_ in ids], dtype=np.int64) for ids in found.ids],
        similarities=found.scores,
        lexical=lexical,
    )


def _joined(
    near: SearchResult[Item],
    words: LexicalResult[Item],
    vectors: Vectors,
    scales: ModalityScales | BankScores | None,
) -> SearchResult[Item]:
    """Give each query what it found by words alone too, with the cosine similarities to it."""
    joined = SearchResult[Item](ids=[], scores=[], records=[])
    for query, own in enumerate(near.ids):
        known = set(own)
        new = [place for place, id_ in enumerate(words.ids[query]) if id_ not in known]
        ids = [words.ids[query][place] for place in new]
        rows = np.array([words.vectors[id_] for id_ in ids], dtype=np.float32)
        cosines = rows.reshape(-1, vectors.shape[1]) @ vectors[query]
        if scales is not None:
            cosines = scales.scaled(query, [words.records[query][place] for place in new], cosines)
        joined.ids.append([*own, *ids])
        joined.scores.append(np.concatenate([near.scores[query], cosines]))
        joined.records.append([*near.records[query], *(words.records[query][place] for place in new)])
    return joined


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
    return rarest_active(spread, query, entries_of(pool.concepts, pool.rows[query])[1], n_links)


def rarest_active(spread: sparse.csr_matrix, query: int, carried: Ints, n_links: int) -> list[int]:
    """Choose as `best_links` does, by the concepts that a query's candidates carry, one after the other."""
    start, end = spread.indptr[query : query + 2]
    active = spread.indices[start:end]
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
        lexical=pool.lexical,
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
