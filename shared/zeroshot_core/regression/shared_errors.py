"""How much of the error of a forecast an item shares with others that have a concept in common with it.

What is too high for one wine tends to be too high for the next: errors of a sum are larger than those
of as many strangers. Errors out of fold, brought to normal scores, are taken to be sums of independent parts,
one for each type of concept that all items of a concept share, and one of the item's own (a crossed random
effects model; Searle, Casella and McCulloch, "Variance Components", 1992).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from zeroshot_core.types import Floats, Ints

__all__ = ["normal_scores", "shared_variances"]


def normal_scores(errors: Floats, bins: Ints) -> Floats:
    """Bring errors (n,) to standard normal ones by their ranks within each bin, shape (n,)."""
    from scipy.stats import norm, rankdata

    shares = np.empty(len(errors))
    for each in np.unique(bins):
        rows = np.flatnonzero(bins == each)
        shares[rows] = (rankdata(errors[rows]) - 0.5) / len(rows)
    return np.asarray(norm.ppf(shares), dtype=np.float64)


def shared_variances(scores: Floats, blocks: Sequence[Ints], folds: Ints) -> Floats:
    """Estimate the variance that the items of a block share, shape (t,), of 1 in all.

    For each type the mean product of the scores of two items that share its block is what the types shared by
    such pairs add up to; the variances are the non-negative least squares solution. Only pairs of one fold
    count: what two new items have in common is that neither was learned from.

    Parameters
    ----------
    scores, folds
        Shape (n,), standard normal errors out of fold.
    blocks
        For each of t types the block of each item, shape (n,); -1 shares nothing.
    """
    from scipy.optimize import nnls

    if not blocks:
        return np.zeros(0)
    together = np.zeros((len(blocks), len(blocks)))
    products = np.zeros(len(blocks))
    for row, block in enumerate(blocks):
        product, n_pairs = _pairs(scores, [folds, block])
        if not n_pairs:
            together[row, row] = 1.0
            continue
        products[row] = product / n_pairs
        together[row] = [_pairs(scores, [folds, block, other])[1] / n_pairs for other in blocks]
    variances, _ = nnls(together, products)
    return np.asarray(variances / max(1.0, variances.sum()))


def _pairs(scores: Floats, keys: Sequence[Ints]) -> tuple[float, float]:
    """Sum of products, and number, of the pairs of items that agree in all keys."""
    rows = np.flatnonzero(np.all([key >= 0 for key in keys], axis=0))
    codes = np.zeros(len(rows), dtype=np.int64)
    for key in keys:
        codes = np.unique(codes * (1 + key.max(initial=0)) + key[rows], return_inverse=True)[1]
    sizes, chosen = np.bincount(codes).astype(np.float64), scores[rows]
    sums = np.bincount(codes, chosen)
    return float((sums**2).sum() - (chosen**2).sum()), float((sizes * (sizes - 1.0)).sum())
