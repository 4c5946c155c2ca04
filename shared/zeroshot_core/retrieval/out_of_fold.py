"""Exact nearest neighbours in other folds: evidence for training that imitates a query of an unseen group.

`index.knn.nearest_rows` compares what is near in double precision, which costs a step for each query and
orders almost equal neighbours otherwise; models are fitted on the single precision of these products.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core import checks
from zeroshot_core.errors import InvalidInputError

if TYPE_CHECKING:
    import numpy.typing as npt

    from zeroshot_core.types import Ints, Vectors

__all__ = ["fold_neighbours"]

# A score takes 4 bytes, its copy for partitioning 4, and two masks 2.
_BLOCK_BYTES = 160 * 2**20
_BYTES_PER_SCORE = 10


def fold_neighbours(
    vectors: Vectors, folds: Ints, top_k: int, *, queries: Ints | None = None
) -> tuple[Ints, Vectors]:
    """Find the nearest rows of each row among the rows of other folds, exactly.

    A row never sees itself or anything else of its fold, as a row of an unseen group won't. Of equally near
    rows, the first come first. Memory stays under 256 MB beyond input and output.

    Parameters
    ----------
    vectors
        Shape (n, d), unit rows.
    folds
        Shape (n,), the fold of each row.
    top_k
        Neighbours wanted for each row.
    queries
        Shape (q,), the rows whose neighbours are wanted; None is all of them.

    Returns
    -------
    indices, scores
        Shape (q, top_k): row numbers and cosine similarities, best first. Where fewer than `top_k` rows are
        in other folds, the rest is index -1 and score 0.

    Raises
    ------
    InvalidInputError
        If the shapes differ or `top_k` is not a whole number above 0.
    """
    _check(vectors, folds, top_k)
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    labels = np.unique(folds, return_inverse=True)[1].astype(np.int32)
    rows = np.arange(len(vectors)) if queries is None else queries
    indices = np.full((len(rows), top_k), -1, dtype=np.int64)
    scores = np.zeros((len(rows), top_k), dtype=np.float32)
    n_threads = os.cpu_count() or 1
    step = max(1, _BLOCK_BYTES // n_threads // max(1, len(vectors) * _BYTES_PER_SCORE))

    def fill(start: int) -> None:
        block = slice(start, start + step)
        similarities = vectors[rows[block]] @ vectors.T
        np.putmask(similarities, labels[rows[block], None] == labels[None, :], -np.inf)
        _write_best(similarities, indices[block], scores[block])

    # Partitioning, the dearest step, runs on one core; numpy lets threads share the others.
    with ThreadPoolExecutor(n_threads) as pool:
        list(pool.map(fill, range(0, len(rows), step)))
    return indices, scores


def _check(vectors: Vectors, folds: Ints, top_k: int) -> None:
    if vectors.ndim != 2 or folds.shape != vectors.shape[:1]:
        raise InvalidInputError(
            f"expected vectors of shape (n, d) and folds of shape (n,), got {vectors.shape} and {folds.shape}"
        )
    checks.whole("top_k", top_k, least=1)


def _write_best(similarities: Vectors, indices: Ints, scores: Vectors) -> None:
    """Write columns and values of the largest finite entries of each row, sorted by value, then by column."""
    n_columns = similarities.shape[1]
    n_wanted = min(indices.shape[1], n_columns)
    # Partitioning values and comparing is several times faster than argpartition.
    least = np.partition(similarities, n_columns - n_wanted, axis=1)[:, n_columns - n_wanted, None]
    kept = similarities >= np.maximum(least, np.finfo(np.float32).min)
    for row in np.flatnonzero(kept.sum(axis=1) > n_wanted):
        _drop_late_ties(kept[row], similarities[row], least[row, 0], n_wanted)
    rows, columns = np.nonzero(kept)
    counts = np.bincount(rows, minlength=len(indices))
    places = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    best = np.full(scores.shape, -np.inf, dtype=np.float32)
    best[rows, places] = similarities[rows, columns]
    indices[rows, places] = columns
    order = np.argsort(-best, axis=1, kind="stable")
    indices[:] = np.take_along_axis(indices, order, axis=1)
    scores[:] = np.take_along_axis(np.where(best == -np.inf, 0, best), order, axis=1)


def _drop_late_ties(kept: npt.NDArray[np.bool_], row: Vectors, least: np.float32, n_wanted: int) -> None:
    """Of the entries that equal the least one, keep the first that fit."""
    tied = np.flatnonzero(row == least)
    kept[tied[n_wanted - int(kept.sum()) :]] = False
