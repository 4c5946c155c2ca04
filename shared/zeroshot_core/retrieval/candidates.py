"""What may become a hit for each query: its nearest items, and items linked to its concepts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from zeroshot_core.graph import KnowledgeGraph, activations
from zeroshot_core.types import Item

if TYPE_CHECKING:
    from zeroshot_core.index import SearchResult
    from zeroshot_core.types import Floats, Ints, Vectors

__all__ = ["Pool", "add_linked", "best_links", "nearest"]


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Candidates of a batch of queries.

    Parameters
    ----------
    items
        All distinct candidates, m of them.
    concepts
        Shape (m, n_concepts), ones where an item is linked to a concept.
    rows
        For each query, the rows of its candidates.
    similarities
        For each query, the cosine similarities of its candidates, in the same order.
    """

    items: Sequence[Item]
    concepts: sparse.csr_matrix
    rows: Sequence[Ints]
    similarities: Sequence[Floats]


def nearest(found: SearchResult[Item], graph: KnowledgeGraph) -> Pool:
    """Pool what a vector search found."""
    by_id = {item.id: item for items in found.records for item in items}
    row_of = {id_: row for row, id_ in enumerate(by_id)}
    return Pool(
        items=list(by_id.values()),
        concepts=activations(graph, [item.concepts for item in by_id.values()]),
        rows=[np.array([row_of[id_] for id_ in ids], dtype=np.int64) for ids in found.ids],
        similarities=found.scores,
    )


def best_links(pool: Pool, spread: sparse.csr_matrix, n_links: int) -> list[Ints]:
    """Choose the concepts over which more candidates are sought.

    A concept that many near items carry needs no search: an activation counts ``1 / (1 + n)``, where n is the
    number of the query's candidates that are linked to the concept.

    Parameters
    ----------
    spread
        Activations, shape (q, n_concepts).

    Returns
    -------
    list of Ints
        For each query at most `n_links` rows of concepts, best first.
    """
    links: list[Ints] = []
    for rows, start, end in zip(pool.rows, spread.indptr[:-1], spread.indptr[1:], strict=True):
        active = spread.indices[start:end]
        n_near = np.asarray(pool.concepts[rows].sum(axis=0)).ravel()[active]
        order = np.lexsort((active, -spread.data[start:end] / (1 + n_near)))
        links.append(active[order[:n_links]].astype(np.int64))
    return links


def add_linked(
    pool: Pool,
    linked: Sequence[Item],
    linked_vectors: Vectors,
    queries: Vectors,
    links: Sequence[Ints],
    graph: KnowledgeGraph,
) -> Pool:
    """Give each query those of the linked items that carry one of its links.

    Parameters
    ----------
    linked_vectors
        Shape (len(linked), d).
    queries
        Shape (q, d).
    links
        For each query the rows of concepts, as `best_links` chose them.
    """
    row_of = {item.id: row for row, item in enumerate(pool.items)}
    fresh = [item for item in linked if item.id not in row_of]
    row_of.update({item.id: len(pool.items) + place for place, item in enumerate(fresh)})
    linked_rows = np.array([row_of[item.id] for item in linked], dtype=np.int64)
    carriers = activations(graph, [item.concepts for item in linked]).tocsc()
    rows: list[Ints] = []
    similarities: list[Floats] = []
    for query, (near, scores) in enumerate(zip(pool.rows, pool.similarities, strict=True)):
        places = np.unique(carriers[:, links[query]].indices)
        places = places[~np.isin(linked_rows[places], near)]
        rows.append(np.concatenate([near, linked_rows[places]]))
        similarities.append(np.concatenate([scores, linked_vectors[places] @ queries[query]]))
    return Pool(
        items=[*pool.items, *fresh],
        concepts=sparse.vstack(
            [pool.concepts, activations(graph, [item.concepts for item in fresh])], format="csr"
        ),
        rows=rows,
        similarities=similarities,
    )
