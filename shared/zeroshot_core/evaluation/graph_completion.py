"""How well missing relations are found: held-out ones among all concepts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.evaluation.metrics import tied_rank
from zeroshot_core.graph import KnowledgeGraph, RelationMap, fit_relation_map

if TYPE_CHECKING:
    from zeroshot_core.types import Floats, Relation, Vectors

__all__ = ["CompletionScores", "evaluate_completion", "filtered_ranks", "hold_out_relations", "rank_scores"]


@dataclass(frozen=True, kw_only=True)
class CompletionScores:
    """Filtered scores of the right tails.

    Parameters
    ----------
    mrr
        Mean of 1 / rank, in [0, 1].
    hits_at_10
        Share with a rank of at most 10.
    n
        Relations asked about.
    """

    mrr: float
    hits_at_10: float
    n: int


def hold_out_relations(
    graph: KnowledgeGraph, relation_type: str, *, fraction: float = 0.1, random_state: int = 0
) -> tuple[KnowledgeGraph, tuple[Relation, ...]]:
    """Take some relations of a type out of the graph, at random; the concepts all stay.

    Raises
    ------
    InvalidInputError
        If the graph has too few relations of that type to hold some out and keep some.
    """
    places = [i for i, relation in enumerate(graph.relations) if relation.type == relation_type]
    n_taken = round(fraction * len(places))
    if not 0 < n_taken < len(places):
        raise InvalidInputError(
            f"expected relations of type {relation_type!r} to hold out and to keep, got {len(places)}"
        )
    chosen = np.random.default_rng(random_state).permutation(len(places))[:n_taken]
    taken = {places[i] for i in chosen}
    kept = [relation for i, relation in enumerate(graph.relations) if i not in taken]
    return graph.replace(relations=kept), tuple(graph.relations[i] for i in sorted(taken))


def evaluate_completion(
    graph: KnowledgeGraph,
    vectors: Vectors,
    relation_type: str,
    *,
    fraction: float = 0.1,
    random_state: int = 0,
) -> dict[str, CompletionScores]:
    """Ask for the tails of held-out relations.

    Parameters
    ----------
    vectors
        Shape (n_concepts, d), unit rows, in the order of the graph, made of texts alone.

    Returns
    -------
    dict
        Scores by method: ``text_similarity`` (the concepts nearest to the head), ``translation`` (the mean
        translation of the type) and ``relation_map`` (`graph.fit_relation_map`).
    """
    kept, asked = hold_out_relations(graph, relation_type, fraction=fraction, random_state=random_state)
    heads = vectors[[graph.positions[relation.head] for relation in asked]]
    placed = [relation for relation in kept.relations if relation.type == relation_type]
    starts, ends = ([graph.positions[getattr(r, end)] for r in placed] for end in ("head", "tail"))
    offset = (vectors[ends] - vectors[starts]).mean(axis=0, dtype=np.float64)
    queries = {
        "text_similarity": heads,
        "translation": RelationMap(offset=offset).tails(heads),
        "relation_map": fit_relation_map(kept, vectors, relation_type).tails(heads),
    }
    return {
        name: rank_scores(filtered_ranks(graph, asked, rows @ vectors.T)) for name, rows in queries.items()
    }


def filtered_ranks(graph: KnowledgeGraph, asked: Sequence[Relation], scores: Vectors | Floats) -> Floats:
    """Ranks of the right tails, from 1, other known tails of the head and the head itself left out.

    Parameters
    ----------
    graph
        With all relations, the held-out ones too.
    asked
        The held-out relations, of one type, n of them.
    scores
        Of each concept as the tail of each, shape (n, n_concepts), higher is better.

    Returns
    -------
    Floats
        Shape (n,); concepts with equal scores share the middle rank.
    """
    tails: dict[str, list[int]] = {}
    types = {relation.type for relation in asked}
    for relation in graph.relations:
        if relation.type in types:
            tails.setdefault(relation.head, []).append(graph.positions[relation.tail])
    ranks = np.empty(len(asked))
    for row, relation in enumerate(asked):
        own = scores[row, graph.positions[relation.tail]]
        others = np.delete(scores[row], [*tails[relation.head], graph.positions[relation.head]])
        ranks[row] = tied_rank(own, others)
    return ranks


def rank_scores(ranks: Floats) -> CompletionScores:
    """Sum ranks up."""
    return CompletionScores(
        mrr=float((1 / ranks).mean()), hits_at_10=float((ranks <= 10).mean()), n=len(ranks)
    )
