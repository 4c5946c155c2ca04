"""Which concepts of each type an item is linked to: the columns over which its evidence is gathered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from zeroshot_core.graph import KnowledgeGraph, activations, closure_matrix
from zeroshot_core.types import Item

if TYPE_CHECKING:
    from zeroshot_core.types import Ints

__all__ = ["Groupings", "TypeLinks", "TypeReach", "link_types", "pair_keys"]

_MAX_PAIRS = 15
_NESTED = 1.05


@dataclass(frozen=True, kw_only=True)
class TypeLinks:
    """Links of items to the concepts of each type.

    Column 0 of a type stands for 'no concept of this type'; column ``1 + i`` for the type's concept `i`, in
    the order of the graph. Rows sum to 1.
    """

    by_type: dict[str, sparse.csr_matrix]

    @property
    def types(self) -> tuple[str, ...]:
        """Types in the order of the graph."""
        return tuple(self.by_type)

    def first(self, type_: str) -> Ints:
        """One column for each item, shape (n,): the first where it is linked to several."""
        matrix = self.by_type[type_]
        return np.asarray(matrix.indices[matrix.indptr[:-1]], dtype=np.int64)

    def is_single(self, type_: str) -> bool:
        """Whether every item has at most one concept of this type."""
        return bool((np.diff(self.by_type[type_].indptr) == 1).all())


@dataclass(frozen=True, kw_only=True)
class TypeReach:
    """What links are read from: made once for a graph, it takes longer than to link an item.

    Parameters
    ----------
    closure
        Ones where a concept reaches another from head to tail, shape (n_concepts, n_concepts).
    columns
        Rows in the graph of the concepts of each type.
    """

    graph: KnowledgeGraph
    closure: sparse.csr_matrix
    columns: dict[str, Ints]

    @classmethod
    def of(cls, graph: KnowledgeGraph, n_hops: int) -> TypeReach:
        """Find what the concepts of a graph reach within `n_hops`."""
        closure = closure_matrix(graph, n_hops).astype(np.float64)
        return cls(graph=graph, closure=closure, columns=_columns_by_type(graph))

    def link(self, items: Sequence[Item]) -> TypeLinks:
        """Link items to concepts by type; where one has none of a type, those it reaches from head to tail.

        Raises
        ------
        UnknownConceptError
            If an item names a concept that the graph does not hold.
        """
        own = activations(self.graph, [item.concepts for item in items])
        reached = sparse.csr_matrix(own @ self.closure)
        by_type = {}
        for type_, columns in self.columns.items():
            block = own[:, columns]
            empty = np.diff(block.indptr) == 0
            if empty.any():
                block = block + sparse.diags(empty.astype(np.float64)) @ reached[:, columns]
            by_type[type_] = _with_none(sparse.csr_matrix(block))
        return TypeLinks(by_type=by_type)


def link_types(items: Sequence[Item], graph: KnowledgeGraph, *, n_hops: int) -> TypeLinks:
    """Link items to concepts by type over a graph met once; see `TypeReach.link`."""
    return TypeReach.of(graph, n_hops).link(items)


def _columns_by_type(graph: KnowledgeGraph) -> dict[str, Ints]:
    columns: dict[str, list[int]] = {}
    for position, concept in enumerate(graph.concepts.values()):
        columns.setdefault(concept.type, []).append(position)
    return {type_: np.asarray(found, dtype=np.int64) for type_, found in columns.items()}


def _with_none(block: sparse.csr_matrix) -> sparse.csr_matrix:
    """Prepend the column for 'none' and make rows sum to 1."""
    block.eliminate_zeros()
    block.data = np.ones_like(block.data)
    counts = np.diff(block.indptr)
    none = sparse.csr_matrix((counts == 0).astype(np.float64)[:, None])
    joined = sparse.csr_matrix(sparse.hstack([none, block], format="csr"))
    joined.sort_indices()
    return sparse.csr_matrix(sparse.diags(1.0 / np.maximum(counts, 1)) @ joined)


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

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each grouping, types first."""
        return (*self.types, *(f"{a} & {b}" for a, b in self.pairs))

    @classmethod
    def choose(cls, links: TypeLinks) -> Groupings:
        """Keep types and pairs of types that group; a pair nested in one of its types says nothing new."""
        types = tuple(t for t in links.types if _groups(links.by_type[t]))
        keys: dict[tuple[str, str], Ints] = {}
        for a, b in combinations([t for t in types if links.is_single(t)], 2):
            known = np.unique(pair_keys(links, a, b))
            widest = max(len(np.unique(links.first(t))) for t in (a, b))
            if len(known) > _NESTED * widest:
                keys[a, b] = known
        fewest = sorted(keys, key=lambda pair: len(keys[pair]))[:_MAX_PAIRS]
        kept = tuple(pair for pair in keys if pair in fewest)
        return cls(types=types, pairs=kept, keys={pair: keys[pair] for pair in kept})

    def matrices(self, links: TypeLinks) -> list[sparse.csr_matrix]:
        """Membership of items in the groups of each grouping, in the order of `names`."""
        return [
            *(links.by_type[type_] for type_ in self.types),
            *(self._pair_matrix(links, pair) for pair in self.pairs),
        ]

    def _pair_matrix(self, links: TypeLinks, pair: tuple[str, str]) -> sparse.csr_matrix:
        wanted, known = pair_keys(links, *pair), self.keys[pair]
        places = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
        rows = np.flatnonzero(known[places] == wanted)
        shape = (len(wanted), len(known))
        return sparse.csr_matrix((np.ones(len(rows)), (rows, places[rows])), shape=shape)


def pair_keys(links: TypeLinks, a: str, b: str) -> Ints:
    """One number for each item's combination of concepts of two types, shape (n,)."""
    return np.asarray(links.first(a) * links.by_type[b].shape[1] + links.first(b))


def _groups(matrix: sparse.csr_matrix) -> bool:
    """Whether there are at least two groups, one of them with at least two items."""
    sizes = np.diff(matrix.tocsc().indptr)
    return bool((sizes > 0).sum() >= 2 and sizes.max(initial=0) >= 2)
