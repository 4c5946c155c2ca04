"""Scores of what was found: seeds from similarities, overlap in the graph, and their fusion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import sparse

from zeroshot_core import checks
from zeroshot_core.graph.matrices import entries_of

if TYPE_CHECKING:
    from zeroshot_core.types import Floats, Ints

__all__ = [
    "Weights",
    "activation_length",
    "check_graph_weight",
    "check_lexical_weight",
    "fuse",
    "highest_overlap",
    "lexical_scores",
    "overlap_scores",
    "seed_weights",
]

# The spread of sentence similarities among near concepts; a tenth of it apart is then a clear preference.
_TEMPERATURE = 0.05


class Weights(NamedTuple):
    """Share of the graph in a score, and of words in what the text says; each from 0 to 1."""

    graph: float
    lexical: float


def seed_weights(similarities: Mapping[str, float]) -> dict[str, float]:
    """Turn similarities of concepts to a query into weights that sum to 1: ``softmax(s / 0.05)``."""
    if not similarities:
        return {}
    values = np.array(list(similarities.values()))
    powers = np.exp((values - values.max()) / _TEMPERATURE)
    return dict(zip(similarities, (powers / powers.sum()).tolist(), strict=True))


def overlap_scores(activation: Floats, concepts: sparse.csr_matrix, rows: Ints | None = None) -> Floats:
    """How much of a query's activation falls on each item's concepts: the cosine between the two.

    Parameters
    ----------
    activation
        Shape (n_concepts,), not negative: what the query's concepts have spread over the graph.
    concepts
        Shape (m, n_concepts), unit rows: ``1 / sqrt(number of its concepts)`` where an item is linked to one.
    rows
        Of the items that count, instead of all.

    Returns
    -------
    Floats
        Shape (m,), ``sum(activation[c] for c of the item) / (|activation| * sqrt(number of its concepts))``,
        in [0, 1]; 0 for an item without concepts.
    """
    rows = np.arange(concepts.shape[0]) if rows is None else rows
    length = activation_length(activation)
    if length == 0:
        return np.zeros(len(rows))
    counts = np.diff(concepts.indptr)[rows]
    _, columns, shares = entries_of(concepts, rows)
    places = np.repeat(np.arange(len(rows)), counts)
    sums = np.bincount(places, weights=activation[columns] * shares, minlength=len(rows))
    return np.clip(sums / length, 0.0, 1.0)


def highest_overlap(activation: Floats) -> float:
    """Give the highest of `overlap_scores` that any item could have, in [0, 1].

    ``max over m of (sum of the m largest activations) / (|activation| * sqrt(m))``.
    """
    length = activation_length(activation)
    if length == 0:
        return 0.0
    active = np.sort(activation[activation > 0])[::-1]
    shares = np.cumsum(active) / np.sqrt(np.arange(1, len(active) + 1))
    return min(1.0, float(shares.max()) / length)


def activation_length(activation: Floats) -> float:
    """Euclidean length; the same to the last digit for a part of a graph that holds all that is active."""
    return float(np.linalg.norm(activation[activation > 0]))


def check_graph_weight(graph_weight: float) -> float:
    """Check the share of the graph in a score."""
    remedy = "0 counts vectors alone, 1 the graph alone"
    return checks.real("graph_weight", graph_weight, least=0, most=1, remedy=remedy)


def check_lexical_weight(lexical_weight: float) -> float:
    """Check the share of words in what a text says."""
    remedy = "0 counts vectors alone, 1 words alone"
    return checks.real("lexical_weight", lexical_weight, least=0, most=1, remedy=remedy)


def lexical_scores(bm25: Floats) -> Floats:
    """Bring the BM25 scores of one query, shape (m,), into [0, 1]: divided by the best of them [1]_.

    References
    ----------
    .. [1] Bruch, Gai & Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval", ACM TOIS 42, 2023.
    """
    best = bm25.max(initial=0.0)
    return bm25 / best if best > 0 else np.zeros(len(bm25))


def fuse(
    vector: Floats,
    graph: Floats | float,
    graph_weight: float,
    lexical: Floats | float = 0.0,
    lexical_weight: float = 0.0,
) -> Floats:
    """Weigh all parts, each of shape (m,): what the text says, by vectors and words, against the graph.

    ``(1 - graph_weight) * ((1 - lexical_weight) * vector + lexical_weight * lexical) + graph_weight * graph``
    """
    text = (1.0 - lexical_weight) * vector + lexical_weight * lexical
    return (1.0 - graph_weight) * text + graph_weight * graph
