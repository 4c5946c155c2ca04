"""What the nearest known items say: their targets at several widths, their spread, and how near they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zeroshot_core.index import OpenVersion
    from zeroshot_core.types import Floats, Ints, Item, Vectors

__all__ = [
    "N_NEIGHBOUR_FEATURES",
    "Neighbours",
    "known_neighbours",
    "neighbour_features",
    "neighbour_profile",
]

_WIDTHS = ((5, 0.05), (15, 0.05), (40, 0.03), (40, 0.1))
_QUANTILES = (0.25, 0.75, 0.9)
_N_NEARNESS = 4
N_NEIGHBOUR_FEATURES = len(_WIDTHS) + 2 + len(_QUANTILES) + _N_NEARNESS


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """Known items near each query, best first; row -1 where there are fewer.

    Parameters
    ----------
    rows
        Shape (q, k), rows of the training items.
    scores
        Shape (q, k), cosine similarities; 0 where the row is -1.
    """

    rows: Ints
    scores: Floats


def known_neighbours(
    version: OpenVersion, rows_by_id: Mapping[str, int], items: Sequence[Item], vectors: Vectors, top_k: int
) -> Neighbours:
    """Search the known items near each query, itself and items without a target left out.

    Parameters
    ----------
    rows_by_id
        Row of each training item.
    items, vectors
        The queries, which are themselves if an id is the same, and their vectors, shape (q, d).
    """
    rows, scores = np.full((len(items), top_k), -1, dtype=np.int64), np.zeros((len(items), top_k))
    if not items:
        return Neighbours(rows=rows, scores=scores)
    for query, (ids, similarity) in enumerate(zip(*version.nearest_items(vectors, top_k + 1), strict=True)):
        known = [rows_by_id.get(id_, -1) if id_ != items[query].id else -1 for id_ in ids]
        # Scores differ in their last digits from batch to batch; equally near rows keep one order.
        ranks = np.lexsort((np.asarray(known), -np.round(similarity, 4)))
        kept = [int(place) for place in ranks if known[place] >= 0][:top_k]
        rows[query, : len(kept)] = [known[place] for place in kept]
        scores[query, : len(kept)] = similarity[kept]
    return Neighbours(rows=rows, scores=scores)


def _nearness(scores: Floats, known: Floats, temperature: float) -> Floats:
    """Softmax weights over the known neighbours, shape (q, k); rows without any are 0."""
    weights = np.exp((scores - scores.max(axis=1, keepdims=True)) / temperature) * known
    return np.asarray(weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-12))


def neighbour_features(found: Neighbours, targets: Floats) -> Floats:
    """Summarise the neighbours' targets.

    Parameters
    ----------
    targets
        Shape (n,), transformed targets of the training items.

    Returns
    -------
    Floats
        Shape (q, 13): weighted means over 5, 15, 40 and, more evenly, 40 neighbours; the nearest target; the
        standard deviation and three quantiles of all; the first, fifth, last and mean similarity. What says
        something of targets is NaN where a query has no neighbour.
    """
    known = (found.rows >= 0).astype(np.float64)
    values = np.where(found.rows >= 0, targets[found.rows], np.nan)
    filled = np.nan_to_num(values)
    columns = []
    for width, temperature in _WIDTHS:
        part = slice(0, width)
        weights = _nearness(found.scores[:, part], known[:, part], temperature)
        columns.append((weights * filled[:, part]).sum(axis=1))
    some = known.any(axis=1)
    spread = np.full((len(values), 1 + len(_QUANTILES)), np.nan)
    if some.any():
        spread[some] = _spread(values[some])
    last = found.scores.shape[1] - 1
    near = [
        found.scores[:, 0],
        found.scores[:, min(4, last)],
        found.scores[:, last],
        found.scores.mean(axis=1),
    ]
    features = np.column_stack([*columns, values[:, 0], spread, *near])
    features[~some, : len(_WIDTHS)] = np.nan
    return features


def _spread(values: Floats) -> Floats:
    """Take standard deviation and quantiles of each row, NaN left out."""
    # The functions that know NaN go row by row in Python; rows without any are the rule.
    whole = not np.isnan(values).any()
    deviation = (np.std if whole else np.nanstd)(values, axis=1)
    quantiles = (np.quantile if whole else np.nanquantile)(values, _QUANTILES, axis=1)
    return np.column_stack([deviation, *quantiles])


def neighbour_profile(found: Neighbours, curves: Floats, temperature: float = 0.05) -> Floats:
    """Weighted mean curve of the neighbours with the mean curve of all as one more, shape (q, horizon)."""
    known = (found.rows >= 0).astype(np.float64)
    weights = _nearness(found.scores, known, temperature)
    near = np.einsum("qk,qkh->qh", weights, curves[found.rows])
    share = np.asarray(known.any(axis=1))[:, None] * 0.8
    return np.asarray(share * near + (1.0 - share) * curves.mean(axis=0))
