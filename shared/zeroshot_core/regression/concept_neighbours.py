"""What nearby concepts of the same type say: evidence for a concept that no known item is linked to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from zeroshot_core.graph.matrices import entries_of
from zeroshot_core.regression.links import Shares
from zeroshot_core.regression.target_encoding import GroupSums

if TYPE_CHECKING:
    from zeroshot_core.types import Floats, Vectors

__all__ = ["near_concept_weights", "near_means", "near_means_of", "nearest_columns"]

_N_NEAR = 30
_TEMPERATURE = 0.1
_BLOCK = 2048
_SLIGHT = 1e-3


def nearest_columns(queries: Vectors, concepts: Vectors, *, skip_self: bool) -> sparse.csr_matrix:
    """Weights ``exp((similarity - 1) / 0.1)`` of the 30 nearest concepts of each query, shape (q, c).

    Parameters
    ----------
    skip_self
        Whether row `i` of both is the same concept, which is then left out.
    """
    n_near = min(_N_NEAR, len(concepts) - skip_self)
    if n_near < 1:
        return sparse.csr_matrix((len(queries), len(concepts)))
    places, weights = [], []
    for start in range(0, len(queries), _BLOCK):
        similarities = queries[start : start + _BLOCK] @ concepts.T
        if skip_self:
            rows = np.arange(len(similarities))
            similarities[rows, start + rows] = -np.inf
        near = np.argpartition(-similarities, n_near - 1, axis=1)[:, :n_near]
        places.append(near)
        weights.append(np.exp((np.take_along_axis(similarities, near, axis=1) - 1.0) / _TEMPERATURE))
    ends = np.arange(0, len(queries) * n_near + 1, n_near)
    data, columns = np.concatenate(weights).ravel(), np.concatenate(places).ravel()
    return sparse.csr_matrix((data, columns, ends), shape=(len(queries), len(concepts)))


def near_concept_weights(
    links: Shares, near: sparse.csr_matrix, concepts: Vectors, items: Vectors
) -> sparse.csr_matrix:
    """Weights of the concepts near each item, shape (n, c).

    They are those near the item's own concept, itself left out; for an item without a concept of this type,
    those near the item itself.

    Parameters
    ----------
    links
        Shape (n, 1 + c), as in `TypeLinks`.
    near
        Shape (1 + c, c): an empty row for 'none', then those of `nearest_columns`.
    concepts, items
        Vectors, shapes (c, d) and (n, d).
    """
    weights = sparse.csr_matrix(links.matrix @ near)
    bare = np.flatnonzero(links.columns[links.ends[:-1]] == 0)
    if not len(bare):
        return weights
    rows = sparse.csr_matrix(
        (np.ones(len(bare)), (bare, np.arange(len(bare)))), shape=(len(items), len(bare))
    )
    return sparse.csr_matrix(weights + rows @ nearest_columns(items[bare], concepts, skip_self=False))


def near_means(weights: sparse.csr_matrix, sums: GroupSums, prior: float) -> Floats:
    """Mean target of nearby concepts, each weighted by nearness and the root of its count.

    Parameters
    ----------
    weights
        Shape (n, c).
    sums
        Of the concepts, shape (c,) or (c, n_folds).

    Returns
    -------
    Floats
        Shape (n,) or (n, n_folds).
    """
    roots = np.sqrt(sums.counts)
    means = sums.totals / np.maximum(sums.counts, 1.0)
    return np.asarray((weights @ (roots * means) + _SLIGHT * prior) / (weights @ roots + _SLIGHT))


def near_means_of(
    links: Shares, near: sparse.csr_matrix, concepts: Vectors, items: Vectors, sums: GroupSums, prior: float
) -> Floats:
    """`near_means` by `near_concept_weights` over the entries alone: quicker for few rows, shape (n,)."""
    counts = near.indptr[links.columns + 1] - near.indptr[links.columns]
    _, columns, weights = entries_of(near, links.columns)
    rows, weights = np.repeat(links.rows, counts), weights * np.repeat(links.values, counts)
    bare = np.flatnonzero(links.columns[links.ends[:-1]] == 0)
    if len(bare):
        others = nearest_columns(items[bare], concepts, skip_self=False)
        rows = np.append(rows, np.repeat(bare, np.diff(others.indptr)))
        columns, weights = np.append(columns, others.indices), np.append(weights, others.data)
    roots = weights * np.sqrt(sums.counts[columns])
    means = sums.totals[columns] / np.maximum(sums.counts[columns], 1.0)
    total, weight = (np.bincount(rows, each, len(items)) for each in (roots * means, roots))
    return np.asarray((total + _SLIGHT * prior) / (weight + _SLIGHT))
