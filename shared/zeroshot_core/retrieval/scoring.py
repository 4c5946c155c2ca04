"""Scores of what was found: seeds from similarities, overlap in the graph, and their fusion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from zeroshot_core.types import Floats

__all__ = ["fuse", "overlap_scores", "seed_weights"]

# The spread of sentence similarities among near concepts; a tenth of it apart is then a clear preference.
_TEMPERATURE = 0.05


def seed_weights(similarities: Mapping[str, float]) -> dict[str, float]:
    """Turn similarities of concepts to a query into weights that sum to 1: ``softmax(s / 0.05)``."""
    if not similarities:
        return {}
    values = np.array(list(similarities.values()))
    powers = np.exp((values - values.max()) / _TEMPERATURE)
    return dict(zip(similarities, (powers / powers.sum()).tolist(), strict=True))


def overlap_scores(activation: Floats, concepts: sparse.csr_matrix) -> Floats:
    """How much of a query's activation falls on each item's concepts: the cosine between the two.

    Parameters
    ----------
    activation
        Shape (n_concepts,), not negative: what the query's concepts have spread over the graph.
    concepts
        Shape (m, n_concepts), ones where an item is linked to a concept.

    Returns
    -------
    Floats
        Shape (m,), ``sum(activation[c] for c of the item) / (|activation| * sqrt(number of its concepts))``,
        in [0, 1]; 0 for an item without concepts.
    """
    lengths = np.sqrt(np.diff(concepts.indptr)) * np.linalg.norm(activation)
    sums = np.asarray(concepts @ activation, dtype=np.float64)
    scores: Floats = np.divide(sums, lengths, out=np.zeros_like(sums), where=lengths > 0)
    return np.clip(scores, 0.0, 1.0)


def fuse(vector: Floats, graph: Floats, graph_weight: float) -> Floats:
    """Weigh both parts: ``(1 - graph_weight) * vector + graph_weight * graph``, each of shape (m,)."""
    return (1.0 - graph_weight) * vector + graph_weight * graph
