"""How much the graph and the words count, learned from queries whose right items are known."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.retrieval.candidates import Candidates
from zeroshot_core.retrieval.retriever import Retriever
from zeroshot_core.retrieval.scoring import fuse
from zeroshot_core.types import Item

if TYPE_CHECKING:
    from zeroshot_core.types import Floats

__all__ = ["LearnedFusion", "learn_fusion"]

_GRAPH_WEIGHTS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_LEXICAL_WEIGHTS = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
_FEWEST_QUERIES = 10


@dataclass(frozen=True, kw_only=True)
class LearnedFusion:
    """Weights for `Retriever`, and what they are worth.

    Parameters
    ----------
    graph_weight
        In [0, 1]; 0 if neither graph nor words clearly helped.
    lexical_weight
        In [0, 1]; the same, and 0 where words are not indexed.
    relation_weights
        0 for the relation type that is better not followed, if there is one.
    mrr, mrr_vectors_only
        Mean reciprocal rank of the first right item of the training queries, with the weights and without.
    gain, gain_error
        Mean and standard error of what weights that one half of the queries chose gain on the other half.
    """

    graph_weight: float
    lexical_weight: float = 0.0
    relation_weights: Mapping[str, float] = field(default_factory=dict)
    mrr: float
    mrr_vectors_only: float
    gain: float
    gain_error: float


def learn_fusion(
    retriever: Retriever,
    queries: Sequence[str | Item],
    relevant_ids: Sequence[Collection[str]],
    *,
    random_state: int = 0,
) -> LearnedFusion:
    """Learn `graph_weight`, `lexical_weight`, and whether to leave a relation type out.

    They are learned from queries with known answers. Each choice of weights is scored by the mean reciprocal
    rank of the first right item among the retriever's `top_k`; a query that is itself an item of the index
    does not find itself. Half of the queries choose weights for the other half: if those gain less than two
    standard errors over the vectors alone, both weights are 0, with which the ranking is exactly that of the
    vectors.

    Parameters
    ----------
    retriever
        With a graph in memory, or over a version that indexes words; its own weights do not matter.
    relevant_ids
        For each query the ids of its right items, at least one.
    random_state
        Seed of the halves.

    Raises
    ------
    InvalidInputError
        If the retriever has neither a graph in memory nor words, there are fewer than ten queries, or not as
        many answers.
    """
    queries = list(queries)
    _check(retriever, queries, relevant_ids)
    settings = _relation_settings(retriever)
    table = np.stack([_reciprocal_ranks(retriever, each, queries, relevant_ids) for each in settings])
    gains = _held_out_gains(table, random_state)
    error = float(gains.std() / np.sqrt(len(gains)))
    helps = gains.mean() > 2 * error
    setting, words, place = _best(table) if helps else (0, 0, 0)
    return LearnedFusion(
        graph_weight=_GRAPH_WEIGHTS[place],
        lexical_weight=_LEXICAL_WEIGHTS[words],
        relation_weights=settings[setting],
        mrr=float(table[setting, words, place].mean()),
        mrr_vectors_only=float(table[0, 0, 0].mean()),
        gain=float(gains.mean()),
        gain_error=error,
    )


def _check(
    retriever: Retriever, queries: Sequence[str | Item], relevant_ids: Sequence[Collection[str]]
) -> None:
    if len(retriever.graph) == 0 and not retriever.has_words:
        raise InvalidInputError("expected a retriever with a graph in memory, got none; give it graph=...")
    if len(queries) < _FEWEST_QUERIES or len(relevant_ids) != len(queries):
        raise InvalidInputError(
            f"expected at least {_FEWEST_QUERIES} queries and the right items of each, got {len(queries)} "
            f"queries and {len(relevant_ids)} answers"
        )
    unanswered = [i for i, ids in enumerate(relevant_ids) if isinstance(ids, str) or not ids]
    if unanswered:
        raise InvalidInputError(
            f"expected a list of right ids for each query, got {relevant_ids[unanswered[0]]!r} for query "
            f"{unanswered[0]}"
        )


def _relation_settings(retriever: Retriever) -> list[dict[str, float]]:
    """All relation types alike, then each of them left out, if there are several."""
    types = retriever.graph.relation_types
    return [{}, *({type_: 0.0} for type_ in types if len(types) > 1)]


def _reciprocal_ranks(
    retriever: Retriever,
    relation_weights: Mapping[str, float],
    queries: Sequence[str | Item],
    relevant_ids: Sequence[Collection[str]],
) -> Floats:
    """1 / rank of the first right item, 0 beyond `top_k`, shape (lexical weights, graph weights, q)."""
    found = retriever.weighted(relation_weights=relation_weights).candidates(
        queries, top_k=retriever.top_k + 1
    )
    lexical_weights = _LEXICAL_WEIGHTS if retriever.has_words else (0.0,)
    table = np.zeros((len(lexical_weights), len(_GRAPH_WEIGHTS), len(queries)))
    for row, (query, each, right) in enumerate(zip(queries, found, relevant_ids, strict=True)):
        own_id = query.id if isinstance(query, Item) else None
        for words, weight in enumerate(lexical_weights):
            table[words, :, row] = _ranked(each, own_id, right, retriever.top_k, weight)
    return table


def _ranked(
    found: Candidates, own_id: str | None, right: Collection[str], top_k: int, lexical_weight: float
) -> list[float]:
    """1 / rank of the first right item by graph weight, ties by id as in the ranking."""
    places = sorted(range(len(found.items)), key=lambda place: found.items[place].id)
    kept = np.array([place for place in places if found.items[place].id != own_id], dtype=np.int64)
    is_right = np.array([found.items[place].id in right for place in kept], dtype=bool)
    if not is_right.any():
        return [0.0] * len(_GRAPH_WEIGHTS)
    fused = (
        fuse(found.vector, found.graph, weight, found.lexical, lexical_weight) for weight in _GRAPH_WEIGHTS
    )
    scores = (np.round(each[kept], 6) for each in fused)
    ranks = [1 + int(is_right[np.argsort(-each, kind="stable")].argmax()) for each in scores]
    return [1.0 / rank if rank <= top_k else 0.0 for rank in ranks]


def _best(table: Floats) -> tuple[int, int, int]:
    """Find the setting and the places of both weights with the best mean, the first of equal ones."""
    setting, words, place = np.unravel_index(int(table.mean(axis=3).argmax()), table.shape[:3])
    return int(setting), int(words), int(place)


def _held_out_gains(table: Floats, random_state: int) -> Floats:
    """For each query what the weights chosen on the other half gain over the vectors alone."""
    n_queries = table.shape[3]
    halves = np.array_split(np.random.default_rng(random_state).permutation(n_queries), 2)
    gains = np.zeros(n_queries)
    for chosen_on, tried_on in (halves, halves[::-1]):
        gains[tried_on] = table[_best(table[..., chosen_on])][tried_on] - table[0, 0, 0, tried_on]
    return gains
