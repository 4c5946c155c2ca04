"""Hard negatives from the live index: near texts that mean something else.

Why not `mine_hard_negatives` of sentence-transformers: it encodes and searches a corpus of its own beside the
index, and knows nothing of broader and narrower concepts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.checks import real, whole
from zeroshot_core.checks import vectors as checked_vectors
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.training.constraints import kin_matrix
from zeroshot_core.types import Item

if TYPE_CHECKING:
    from zeroshot_core.index import OpenVersion
    from zeroshot_core.types import Floats, Vectors

__all__ = ["ANCHORS_PER_SEARCH", "HardNegatives", "mine_far_targets", "mine_hard_negatives"]

_N_CANDIDATES = 100
# Bound the memory of one answer, and of the similarities within a label.
ANCHORS_PER_SEARCH = 4096
_ROWS_PER_BLOCK = 1024


@dataclass(frozen=True, kw_only=True)
class HardNegatives:
    """Negatives of each anchor, hardest first, in the order of the anchors.

    Parameters
    ----------
    ids
        One tuple of item ids for each anchor; empty where nothing is left.
    scores
        Their cosine similarities to the anchor.
    """

    ids: tuple[tuple[str, ...], ...]
    scores: tuple[tuple[float, ...], ...]


def mine_hard_negatives(
    version: OpenVersion,
    vectors: Vectors,
    labels_by_id: Mapping[str, str],
    *,
    graph: KnowledgeGraph | None = None,
    among: Collection[str] | None = None,
    n_negatives: int = 5,
    n_candidates: int = _N_CANDIDATES,
    margin: float = 0.05,
) -> HardNegatives:
    """Find the nearest items of other labels for each anchor, in batched searches.

    A candidate is left out where it may be a positive in truth: where its label or one of its concepts is the
    anchor's label, or broader or narrower than it in the graph (siblings stay: they are the hardest that are
    surely wrong); where nothing is known of what it is; and where it is more similar than ``1 - margin`` of
    the anchor's nearest positive, as mislabelled twins are (the positive-aware mining of [1]_).

    Parameters
    ----------
    vectors
        Shape (n, d), unit rows: one for each anchor, in the order of `labels_by_id`.
    labels_by_id
        Concept id by item id; the anchors.
    among
        Ids of the items that may be negatives; None is all.
    n_candidates
        Items searched for each anchor, 1 to 16384.
    margin
        Share of the positive's similarity by which a negative must stay below it, in [0, 1). An anchor
        without another one of its label has no such bound.

    Raises
    ------
    InvalidInputError
        If there isn't one vector for each anchor, or a parameter is out of range.
    UnknownConceptError
        If the graph lacks a label.

    References
    ----------
    .. [1] Moreira et al., "NV-Retriever: Improving text embedding models with effective hard-negative
       mining", 2024.
    """
    rows = checked_vectors("vectors", vectors, (len(labels_by_id), None))
    real("margin", margin, least=0, below=1)
    kin = _kin(set(labels_by_id.values()), graph)
    labels = list(labels_by_id.values())
    ceilings = _ceilings(rows, labels, margin)

    def is_negative(anchor: int, item: Item, score: float) -> bool:
        return (
            score <= ceilings[anchor]
            and (among is None or item.id in among)
            and _differs(item, labels_by_id, kin[labels[anchor]])
        )

    return _nearest(version, rows, n_candidates, n_negatives, is_negative)


def mine_far_targets(
    version: OpenVersion,
    vectors: Vectors,
    targets_by_id: Mapping[str, Floats],
    *,
    n_negatives: int = 5,
    n_candidates: int = _N_CANDIDATES,
    distance: float = 2.0,
) -> HardNegatives:
    """Find the nearest items whose targets are far from each anchor's, in batched searches.

    Parameters
    ----------
    vectors
        Shape (n, d), unit rows: one for each anchor, in the order of `targets_by_id`.
    targets_by_id
        Target of shape (horizon,) by item id; the anchors, and the only items that may be negatives.
    distance
        Root mean square difference of targets from which on a near item counts as a negative, above 0.

    Raises
    ------
    InvalidInputError
        If there isn't one vector for each anchor, or a parameter is out of range.
    """
    rows = checked_vectors("vectors", vectors, (len(targets_by_id), None))
    real("distance", distance, above=0)
    targets = list(targets_by_id.values())

    def is_negative(anchor: int, item: Item, score: float) -> bool:
        other = targets_by_id.get(item.id)
        return other is not None and bool(np.square(other - targets[anchor]).mean() >= distance**2)

    return _nearest(version, rows, n_candidates, n_negatives, is_negative)


def _nearest(
    version: OpenVersion,
    vectors: Vectors,
    n_candidates: int,
    n_negatives: int,
    is_negative: Callable[[int, Item, float], bool],
) -> HardNegatives:
    """Keep the first negatives among the nearest items of each anchor."""
    whole("n_negatives", n_negatives, least=1)
    kept = []
    for start in range(0, len(vectors), ANCHORS_PER_SEARCH):
        found = version.search_items(vectors[start : start + ANCHORS_PER_SEARCH], n_candidates)
        for anchor, (items, scores) in enumerate(zip(found.records, found.scores, strict=True), start):
            pairs = zip(items, scores.tolist(), strict=True)
            hard = ((item.id, score) for item, score in pairs if is_negative(anchor, item, score))
            kept.append(list(islice(hard, n_negatives)))
    return HardNegatives(
        ids=tuple(tuple(id_ for id_, _ in hard) for hard in kept),
        scores=tuple(tuple(score for _, score in hard) for hard in kept),
    )


def _differs(item: Item, labels_by_id: Mapping[str, str], kin: frozenset[str]) -> bool:
    """Whether all that is known of an item lies outside an anchor's kin."""
    own = labels_by_id.get(item.id)
    known = {*item.concepts} if own is None else {*item.concepts, own}
    return bool(known) and kin.isdisjoint(known)


def _kin(labels: set[str], graph: KnowledgeGraph | None) -> dict[str, frozenset[str]]:
    """Each label with the concepts broader and narrower than it."""
    if graph is None:
        return {label: frozenset({label}) for label in labels}
    graph.require(sorted(labels))
    matrix, ids = kin_matrix(graph), graph.concept_ids
    kin = {}
    for label in labels:
        columns = matrix[graph.positions[label]].indices
        kin[label] = frozenset({label, *(ids[column] for column in columns.tolist())})
    return kin


def _ceilings(vectors: Vectors, labels: list[str], margin: float) -> Floats:
    """Largest similarity that a negative of each anchor may have, shape (n,)."""
    ceilings = np.full(len(labels), np.inf)
    rows_of: dict[str, list[int]] = {}
    for row, label in enumerate(labels):
        rows_of.setdefault(label, []).append(row)
    for rows in rows_of.values():
        for start in range(0, len(rows) if len(rows) > 1 else 0, _ROWS_PER_BLOCK):
            block = rows[start : start + _ROWS_PER_BLOCK]
            similarities = vectors[block] @ vectors[rows].T
            similarities[np.arange(len(block)), np.arange(start, start + len(block))] = -np.inf
            nearest = similarities.max(axis=1).astype(np.float64)
            ceilings[block] = nearest - margin * np.abs(nearest)
    return ceilings
