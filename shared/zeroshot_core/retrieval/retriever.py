"""Retrieval by vectors and graph together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from zeroshot_core.encoders import Encoder
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph import KnowledgeGraph, check_relation_weights
from zeroshot_core.retrieval.activation import ActivatedGraph, Spread, Spreading
from zeroshot_core.retrieval.candidates import Pool, add_linked, best_links, dense_row, nearest
from zeroshot_core.retrieval.checks import (
    check_graph_weight,
    check_parts,
    check_queries,
    check_top_k,
    check_vectors,
    content_of,
)
from zeroshot_core.retrieval.hits import concept_hit, item_hit, item_path, mention_path
from zeroshot_core.retrieval.scoring import fuse, overlap_scores, seed_weights
from zeroshot_core.types import Hit, Item

if TYPE_CHECKING:
    from zeroshot_core.index import Filter, OpenVersion
    from zeroshot_core.types import Floats, Vectors

__all__ = ["Retriever"]

_OVERSAMPLING = 3
_MAX_CANDIDATES = 16384
_N_SEEDS = 5
_N_LINKS = 3
_LINKED_PER_CONCEPT = 100


class Retriever:
    """Finds items and concepts for texts and items; holds no state between calls.

    A query activates concepts: an item its own, a text the five nearest ones in the index, weighted by
    `scoring.seed_weights`. The activation spreads over the relations (`activation.Spreading`). Candidates
    are the items nearest to the query, and items linked to three concepts that are active but rare among
    those (`candidates.best_links`, at most 100 items each). Each candidate gets
    ``score = (1 - graph_weight) * vector + graph_weight * graph`` from its cosine similarity and
    `scoring.overlap_scores`.

    Parameters
    ----------
    version
        The opened version of the index.
    encoder
        The one that the version was built with.
    graph
        The one that the version was built with; without one, or with an empty one, only vectors count.
    top_k
        Hits for each query.
    graph_weight
        Share of the graph in the score, from 0 (vectors only) to 1.
    n_hops
        Relations that an activation may cross.
    decay
        What is kept of it at each crossing, above 0 and at most 1.
    spread
        ``"hops"``, or ``"pagerank"`` for activation that has no limit of hops and goes back to the concepts
        of the query with probability ``1 - decay`` before each (`graph.personalized_pagerank`).
    relation_weights
        What relations weigh by their type; 1 where it is missing, 0 for types that are not followed.

    Raises
    ------
    InvalidInputError
        If a parameter is out of range, a relation type is not in the graph, or the graph is not that of the
        version.
    FingerprintMismatchError
        If the encoder is not that of the version.
    """

    def __init__(
        self,
        version: OpenVersion,
        encoder: Encoder,
        graph: KnowledgeGraph | None = None,
        *,
        top_k: int = 10,
        graph_weight: float = 0.3,
        n_hops: int = 2,
        decay: float = 0.5,
        spread: Spread = "hops",
        relation_weights: Mapping[str, float] | None = None,
    ) -> None:
        check_parts(version.info, encoder, graph)
        self.version = version
        self.encoder = encoder
        self.graph = KnowledgeGraph() if graph is None else graph
        self.top_k = check_top_k(top_k)
        self.graph_weight = check_graph_weight(graph_weight)
        self.spreading = Spreading(
            spread=spread,
            n_hops=n_hops,
            decay=decay,
            relation_weights=check_relation_weights(self.graph, relation_weights),
        )

    def retrieve(
        self,
        queries: Sequence[str | Item],
        *,
        top_k: int | None = None,
        graph_weight: float | None = None,
        filter: Filter | None = None,
        vectors: Vectors | None = None,
    ) -> list[list[Hit]]:
        """Find the best items for each query.

        Parameters
        ----------
        queries
            Texts or items; an item's own concepts take the place of the nearest ones.
        filter
            Which items may be found.
        vectors
            Shape (q, d), unit rows: what the encoder gives for the queries in the role ``query``, if that is
            known already.

        Returns
        -------
        list of list of Hit
            For each query `top_k` hits (or all that the filter leaves, if fewer), best first, ties by id.
            With a `graph_weight` of 0 these are ranking and scores of the vector search alone.

        Raises
        ------
        InvalidInputError
            If a query is empty or of another type, a parameter is out of range, or the vectors are not one
            finite row of the encoder's dimension for each query.
        UnknownConceptError
            If an item names a concept that the graph does not hold.
        """
        top_k = self.top_k if top_k is None else check_top_k(top_k)
        weight = self.graph_weight if graph_weight is None else check_graph_weight(graph_weight)
        checked = check_queries(queries)
        if not checked:
            return []
        vectors = self._encode(checked) if vectors is None else self._checked(vectors, len(checked))
        if weight == 0 or len(self.graph) == 0:
            return self._by_vectors(vectors, top_k, filter)
        bare = [row for row, query in enumerate(checked) if not (isinstance(query, Item) and query.concepts)]
        seeds = self._seeds(checked, self._near_concepts(vectors, bare, _N_SEEDS))
        spread = self._activated.activations(seeds)
        pool = self._pool(vectors, spread, top_k, filter)
        return [
            self._best_items(pool, query, dense_row(spread, query), seeds[query], weight, top_k)
            for query in range(len(checked))
        ]

    def related_concepts(
        self, queries: Sequence[str | Item], *, top_k: int | None = None, vectors: Vectors | None = None
    ) -> list[list[Hit]]:
        """Find the concepts that each query activates, with the paths on which it reaches them.

        Parameters
        ----------
        vectors
            As in `retrieve`.

        Returns
        -------
        list of list of Hit
            For each query `top_k` hits (or all concepts, if fewer). First those activated, by their
            score and graph part ``activation / |activation|``; then the nearest others, without a path. The
            vector part is there for concepts that the vector search found.

        Raises
        ------
        InvalidInputError
            If a query, `top_k` or the vectors are wrong, or there is no graph.
        UnknownConceptError
            If an item names a concept that the graph does not hold.
        """
        top_k = self.top_k if top_k is None else check_top_k(top_k)
        checked = check_queries(queries)
        if len(self.graph) == 0:
            raise InvalidInputError(
                "expected a retriever with a graph of concepts, got none; give it graph=..."
            )
        if not checked:
            return []
        vectors = self._encode(checked) if vectors is None else self._checked(vectors, len(checked))
        near = self._near_concepts(vectors, range(len(checked)), max(top_k, _N_SEEDS))
        seeds = self._seeds(checked, near)
        spread = self._activated.activations(seeds)
        return [
            self._best_concepts(dense_row(spread, query), seeds[query], near[query], top_k)
            for query in range(len(checked))
        ]

    @cached_property
    def _activated(self) -> ActivatedGraph:
        return ActivatedGraph(self.graph, self.spreading)

    def _encode(self, queries: Sequence[str | Item]) -> Vectors:
        return self.encoder.encode([content_of(query) for query in queries], role="query")

    def _checked(self, vectors: Vectors, n_queries: int) -> Vectors:
        return check_vectors(vectors, (n_queries, self.encoder.dimension))

    def _by_vectors(self, vectors: Vectors, top_k: int, filter: Filter | None) -> list[list[Hit]]:
        found = self.version.search_items(vectors, top_k, filter)
        return [
            [
                item_hit(item, score, parts={"vector": score, "graph": 0.0})
                for item, score in zip(items, scores.tolist(), strict=True)
            ]
            for items, scores in zip(found.records, found.scores, strict=True)
        ]

    def _near_concepts(
        self, vectors: Vectors, rows: Sequence[int], n_concepts: int
    ) -> list[dict[str, float]]:
        """Similarities of the nearest concepts for the given rows, best first; nothing for the others."""
        near: list[dict[str, float]] = [{} for _ in vectors]
        if rows:
            found = self.version.search_concepts(vectors[list(rows)], n_concepts)
            for row, ids, scores in zip(rows, found.ids, found.scores, strict=True):
                near[row] = dict(zip(ids, scores.tolist(), strict=True))
        return near

    def _seeds(
        self, queries: Sequence[str | Item], near: Sequence[Mapping[str, float]]
    ) -> list[dict[str, float]]:
        """Weights of the concepts that each query mentions: its own, or the nearest ones."""
        own = [query.concepts if isinstance(query, Item) else () for query in queries]
        self.graph.require(id_ for ids in own for id_ in ids)
        return [
            dict.fromkeys(ids, 1.0) if ids else seed_weights(dict(islice(found.items(), _N_SEEDS)))
            for ids, found in zip(own, near, strict=True)
        ]

    def _pool(self, vectors: Vectors, spread: sparse.csr_matrix, top_k: int, filter: Filter | None) -> Pool:
        n_candidates = max(top_k, min(top_k * _OVERSAMPLING, _MAX_CANDIDATES))
        found = self.version.search_items(vectors, n_candidates, filter)
        pool = nearest(found, self.graph)
        links = best_links(pool, spread, _N_LINKS)
        linked = self._linked(np.unique(np.concatenate(links)).tolist(), filter)
        return add_linked(pool, linked, self.version.item_vectors, vectors, links, self.graph)

    def _linked(self, rows: Sequence[int], filter: Filter | None) -> dict[int, list[Item]]:
        """Items linked to the concept of each row, some of them where they are many."""
        ids = {row: self.graph.concept_ids[row] for row in rows}
        if filter is None:
            return {row: self.version.linked_items([id_], _LINKED_PER_CONCEPT) for row, id_ in ids.items()}
        # A filter walks over all rows of a local file, so it is asked once for the whole batch.
        linked: dict[str, list[Item]] = {id_: [] for id_ in ids.values()}
        for item in sorted(self.version.linked_items(list(linked), filter=filter), key=lambda item: item.id):
            for id_ in linked.keys() & item.concepts:
                linked[id_].append(item)
        return {row: linked[id_][:_LINKED_PER_CONCEPT] for row, id_ in ids.items()}

    def _best_items(
        self,
        pool: Pool,
        query: int,
        activation: Floats,
        seeds: Mapping[str, float],
        graph_weight: float,
        top_k: int,
    ) -> list[Hit]:
        rows, vector = pool.rows[query], pool.similarities[query]
        graph = overlap_scores(activation, pool.concepts[rows])
        scores = fuse(vector, graph, graph_weight)
        items = [pool.items[row] for row in rows.tolist()]
        kept = _best(scores, [item.id for item in items], top_k)
        targets = [id_ for place in kept for id_ in items[place].concepts]
        paths = self._activated.paths(seeds, targets, activation)
        return [
            item_hit(
                items[place],
                float(scores[place]),
                parts={"vector": float(vector[place]), "graph": float(graph[place])},
                path=item_path(items[place], seeds, paths, self.graph),
            )
            for place in kept
        ]

    def _best_concepts(
        self, activation: Floats, seeds: Mapping[str, float], near: Mapping[str, float], top_k: int
    ) -> list[Hit]:
        shares = activation / np.linalg.norm(activation)
        graph = {self.graph.concept_ids[row]: float(shares[row]) for row in np.flatnonzero(shares)}
        by_rank = sorted({*graph, *near}, key=lambda id_: (-graph.get(id_, 0.0), -near.get(id_, -1.0), id_))
        kept = by_rank[:top_k]
        paths = self._activated.paths(seeds, kept, activation)
        return [
            concept_hit(
                self.graph.concepts[id_],
                parts={"graph": graph.get(id_, 0.0)} | ({"vector": near[id_]} if id_ in near else {}),
                path=mention_path(paths[id_], seeds) if id_ in paths else (),
            )
            for id_ in kept
        ]


def _best(scores: Floats, ids: Sequence[str], top_k: int) -> list[int]:
    """Places of the largest scores, best first, ties by id."""
    places = range(len(ids))
    if top_k < len(ids):
        least = np.partition(scores, -top_k)[-top_k]
        places = np.flatnonzero(scores >= least).tolist()
    return sorted(places, key=lambda place: (-scores[place], ids[place]))[:top_k]
