"""Hits: the best candidates of a query, with the parts of their scores and the paths that led to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.graph import Path
from zeroshot_core.images import kept_image
from zeroshot_core.retrieval.scoring import activation_length, fuse
from zeroshot_core.types import Concept, Hit, Item, Relation

if TYPE_CHECKING:
    from zeroshot_core.index import SearchResult
    from zeroshot_core.retrieval.activation import Activation
    from zeroshot_core.retrieval.candidates import Candidates
    from zeroshot_core.retrieval.scoring import Weights
    from zeroshot_core.types import Floats

__all__ = ["best_concepts", "best_items", "best_places", "item_hit", "vector_hits"]

_QUERY = "query"


def vector_hits(found: SearchResult[Item]) -> list[list[Hit]]:
    """Take over what a vector search found for each query, as it is."""
    return [
        [
            item_hit(item, score, parts={"vector": score, "graph": 0.0})
            for item, score in zip(items, scores.tolist(), strict=True)
        ]
        for items, scores in zip(found.records, found.scores, strict=True)
    ]


def best_items(
    found: Candidates,
    query: int,
    activation: Activation,
    weights: Weights,
    top_k: int,
    *,
    with_paths: bool = True,
) -> list[Hit]:
    """Fuse all parts of the candidates of one query, rank them, ties by id, and explain the best."""
    items = found.items
    scores = fuse(found.vector, found.graph, weights.graph, found.lexical, weights.lexical)
    parts = {"vector": found.vector, "graph": found.graph}
    parts |= {"lexical": found.lexical} if weights.lexical else {}
    kept = best_places(scores, [item.id for item in items], top_k)
    concepts = (id_ for place in kept for id_ in activation.telling(query, items[place].concepts))
    paths = activation.paths(query, concepts) if with_paths else {}
    ways = _ItemPaths(paths, activation, query)
    return [
        item_hit(
            items[place],
            float(scores[place]),
            parts={name: float(part[place]) for name, part in parts.items()},
            path=ways.to(items[place]),
        )
        for place in kept
    ]


class _ItemPaths:
    """Leads from a query over the concept of each item that its strongest path goes over.

    Of equally strong paths the one over the most specific concept says most.
    """

    def __init__(self, paths: Mapping[str, Path], activation: Activation, query: int) -> None:
        over, seeds = activation.over, activation.seeds[query]
        # Many items share their concepts.
        self._strength = {id_: (path.score, over.specificity(id_)) for id_, path in paths.items()}
        self._mentions = {id_: _mention_path(path, seeds) for id_, path in paths.items()}
        self._concepts = over.graph.concepts

    def to(self, item: Item) -> tuple[Relation, ...]:
        """Relations from the query to an item; none where no path reaches its concepts."""
        reached = [id_ for id_ in item.concepts if id_ in self._strength]
        if not reached:
            return ()
        best = max(reached, key=self._strength.__getitem__)
        return (*self._mentions[best], Relation(head=item.id, type=self._concepts[best].type, tail=best))


def best_concepts(
    near: Mapping[Concept, float], query: int, activation: Activation, top_k: int, *, with_paths: bool = True
) -> list[Hit]:
    """Rank the concepts that a query activates by ``activation / |activation|``, then the nearest others."""
    by_id = {concept.id: concept for concept in near}
    vector = {concept.id: score for concept, score in near.items()}
    own, ids = activation.by(query), activation.graph.concept_ids
    shares = own / activation_length(own)
    graph = {ids[row]: float(shares[row]) for row in np.flatnonzero(shares)}
    by_rank = sorted({*graph, *vector}, key=lambda id_: (-graph.get(id_, 0.0), -vector.get(id_, -1.0), id_))
    kept = by_rank[:top_k]
    paths = activation.paths(query, kept) if with_paths else {}
    return [
        _concept_hit(
            activation.graph.concepts.get(id_) or by_id[id_],
            parts={"graph": graph.get(id_, 0.0)} | ({"vector": vector[id_]} if id_ in vector else {}),
            path=_mention_path(paths[id_], activation.seeds[query]) if id_ in paths else (),
        )
        for id_ in kept
    ]


def best_places(scores: Floats, ids: Sequence[str], top_k: int) -> list[int]:
    """Places of the largest scores, best first, ties by id."""
    places = range(len(ids))
    if top_k < len(ids):
        places = np.flatnonzero(scores >= np.partition(scores, -top_k)[-top_k]).tolist()
    return sorted(places, key=lambda place: (-scores[place], ids[place]))[:top_k]


def item_hit(item: Item, score: float, *, parts: Mapping[str, float], path: tuple[Relation, ...] = ()) -> Hit:
    """Describe an item that was found."""
    return Hit(
        id=item.id,
        kind="item",
        score=score,
        text=item.text or "",
        parts=parts,
        path=path,
        concepts=item.concepts,
        metadata=item.metadata,
        image="" if item.image is None else kept_image(item.image),
    )


def _concept_hit(concept: Concept, *, parts: Mapping[str, float], path: tuple[Relation, ...] = ()) -> Hit:
    """Describe a concept that was found, scored by its graph part; its type stands in the metadata."""
    return Hit(
        id=concept.id,
        kind="concept",
        score=parts["graph"],
        text=concept.name,
        parts=parts,
        path=path,
        metadata={"type": concept.type},
    )


def _mention_path(path: Path, seeds: Mapping[str, float]) -> tuple[Relation, ...]:
    """Lead a path of the graph from the query, with the weight of its seed: 1 if it is the query's own."""
    return (Relation(head=_QUERY, type="mentions", tail=path.seed, weight=seeds[path.seed]), *path.relations)
