"""Target encoding: what the groups of an item, and the concepts near its own, say about its target.

Targets are averaged over groups of items: those linked to a concept, or to a pair of concepts. For a training
item the group is seen from outside the fold that the item lies in. Means are shrunk to that of all items, as
if a few more items of that mean were in each group (Micci-Barreca, "A preprocessing scheme for
high-cardinality categorical attributes", 2001). Scikit-learn's ``TargetEncoder`` does so for one category an
item, not for shares of several, and deals its folds itself, not by cold-start scenario.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from zeroshot_core.regression.concept_links import SparseRows, TypeLinks

if TYPE_CHECKING:
    from zeroshot_core.types import Floats, Ints, Vectors

__all__ = [
    "GroupSums",
    "Groupings",
    "group_sums",
    "near_concepts",
    "near_means",
    "nearest_columns",
    "outside",
    "pair_keys",
    "shrink",
]

_MAX_PAIRS = 15
_NESTED = 1.05
_N_NEAR = 30
_TEMPERATURE = 0.1
_BLOCK = 2048
_SLIGHT = 1e-3


@dataclass(frozen=True, kw_only=True)
class GroupSums:
    """Sums of targets and counts of items in each group, shapes (c, n_folds): one column a fold.

    A column holds the sums over the items of a fold, or those over all other folds; sums over all items have
    a single column.
    """

    totals: Floats
    counts: Floats


def group_sums(members: SparseRows, targets: Floats, folds: Ints) -> GroupSums:
    """Sum targets and count items over groups and folds.

    Parameters
    ----------
    members
        Membership of items in groups, shape (n, c).
    targets, folds
        Shape (n,); folds are numbered from 0.
    """
    n_folds = int(folds.max()) + 1
    cells, n_cells = members.columns + members.n_columns * folds[members.rows], members.n_columns * n_folds
    weights = (members.values * targets[members.rows], members.values)
    totals, counts = (np.asarray(np.bincount(cells, each, n_cells), dtype=np.float64) for each in weights)
    return GroupSums(totals=totals.reshape(n_folds, -1).T, counts=counts.reshape(n_folds, -1).T)


def outside(sums: GroupSums) -> GroupSums:
    """Leave one fold out of the sums of each group, shape (c, n_folds)."""
    return GroupSums(
        totals=sums.totals.sum(axis=1, keepdims=True) - sums.totals,
        counts=sums.counts.sum(axis=1, keepdims=True) - sums.counts,
    )


def shrink(totals: Floats, counts: Floats, prior: float, strength: float) -> Floats:
    """Mean of a group, drawn towards a prior as if by `strength` more items: ``(S + k m) / (n + k)``."""
    return (totals + strength * prior) / (counts + strength)


@dataclass(frozen=True, kw_only=True)
class Groupings:
    """The groups over which targets are averaged: concepts of a type, and pairs of concepts of two types.

    Parameters
    ----------
    types
        Types whose concepts group at least two items.
    pairs
        Pairs of types whose combinations say more than either.
    keys
        For each pair the sorted keys of its known combinations; see `pair_keys`.
    """

    types: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...] = ()
    keys: dict[tuple[str, str], Ints] = field(default_factory=dict)

    @classmethod
    def choose(cls, links: TypeLinks) -> Groupings:
        """Keep types and pairs of types that group; a pair nested in one of its types says nothing new."""
        types = tuple(type_ for type_ in links.types if _is_grouping(links.by_type[type_]))
        keys: dict[tuple[str, str], Ints] = {}
        for a, b in combinations([type_ for type_ in types if links.is_single(type_)], 2):
            known = np.unique(pair_keys(links, a, b))
            widest = max(len(np.unique(links.first(type_))) for type_ in (a, b))
            if len(known) > _NESTED * widest:
                keys[a, b] = known
        fewest = sorted(keys, key=lambda pair: len(keys[pair]))[:_MAX_PAIRS]
        kept = tuple(pair for pair in keys if pair in fewest)
        return cls(types=types, pairs=kept, keys={pair: keys[pair] for pair in kept})

    def members(self, links: TypeLinks) -> list[SparseRows]:
        """Membership of items in the groups of each grouping: of `types`, then of `pairs`."""
        return [
            *(links.by_type[type_] for type_ in self.types),
            *(self._pair_members(links, pair) for pair in self.pairs),
        ]

    def _pair_members(self, links: TypeLinks, pair: tuple[str, str]) -> SparseRows:
        """Membership in the known combinations; an item of an unknown one is in none."""
        wanted, known = pair_keys(links, *pair), self.keys[pair]
        places = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
        is_known = known[places] == wanted
        ends = np.append(0, np.cumsum(is_known))
        return SparseRows(ends=ends, columns=places[is_known], values=np.ones(ends[-1]), n_columns=len(known))


def pair_keys(links: TypeLinks, a: str, b: str) -> Ints:
    """One number for each item's combination of concepts of two types, shape (n,)."""
    return np.asarray(links.first(a) * links.by_type[b].n_columns + links.first(b))


def _is_grouping(members: SparseRows) -> bool:
    """Whether there are at least two groups, one of them with at least two items."""
    sizes = np.bincount(members.columns)
    return bool((sizes > 0).sum() >= 2 and sizes.max(initial=0) >= 2)


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


def near_concepts(
    links: SparseRows, near: sparse.csr_matrix, concepts: Vectors, items: Vectors
) -> SparseRows:
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
    if len(bare):
        at_bare = (np.ones(len(bare)), (bare, np.arange(len(bare))))
        places = sparse.csr_matrix(at_bare, shape=(len(items), len(bare)))
        weights = weights + places @ nearest_columns(items[bare], concepts, skip_self=False)
    return SparseRows.of(weights)


def near_means(near: SparseRows, sums: GroupSums, places: Ints, prior: float) -> Floats:
    """Mean target of nearby concepts, each weighted by nearness and the root of its count, shape (n,).

    Parameters
    ----------
    near
        Of `near_concepts`, shape (n, c).
    sums
        Of the concepts, shape (c, n_folds).
    places
        Shape (n,), the column of the sums that counts for each item.
    """
    roots = np.sqrt(sums.counts)
    means = sums.totals / np.maximum(sums.counts, 1.0)
    total, weight = near.times(roots * means, places), near.times(roots, places)
    return np.asarray((total + _SLIGHT * prior) / (weight + _SLIGHT))
