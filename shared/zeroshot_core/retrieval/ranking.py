"""The best candidates of a query as hits, with their parts and paths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.retrieval.hits import concept_hit, item_hit, item_path, mention_path
from zeroshot_core.retrieval.scoring import Candidates, activation_length, fuse
from zeroshot_core.types import Concept, Hit

if TYPE_CHECKING:
    from zeroshot_core.retrieval.activation import Reached
    from zeroshot_core.types import Floats

__all__ = ["best_concepts", "best_items"]


def best_items(found: Candidates, query: int, reached: Reached, graph_weight: float, top_k: int) -> list[Hit]:
    """Rank the candidates of one query by both parts, ties by id."""
    items, scores = found.items, fuse(found.vector, found.graph, graph_weight)
    kept = _best(scores, [item.id for item in items], top_k)
    paths = reached.paths(query, (id_ for place in kept for id_ in items[place].concepts))
    return [
        item_hit(
            items[place],
            float(scores[place]),
            parts={"vector": float(found.vector[place]), "graph": float(found.graph[place])},
            path=item_path(items[place], reached.seeds[query], paths, reached.on.graph),
        )
        for place in kept
    ]


def best_concepts(near: Mapping[Concept, float], query: int, reached: Reached, top_k: int) -> list[Hit]:
    """Rank the concepts that a query activates by ``activation / |activation|``, then the nearest others."""
    by_id = {concept.id: concept for concept in near}
    vector = {concept.id: score for concept, score in near.items()}
    activation, ids = reached.activation(query), reached.on.graph.concept_ids
    shares = activation / activation_length(activation)
    graph = {ids[row]: float(shares[row]) for row in np.flatnonzero(shares)}
    by_rank = sorted({*graph, *vector}, key=lambda id_: (-graph.get(id_, 0.0), -vector.get(id_, -1.0), id_))
    kept = by_rank[:top_k]
    paths = reached.paths(query, kept)
    return [
        concept_hit(
            reached.on.graph.concepts.get(id_) or by_id[id_],
            parts={"graph": graph.get(id_, 0.0)} | ({"vector": vector[id_]} if id_ in vector else {}),
            path=mention_path(paths[id_], reached.seeds[query]) if id_ in paths else (),
        )
        for id_ in kept
    ]


def _best(scores: Floats, ids: Sequence[str], top_k: int) -> list[int]:
    """Places of the largest scores, best first, ties by id."""
    places = range(len(ids))
    if top_k < len(ids):
        places = np.flatnonzero(scores >= np.partition(scores, -top_k)[-top_k]).tolist()
    return sorted(places, key=lambda place: (-scores[place], ids[place]))[:top_k]
