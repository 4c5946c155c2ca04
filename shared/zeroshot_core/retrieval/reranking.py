"""Things that another search has found, ranked anew by vectors and graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from zeroshot_core import checks
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.images import kept_image
from zeroshot_core.retrieval.candidates import Candidates
from zeroshot_core.retrieval.hits import best_items, item_hit
from zeroshot_core.retrieval.queries import check_queries, content_of
from zeroshot_core.retrieval.scoring import Weights, check_graph_weight, overlap_scores, seed_weights

if TYPE_CHECKING:
    from zeroshot_core.retrieval.retriever import Retriever
    from zeroshot_core.types import Floats, Hit, Item, Vectors

__all__ = ["rerank"]

_N_LINKS = 5


def rerank(
    retriever: Retriever,
    query: str | Item,
    items: Sequence[Item],
    *,
    top_k: int | None = None,
    graph_weight: float | None = None,
) -> list[Hit]:
    """Rank items by the score that `retriever` gives its own hits by vectors and graph, whoever found them.

    An item that is indexed with the same text has the vector of the index, and its concepts unless it brings
    its own; another one without concepts has the five nearest ones of its text, as a query has, weighted by
    `scoring.seed_weights`.

    Parameters
    ----------
    query
        A text, or an item with concepts of its own.
    items
        What another search has found.
    top_k
        How many are kept; all if None.
    graph_weight
        Share of the graph in the score, from 0 to 1; the retriever's own if None.

    Returns
    -------
    list of Hit
        Best first, ties by id.

    Raises
    ------
    InvalidInputError
        If the query is empty, or a parameter is out of range.
    UnknownConceptError
        If the query names a concept that the graph does not hold.
    """
    weight = retriever.graph_weight if graph_weight is None else check_graph_weight(graph_weight)
    top_k = len(items) if top_k is None else checks.whole("top_k", top_k, least=1)
    queries = check_queries([query])
    if not items:
        return []
    items, vectors = _looked_up(retriever, items)
    wanted = retriever.encoder.encode([content_of(query)], role="query")
    cosines = np.asarray(vectors @ wanted[0], dtype=np.float64)
    if (scales := retriever.scales(wanted)) is not None:
        cosines = scales.scaled(0, items, cosines)
    if weight == 0 or not retriever.has_graph:
        return _by_vectors(items, cosines, top_k)
    links = _links(retriever, items, vectors)
    activation = retriever.reach(queries, wanted)
    rows = _unit_rows(activation.graph, links)
    linked = [replace(item, concepts=_telling(link)) for item, link in zip(items, links, strict=True)]
    graph = overlap_scores(activation.by(0), rows)
    found = Candidates(items=linked, vector=cosines, graph=graph, lexical=np.zeros(len(items)))
    return best_items(found, 0, activation, Weights(weight, 0.0), top_k)


def _is_said_alike(known: Item | None, item: Item) -> bool:
    if known is None or known.text != item.text or known.modality != item.modality:
        return False
    return item.image is None or known.image == kept_image(item.image)


def _looked_up(retriever: Retriever, items: Sequence[Item]) -> tuple[list[Item], Vectors]:
    """Items with what the index knows of them, and their vectors, shape (m, d)."""
    known = retriever.version.known_items({item.id for item in items})
    same = [row for row, item in enumerate(items) if _is_said_alike(known.get(item.id), item)]
    new = sorted(set(range(len(items))).difference(same))
    vectors = np.empty((len(items), retriever.encoder.dimension), dtype=np.float32)
    if same:
        vectors[same] = retriever.version.item_vectors([items[row].id for row in same])
    if new:
        vectors[new] = retriever.encoder.encode([items[row].content for row in new])
    found = set(same)
    whole = [known[item.id] if row in found and not item.concepts else item for row, item in enumerate(items)]
    return whole, vectors


def _by_vectors(items: Sequence[Item], cosines: Floats, top_k: int) -> list[Hit]:
    scored = sorted(zip(items, cosines.tolist(), strict=True), key=lambda pair: (-pair[1], pair[0].id))
    return [item_hit(item, score, parts={"vector": score, "graph": 0.0}) for item, score in scored[:top_k]]


def _links(retriever: Retriever, items: Sequence[Item], vectors: Vectors) -> list[dict[str, float]]:
    """Weights of each item's concepts: its own, or those of the nearest ones."""
    links = [dict.fromkeys(item.concepts, 1.0) for item in items]
    bare = [row for row, link in enumerate(links) if not link]
    if bare:
        near = retriever.version.search_concepts(vectors[bare], _N_LINKS)
        for row, ids, scores in zip(bare, near.ids, near.scores, strict=True):
            links[row] = seed_weights(dict(zip(ids, scores.tolist(), strict=True)))
    return links


def _telling(link: Mapping[str, float]) -> tuple[str, ...]:
    """Concepts by which an item is explained: those that weigh at least an even share."""
    return tuple(id_ for id_, weight in link.items() if weight >= 1 / _N_LINKS)


def _unit_rows(graph: KnowledgeGraph, links: Sequence[Mapping[str, float]]) -> sparse.csr_matrix:
    """Shape (m, n_concepts), each row of length 1 over all of its links, those outside the graph too."""
    entries = [
        (row, graph.positions[id_], weight / float(np.linalg.norm(list(link.values()))))
        for row, link in enumerate(links)
        for id_, weight in link.items()
        if id_ in graph.positions
    ]
    rows, columns, weights = zip(*entries, strict=True) if entries else ((), (), ())
    return sparse.csr_matrix((weights, (rows, columns)), shape=(len(links), len(graph)))
