"""Which concepts of each type an item is linked to: the columns over which its evidence is gathered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from zeroshot_core.graph import KnowledgeGraph, closure_matrix
from zeroshot_core.graph.matrices import entries_of
from zeroshot_core.types import Item

if TYPE_CHECKING:
    import numpy.typing as npt

    from zeroshot_core.types import Floats, Ints

__all__ = ["SparseRows", "TypeLinker", "TypeLinks"]


@dataclass(frozen=True, kw_only=True)
class SparseRows:
    """A sparse matrix (n, n_columns), row by row; for one row scipy's own costs more than it holds.

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

    @classmethod
    def of(cls, matrix: sparse.csr_matrix) -> SparseRows:
        """Take over scipy's."""
        ends, columns = (np.asarray(part, dtype=np.int64) for part in (matrix.indptr, matrix.indices))
        return cls(ends=ends, columns=columns, values=matrix.data, n_columns=int(matrix.shape[1]))

    @cached_property
    def matrix(self) -> sparse.csr_matrix:
        """The same for scipy."""
        shape = (len(self.ends) - 1, self.n_columns)
        return sparse.csr_matrix((self.values, self.columns, self.ends), shape=shape)

    @cached_property
    def rows(self) -> Ints:
        """Row of each entry."""
        return np.repeat(np.arange(len(self.ends) - 1), np.diff(self.ends))

    def times(self, table: Floats, places: Ints) -> Floats:
        """Multiply each row with a column of a table (n_columns, m) of its own, at `places` (n,); (n,)."""
        products = self.values * table[self.columns, places[self.rows]]
        return np.asarray(np.bincount(self.rows, products, len(self.ends) - 1))

    def take(self, rows: Ints) -> SparseRows:
        """Pick some of the rows."""
        return SparseRows.of(self.matrix[rows])


@dataclass(frozen=True, kw_only=True)
class TypeLinks:
    """Links of items to the concepts of each type.

    Column 0 of a type stands for 'no concept of this type'; column ``1 + i`` for the type's concept `i`, in
    the order of the graph. No row is empty, and rows sum to 1.
    """

    by_type: dict[str, SparseRows]

    @property
    def types(self) -> tuple[str, ...]:
        """Types in the order of the graph."""
        return tuple(self.by_type)

    def first(self, type_: str) -> Ints:
        """One column for each item, shape (n,): the first where it is linked to several."""
        links = self.by_type[type_]
        return np.asarray(links.columns[links.ends[:-1]], dtype=np.int64)

    def is_single(self, type_: str) -> bool:
        """Whether every item has at most one concept of this type."""
        return bool((np.diff(self.by_type[type_].ends) == 1).all())

    def take(self, rows: Ints) -> TypeLinks:
        """Pick some of the items."""
        return TypeLinks(by_type={type_: links.take(rows) for type_, links in self.by_type.items()})


@dataclass(frozen=True, kw_only=True)
class TypeLinker:
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
    def of(cls, graph: KnowledgeGraph, n_hops: int) -> TypeLinker:
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

        The graph must hold all concepts of the items, which is checked before they are encoded.
        """
        distinct = [dict.fromkeys(item.concepts) for item in items]
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
            by_type[type_] = _equal_shares(rows[of_type], columns, has[:, number], n_columns)
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


def _equal_shares(rows: Ints, columns: Ints, is_linked: npt.NDArray[np.bool_], n_columns: int) -> SparseRows:
    """Rows of equal shares that sum to 1; column 0 is for those that are not linked."""
    without = np.flatnonzero(~is_linked)
    rows, columns = np.append(without, rows), np.append(np.zeros_like(without), columns)
    order = np.lexsort((columns, rows))
    counts = np.bincount(rows, minlength=len(is_linked))
    return SparseRows(
        ends=np.append(0, np.cumsum(counts)),
        columns=columns[order],
        values=1.0 / counts[rows[order]],
        n_columns=n_columns,
    )
