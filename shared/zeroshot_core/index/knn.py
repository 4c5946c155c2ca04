"""The nearest of some vectors in memory, exactly."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from zeroshot_core.types import Floats, Ints, Vectors

__all__ = ["nearest_rows"]

# Of all blocks that are under way at once: a product takes 4 bytes, and 1 to say that it is left out.
_BLOCK_BYTES = 160 * 2**20
_BYTES_PER_PRODUCT = 5
# A row may be one of the nearest if its product, rounded as it is, comes so near to theirs.
_ROUNDING = 1e-6


def nearest_rows(
    queries: Vectors, vectors: Vectors, top_k: int, *, groups: tuple[Ints, Ints] | None = None
) -> tuple[Ints, Floats]:
    """Find the rows with the largest inner products by a blocked matrix product.

    What comes near to the best is compared again by sums in double precision, for the products of a matrix
    differ in their last digits from those of its parts. So a query finds the same alone and among others, and
    of equal rows the first come first. Memory stays under 256 MB beyond input and output.

    Parameters
    ----------
    queries
        Shape (q, d), unit rows.
    vectors
        Shape (n, d), unit rows.
    top_k
        Neighbours wanted for each query, at least 1.
    groups
        Group of each query, shape (q,), and of each vector, shape (n,): nothing of a query's own group is
        found. None lets each find all.

    Returns
    -------
    rows, scores
        Shape (q, min(top_k, n)): row numbers and cosines, best first, equal ones by row. Where fewer rows are
        left for a query, the rest is row -1 and score 0.
    """
    shape = len(queries), min(top_k, len(vectors))
    rows, scores = np.full(shape, -1, dtype=np.int64), np.zeros(shape)
    n_threads = os.cpu_count() or 1
    step = max(1, _BLOCK_BYTES // n_threads // max(1, len(vectors) * _BYTES_PER_PRODUCT))

    def fill(start: int) -> None:
        block = slice(start, start + step)
        products = queries[block] @ vectors.T
        if groups is not None:
            np.putmask(products, groups[0][block, None] == groups[1][None, :], -np.inf)
        for query, row in enumerate(products, start):
            found = _candidates(row, shape[1])
            exact = np.einsum("nd,d->n", vectors[found], queries[query], dtype=np.float64)
            order = np.lexsort((found, -exact))[: shape[1]]
            rows[query, : len(order)], scores[query, : len(order)] = found[order], exact[order]

    starts = range(0, len(queries), step)
    if len(starts) == 1:
        fill(0)
    else:
        # Partitioning, the dearest step, runs on one core; numpy lets threads share the others.
        with ThreadPoolExecutor(n_threads) as pool:
            list(pool.map(fill, starts))
    return rows, scores


def _candidates(products: Vectors, n_wanted: int) -> Ints:
    """Places of the largest products, and of all that are as large but for rounding."""
    if n_wanted == len(products):
        return np.flatnonzero(products > -np.inf)
    # Partitioning values and comparing is several times faster than argpartition.
    least = np.partition(products, -n_wanted)[-n_wanted]
    return np.flatnonzero(products >= max(least - _ROUNDING, np.finfo(np.float32).min))
