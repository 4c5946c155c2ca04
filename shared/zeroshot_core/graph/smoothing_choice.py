"""How much the vectors of concepts share in those of their neighbours, chosen by validation data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph.knowledge_graph import KnowledgeGraph
from zeroshot_core.graph.series import smooth_vectors

if TYPE_CHECKING:
    from zeroshot_core.types import Floats, Ints, Vectors

__all__ = ["SmoothingChoice", "choose_smoothing", "hold_out_synonyms"]

_WEIGHTS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7)
_BLOCK_VALUES = 16_000_000


@dataclass(frozen=True, kw_only=True)
class SmoothingChoice:
    """The weight that validation data chose.

    Parameters
    ----------
    weight
        For `smooth_vectors`.
    mrr
        Mean reciprocal rank of the right concept by weight, in [0, 1].
    """

    weight: float
    mrr: Mapping[float, float]


def choose_smoothing(
    graph: KnowledgeGraph,
    vectors: Vectors,
    query_vectors: Vectors,
    concept_ids: Sequence[str],
    *,
    weights: Sequence[float] = _WEIGHTS,
) -> SmoothingChoice:
    """Choose the weight of `smooth_vectors` with which validation queries find their concepts best.

    The best weight by mean reciprocal rank is taken if it beats 0 by more than two standard errors of the
    paired difference; else 0 is.

    Parameters
    ----------
    vectors
        Shape (n_concepts, d), unit rows, made without the validation data (`hold_out_synonyms`).
    query_vectors
        Shape (m, d), unit rows: of texts, such as held-out names or items.
    concept_ids
        The right concept of each, shape (m,).
    weights
        Candidates beside 0.

    Raises
    ------
    UnknownConceptError
        If the graph lacks one of `concept_ids`.
    InvalidInputError
        If shapes differ, a weight is out of range, or there is no validation query.
    """
    if not len(concept_ids) or len(query_vectors) != len(concept_ids):
        raise InvalidInputError(
            f"expected validation queries, one concept for each, got {len(query_vectors)} vectors and "
            f"{len(concept_ids)} concepts"
        )
    graph.require(concept_ids)
    right = np.array([graph.positions[id_] for id_ in concept_ids], dtype=np.int64)
    ranks = {
        weight: _reciprocal_ranks(query_vectors, smooth_vectors(graph, vectors, weight), right)
        for weight in dict.fromkeys((0.0, *weights))
    }
    best = max(ranks, key=lambda weight: (ranks[weight].mean(), -weight))
    gain = ranks[best] - ranks[0.0]
    is_clear = gain.mean() > 2 * gain.std() / np.sqrt(len(gain))
    return SmoothingChoice(
        weight=best if is_clear else 0.0, mrr={weight: float(each.mean()) for weight, each in ranks.items()}
    )


def hold_out_synonyms(
    graph: KnowledgeGraph, *, fraction: float = 0.2, random_state: int = 0
) -> tuple[KnowledgeGraph, list[str], list[str]]:
    """Take one synonym from some of the concepts that have any, as validation queries.

    Parameters
    ----------
    fraction
        Of the concepts with synonyms, in (0, 1].

    Returns
    -------
    graph, names, concept_ids
        The graph without these names, the names, and the concept of each.
    """
    rng = np.random.default_rng(random_state)
    named = [concept for concept in graph.concepts.values() if concept.synonyms]
    chosen = rng.permutation(len(named))[: round(fraction * len(named))]
    taken = {named[i].id: named[i].synonyms[rng.integers(len(named[i].synonyms))] for i in chosen}
    kept = [
        replace(concept, synonyms=tuple(name for name in concept.synonyms if name != taken.get(concept.id)))
        for concept in graph.concepts.values()
    ]
    return graph.replace(concepts=kept), list(taken.values()), list(taken)


def _reciprocal_ranks(queries: Vectors, vectors: Vectors, right: Ints) -> Floats:
    """1 / rank of the right row for each query; equal rows share the middle rank."""
    ranks = np.empty(len(queries))
    step = max(1, _BLOCK_VALUES // len(vectors))
    for start in range(0, len(queries), step):
        block = slice(start, start + step)
        scores = queries[block] @ vectors.T
        own = np.take_along_axis(scores, right[block, None], axis=1)
        ranks[block] = ((scores > own).sum(axis=1) + (scores >= own).sum(axis=1) + 1) / 2
    return 1.0 / ranks
