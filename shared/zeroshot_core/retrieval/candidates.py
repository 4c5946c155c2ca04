"""What may become a hit for each query: its nearest items, and items linked to its concepts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.types import Item

if TYPE_CHECKING:
    from zeroshot_core.index import Filter, OpenVersion, SearchResult
    from zeroshot_core.types import Floats, Ints, Vectors

__all__ = ["Pool", "add_linked", "best_links", "dense_row", "gather", "nearest"]

_OVERSAMPLING = 3
_MAX_CANDIDATES = 16384
_N_LINKS = 3
_LINKED_PER_CONCEPT = 100
# A server answers for some concepts at once as fast as for one, and several questions side by side. So many
# that their items, long as they may be, fit into one answer.
_CONCEPTS_PER_READ = 9
_CALLS_AT_ONCE = 8


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


def gather(
    version: OpenVersion,
    vectors: Vectors,
    spread: sparse.csr_matrix,
    graph: KnowledgeGraph,
    top_k: int,
    filter: Filter | None,
) -> Pool:
    """Pool each query's nearest items, and items linked to concepts that are active but rare among those.

    Parameters
    ----------
    vectors
        Shape (q, d).
    spread
        Activations, shape (q, n_concepts).
    """
    n_candidates = max(top_k, min(top_k * _OVERSAMPLING, _MAX_CANDIDATES))
    pool = nearest(version.search_items(vectors, n_candidates, filter, before_links=True), graph)
    links = best_links(pool, spread, _N_LINKS)
    ids = {row: graph.concept_ids[row] for row in np.unique(np.concatenate(links)).tolist()}
    linked = _linked(version, list(ids.values()), filter)
    by_row = {row: linked[id_] for row, id_ in ids.items()}
    return add_linked(pool, by_row, version.item_vectors, vectors, links, graph)


def _linked(version: OpenVersion, ids: Sequence[str], filter: Filter | None) -> dict[str, list[Item]]:
    """Items linked to each concept, some of them where they are many, whatever the other concepts."""
    if filter is not None:
        # A filter walks over all rows of a local file, so it is asked once for the whole batch.
        items = sorted(version.linked_items(ids, filter=filter), key=lambda item: item.id)
        return {id_: some[:_LINKED_PER_CONCEPT] for id_, some in _by_concept(items, ids).items()}
    parts = [ids[start : start + _CONCEPTS_PER_READ] for start in range(0, len(ids), _CONCEPTS_PER_READ)]
    with ThreadPoolExecutor(_CALLS_AT_ONCE) as pool:
        linked = dict(chain.from_iterable(pool.map(lambda part: _all_linked(version, part).items(), parts)))
        crowded = [id_ for id_ in ids if id_ not in linked]
        some = pool.map(lambda id_: version.linked_items([id_], _LINKED_PER_CONCEPT), crowded)
        return linked | dict(zip(crowded, some, strict=True))


def _all_linked(version: OpenVersion, ids: Sequence[str]) -> dict[str, list[Item]]:
    """All items of each concept by one call; concepts with many items are left out."""
    limit = len(ids) * _LINKED_PER_CONCEPT + 1
    items = version.linked_items(ids, limit)
    if len(items) == limit:
        return {}
    linked = _by_concept(items, ids)
    return {id_: items for id_, items in linked.items() if len(items) <= _LINKED_PER_CONCEPT}


def _by_concept(items: Sequence[Item], ids: Sequence[str]) -> dict[str, list[Item]]:
    linked: dict[str, list[Item]] = {id_: [] for id_ in ids}
    for item in items:
        for id_ in linked.keys() & item.concepts:
            linked[id_].append(item)
    return linked


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
    ends = np.cumsum([0, *map(len, pool.rows)])
    columns = np.concatenate([*pool.rows, np.zeros(0, dtype=np.int64)])
    chosen = sparse.csr_matrix(
        (np.ones(len(columns)), columns, ends), shape=(len(ends) - 1, pool.concepts.shape[0])
    )
    n_near = sparse.csr_matrix(chosen @ pool.concepts.sign())
    links: list[Ints] = []
    for query, (start, end) in enumerate(zip(spread.indptr[:-1], spread.indptr[1:], strict=True)):
        active = spread.indices[start:end]
        order = np.lexsort((active, -spread.data[start:end] / (1 + dense_row(n_near, query)[active])))
        links.append(active[order[:n_links]].astype(np.int64))
    return links


def add_linked(
    pool: Pool,
    linked: Mapping[int, Sequence[Item]],
    vectors_of: Callable[[Sequence[str]], Vectors],
    queries: Vectors,
    links: Sequence[Ints],
    graph: KnowledgeGraph,
) -> Pool:
    """Give each query the items found over its own links, so that no other query matters to it.

    Parameters
    ----------
    linked
        Items by the row of the concept over which they were found.
    vectors_of
        Gives the vectors of items by their ids, shape (n, d).
    queries
        Shape (q, d).
    links
        For each query the rows of concepts, as `best_links` chose them.
    """
    found = {item.id: item for items in linked.values() for item in items}
    vectors, place_of = vectors_of(list(found)), {id_: place for place, id_ in enumerate(found)}
    places_over = {
        concept: np.array([place_of[item.id] for item in items], dtype=np.int64)
        for concept, items in linked.items()
    }
    row_of = {item.id: row for row, item in enumerate(pool.items)}
    fresh = [item for id_, item in found.items() if id_ not in row_of]
    row_of.update({item.id: len(pool.items) + place for place, item in enumerate(fresh)})
    found_rows = np.array([row_of[id_] for id_ in found], dtype=np.int64)
    is_known = np.zeros(len(row_of), dtype=bool)
    rows: list[Ints] = []
    similarities: list[Floats] = []
    for query, (near, scores) in enumerate(zip(pool.rows, pool.similarities, strict=True)):
        lists = [places_over[concept] for concept in links[query].tolist()]
        places = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *lists]))
        is_known[near] = True
        places = places[~is_known[found_rows[places]]]
        is_known[near] = False
        rows.append(np.concatenate([near, found_rows[places]]))
        similarities.append(np.concatenate([scores, vectors[places] @ queries[query]]))
    return Pool(
        items=[*pool.items, *fresh],
        concepts=sparse.vstack([pool.concepts, _links(graph, fresh)], format="csr"),
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


def dense_row(matrix: sparse.csr_matrix, row: int) -> Floats:
    """One row as an array; far quicker than indexing a sparse matrix."""
    dense = np.zeros(matrix.shape[1])
    entries = slice(matrix.indptr[row], matrix.indptr[row + 1])
    dense[matrix.indices[entries]] = matrix.data[entries]
    return dense
