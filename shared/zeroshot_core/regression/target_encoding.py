"""Shrunk means of targets over groups of items, also as they look from outside a fold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from zeroshot_core.types import Floats, Ints

__all__ = ["GroupSums", "fold_sums", "outside", "shrink"]


@dataclass(frozen=True, kw_only=True)
class GroupSums:
    """Sums of targets and counts of items in each group, shapes (c,), or (c, n_folds) one column a fold."""

    totals: Floats
    counts: Floats


def fold_sums(members: sparse.csr_matrix, targets: Floats, folds: Ints) -> GroupSums:
    """Sum targets and count items over groups and folds.

    Parameters
    ----------
    members
        Shape (n, c), membership of items in groups.
    targets, folds
        Shape (n,); folds are numbered from 0.
    """
    n = len(targets)
    in_fold = sparse.csr_matrix((np.ones(n), (np.arange(n), folds)), shape=(n, int(folds.max()) + 1))
    weighted = sparse.csr_matrix(sparse.diags(targets) @ in_fold)
    return GroupSums(totals=(members.T @ weighted).toarray(), counts=(members.T @ in_fold).toarray())


def outside(sums: GroupSums) -> GroupSums:
    """Leave one fold out of the sums of each group, shape (c, n_folds)."""
    return GroupSums(
        totals=sums.totals.sum(axis=1, keepdims=True) - sums.totals,
        counts=sums.counts.sum(axis=1, keepdims=True) - sums.counts,
    )


def shrink(totals: Floats, counts: Floats, prior: float, strength: float) -> Floats:
    """Mean of a group, drawn towards a prior as if by `strength` more items: ``(S + k m) / (n + k)``."""
    return (totals + strength * prior) / (counts + strength)
