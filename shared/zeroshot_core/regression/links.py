"""Which concepts of each type an item is linked to: the columns over which its evidence is gathered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from zeroshot_core.graph import KnowledgeGraph, closure_matrix
from zeroshot_core.graph.matrices import entries_of
from zeroshot_core.types import Item

if TYPE_CHECKING:
    import numpy.typing as npt

    from zeroshot_core.regression.target_encoding import GroupSums
    from zeroshot_core.types import Floats, Ints

__all__ = ["Groupings", "Shares", "TypeLinks", "TypeReach", "link_types", "pair_keys"]

_MAX_PAIRS = 15
_NESTED = 1.05


@dataclass(frozen=True, kw_only=True)
class Shares:
    """A sparse matrix (n, n_columns) without empty rows; for one row scipy's own costs more than it holds.

    Parameters
    ----------
    ends
        Shape (n + 1,): the entries of row `i` are those from ``ends[i]`` up to ``ends[i + 1]``.
    columns, values
        Of each entry.
    """

    ends: Ints
    columns: Ints
    values: Floats
    n_columns: int

    @cached_property
    def matrix(self) -> sparse.csr_matrix:
        """The same for scipy."""
        shape = (len(self.ends) - 1, self.n_columns)
        return sparse.csr_matrix((self.values, self.columns, self.ends), shape=shape)

    @property
    def rows(self) -> Ints:
        """Row of each entry."""
        return np.repeat(np.arange(len(self.ends) - 1), np.diff(self.ends))

    def times(self, column: Floats) -> Floats:
        """Multiply with a column (n_columns,), giving (n,)."""
        products = self.values * column[self.columns]
        return np.asarray(np.bincount(self.rows, products, len(self.ends) - 1))

    def take(self, rows: Ints) -> Shares:
        """Pick some of the rows."""
        part = self.matrix[rows]
        return Shares(ends=part.indptr, columns=part.indices, values=part.data, n_columns=self.n_columns)


@dataclass(frozen=True, kw_only=True)
class TypeLinks:
    """Links of items to the concepts of each type.

    Column 0 of a type stands for 'no concept of this type'; column ``1 + i`` for the type's concept `i`, in
    the order of the graph. Rows sum to 1.
    """

    by_type: dict[str, Shares]

    @property
    def types(self) -> tuple[str, ...]:
        """Types in the order of the graph."""
        return tuple(self.by_type)

    def first(self, type_: str) -> Ints:
        """One column for each item, shape (n,): the first where it is linked to several."""
        shares = self.by_type[type_]
        return np.asarray(shares.columns[shares.ends[:-1]], dtype=np.int64)

    def is_single(self, type_: str) -> bool:
        """Whether every item has at most one concept of this type."""
        return bool((np.diff(self.by_type[type_].ends) == 1).all())

    def take(self, rows: Ints) -> TypeLinks:
        """Pick some of the items."""
        return TypeLinks(by_type={type_: shares.take(rows) for type_, shares in self.by_type.items()})


@dataclass(frozen=True, kw_only=True)
class TypeReach:
    """What links are read from: made once for a graph, it takes longer than to link an item.

    Parameters
    ----------
    closure
        Ones where a concept reaches another from head to tail, shape (n_concepts, n_concepts).
    types
        Types in the order of the graph.
    type_of, places
        Shapes (n_concepts,): the type of each concept by number, and its place among those of its type.
    """

    graph: KnowledgeGraph
    closure: sparse.csr_matrix
    types: tuple[str, ...]
    type_of: Ints
    places: Ints

    @classmethod
    def of(cls, graph: KnowledgeGraph, n_hops: int) -> TypeReach:
        """Find what the concepts of a graph reach within `n_hops`."""
        closure = closure_matrix(graph, n_hops).astype(np.float64)
        names = [concept.type for concept in graph.concepts.values()]
        types = tuple(dict.fromkeys(names))
        numbers = {type_: number for number, type_ in enumerate(types)}
        type_of = np.asarray([numbers[name] for name in names], dtype=np.int64)
        places = np.empty_like(type_of)
        for number in range(len(types)):
            places[type_of == number] = np.arange((type_of == number).sum())
        return cls(graph=graph, closure=closure, types=types, type_of=type_of, places=places)

    def link(self, items: Sequence[Item]) -> TypeLinks:
        """Link items to concepts by type; where one has none of a type, those it reaches from head to tail.

        Raises
        ------
        UnknownConceptError
            If an item names a concept that the graph does not hold.
        """
        distinct = [dict.fromkeys(item.concepts) for item in items]
        self.graph.require(id_ for ids in distinct for id_ in ids)
        positions = self.graph.positions
        named = np.asarray([positions[id_] for ids in distinct for id_ in ids], dtype=np.int64)
        own_rows = np.repeat(np.arange(len(items)), [len(ids) for ids in distinct])
        has = np.zeros((len(items), len(self.types)), dtype=bool)
        has[own_rows, self.type_of[named]] = True
        other_rows, others = self._reached(own_rows, named)
        needed = ~has[other_rows, self.type_of[others]]
        rows: Ints = np.append(own_rows, other_rows[needed]).astype(np.int64)
        concepts: Ints = np.append(named, others[needed]).astype(np.int64)
        kinds, by_type = self.type_of[concepts], {}
        has[rows, kinds] = True
        for number, type_ in enumerate(self.types):
            of_type = np.flatnonzero(kinds == number)
            columns, n_columns = 1 + self.places[concepts[of_type]], 1 + int(self._sizes[number])
            by_type[type_] = _shares(rows[of_type], columns, has[:, number], n_columns)
        return TypeLinks(by_type=by_type)

    def _reached(self, rows: Ints, concepts: Ints) -> tuple[Ints, Ints]:
        """Rows and concepts that the concepts of each row reach, each pair once."""
        counts = self.closure.indptr[concepts + 1] - self.closure.indptr[concepts]
        reached = entries_of(self.closure, concepts)[1].astype(np.int64)
        pairs = np.unique(np.repeat(rows, counts) * len(self.graph) + reached)
        return pairs // len(self.graph), pairs % len(self.graph)

    @cached_property
    def _sizes(self) -> Ints:
        """Number of concepts of each type."""
        return np.bincount(self.type_of, minlength=len(self.types))


def link_types(items: Sequence[Item], graph: KnowledgeGraph, *, n_hops: int) -> TypeLinks:
    """Link items to concepts by type over a graph met once; see `TypeReach.link`."""
    return TypeReach.of(graph, n_hops).link(items)


def _shares(rows: Ints, columns: Ints, is_linked: npt.NDArray[np.bool_], n_columns: int) -> Shares:
    """Rows of equal shares that sum to 1; column 0 is for those that are not linked."""
    without = np.flatnonzero(~is_linked)
    rows, columns = np.append(without, rows), np.append(np.zeros_like(without), columns)
    order = np.lexsort((columns, rows))
    counts = np.bincount(rows, minlength=len(is_linked))
    return Shares(
        ends=np.append(0, np.cumsum(counts)),
        columns=columns[order],
        values=1.0 / counts[rows[order]],
        n_columns=n_columns,
    )


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
        types = tuple(t for t in links.types if _groups(links.by_type[t].matrix))
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
            *(links.by_type[type_].matrix for type_ in self.types),
            *(self._pair_matrix(links, pair) for pair in self.pairs),
        ]

    def sums(self, links: TypeLinks, of_groups: Sequence[GroupSums]) -> list[tuple[Floats, Floats]]:
        """Multiply `matrices` with totals and counts of their groups: (n,) each, and no matrix for pairs."""
        by_type = [links.by_type[type_] for type_ in self.types]
        of_types, of_pairs = of_groups[: len(by_type)], of_groups[len(by_type) :]
        return [
            *(
                (shares.times(each.totals), shares.times(each.counts))
                for shares, each in zip(by_type, of_types, strict=True)
            ),
            *(
                (each.totals[places] * is_known, each.counts[places] * is_known)
                for (places, is_known), each in zip(
                    (self._places(links, pair) for pair in self.pairs), of_pairs, strict=True
                )
            ),
        ]

    def _places(self, links: TypeLinks, pair: tuple[str, str]) -> tuple[Ints, npt.NDArray[np.bool_]]:
        """Place of each item's combination among the known ones (n,), and whether it is known at all."""
        wanted, known = pair_keys(links, *pair), self.keys[pair]
        places = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
        return places, known[places] == wanted

    def _pair_matrix(self, links: TypeLinks, pair: tuple[str, str]) -> sparse.csr_matrix:
        places, is_known = self._places(links, pair)
        ends = np.append(0, np.cumsum(is_known))
        shape = (len(places), len(self.keys[pair]))
        return sparse.csr_matrix((np.ones(ends[-1]), places[is_known], ends), shape=shape)


def pair_keys(links: TypeLinks, a: str, b: str) -> Ints:
    """One number for each item's combination of concepts of two types, shape (n,)."""
    return np.asarray(links.first(a) * links.by_type[b].n_columns + links.first(b))


def _groups(matrix: sparse.csr_matrix) -> bool:
    """Whether there are at least two groups, one of them with at least two items."""
    sizes = np.diff(matrix.tocsc().indptr)
    return bool((sizes > 0).sum() >= 2 and sizes.max(initial=0) >= 2)
