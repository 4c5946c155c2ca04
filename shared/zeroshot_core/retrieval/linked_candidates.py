"""The best candidates where it is known in memory which items are linked to which concepts.

They are those that `candidates.gather` and a ranking by score give. What differs is what Milvus is asked for:
ids and similarities of the nearest items alone; then the vectors of those linked items that could be among
the best, which are few, for their overlap with the activation is known before; and last, where the table has
no room for records, those of the best.

All queries of a batch are dealt with in one pass: an array holds what is known of each of their rows, one
query after the other.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.retrieval.active_concepts import ActiveConcepts
from zeroshot_core.retrieval.candidates import LEAST_LINKED, N_LINKS, Candidates, n_near
from zeroshot_core.retrieval.scoring import fuse

if TYPE_CHECKING:
    import numpy.typing as npt

    from zeroshot_core.index.link_table import LinkTable
    from zeroshot_core.index.open_version import OpenVersion
    from zeroshot_core.retrieval.activation import Activation
    from zeroshot_core.retrieval.scoring import Weights
    from zeroshot_core.types import Floats, Ints, Vectors

    Bools: TypeAlias = npt.NDArray[np.bool_]

__all__ = ["gather_linked"]

# Similarities are the server's in one place and ours in another, and differ in their last digits.
_ROUNDING = 1e-5
# More vectors of one query are dearer to read than a search among all items, which grows with their number.
_LEAST_VECTORS, _ITEMS_PER_VECTOR = 64, 4_000
_CALLS_AT_ONCE = 8
# A query with more linked items is first looked at for what an item needs to be among its best.
_FEW_LINKED = 2_000
# Milvus goes through more of them as fast.
_MOST_LINKED = 50_000


def gather_linked(
    version: OpenVersion,
    table: LinkTable,
    begun: Iterable[tuple[slice, tuple[Sequence[Sequence[str]], Sequence[Floats]]]],
    vectors: Vectors,
    activation: Activation,
    top_k: int,
    weights: Weights,
) -> Iterator[tuple[int, Candidates]]:
    """Give each query, by its place, the best `top_k` of its candidates, in any order of queries.

    While Milvus is asked about linked items of some, the others come, who need none.

    Parameters
    ----------
    begun
        Parts of the queries, with ids and similarities of the `n_near` items nearest to each: waited for part
        by part.
    vectors
        Shape (q, d).

    Raises
    ------
    InvalidInputError
        If the version holds other items than the table.
    """
    searches: list[tuple[int, _LinkedSearch]] = []
    asked: list[Callable[[], _Rows]] = []
    with ThreadPoolExecutor(_CALLS_AT_ONCE) as pool:
        for part, near in begun:
            own = activation.part(part)
            search = _LinkedSearch.of(version, table, near, vectors[part], own, top_k, weights)
            searches.append((part.start, search))
            # With nothing to do meanwhile, a thread costs more than it brings.
            is_mixed = search.is_settled.any() and not search.is_settled.all()
            asked.append(pool.submit(search.linked).result if is_mixed else search.linked)
        for start, search in searches:
            for query, found in search.best(search.is_settled, ()):
                yield start + query, found
        for (start, search), linked in zip(searches, asked, strict=True):
            if not search.is_settled.all():
                for query, found in search.best(~search.is_settled, [linked()]):
                    yield start + query, found


@dataclass(frozen=True)
class _Rows:
    """Candidates of all queries by rows of a table: query, row, similarity and overlap, shape (m,) each."""

    queries: Ints
    rows: Ints
    vector: Floats
    graph: Floats

    def __len__(self) -> int:
        return len(self.rows)

    def keys(self, n_rows: int) -> Ints:
        """Tell pairs of query and row apart."""
        return self.queries * n_rows + self.rows

    def at(self, places: Ints) -> _Rows:
        """Give some of them."""
        return _Rows(self.queries[places], self.rows[places], self.vector[places], self.graph[places])

    def and_more(self, others: Sequence[_Rows]) -> _Rows:
        """Put others behind them."""
        parts = [self, *others]
        names = ("queries", "rows", "vector", "graph")
        return _Rows(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


@dataclass(frozen=True)
class _LinkedSearch:
    """Finds linked items that are among the best of queries, beside `near`, of which each has `counts`."""

    version: OpenVersion
    table: LinkTable
    vectors: Vectors
    active: ActiveConcepts
    near: _Rows
    counts: Ints
    top_k: int
    weights: Weights

    @classmethod
    def of(
        cls,
        version: OpenVersion,
        table: LinkTable,
        near: tuple[Sequence[Sequence[str]], Sequence[Floats]],
        vectors: Vectors,
        activation: Activation,
        top_k: int,
        weights: Weights,
    ) -> _LinkedSearch:
        """Begin with ids and similarities of the items nearest to each query."""
        active = ActiveConcepts(table, activation)
        counts = np.array([len(own) for own in near[0]])
        queries, rows = np.repeat(np.arange(len(counts)), counts), _rows_of(table, near[0])
        found = _Rows(queries, rows, np.concatenate(near[1]), active.overlaps(queries, rows))
        return cls(version, table, vectors, active, found, counts, top_k, weights)

    @cached_property
    def is_settled(self) -> Bools:
        """Whether no other items than those near could be among the best of each query."""
        is_settled = np.ones(len(self.counts), dtype=np.bool_)
        is_settled[self.left] = is_settled[self.maybe.queries] = False
        return is_settled

    def linked(self) -> _Rows:
        """Ask Milvus for what else is among the best of the queries that are not settled."""
        found, more = self._decided() if len(self.maybe) else (self.maybe, ())
        left = sorted({*self.left.tolist(), *more})
        return found.and_more([self._asked(left, found)]) if left else found

    def best(self, is_wanted: Bools, linked: Sequence[_Rows]) -> Iterator[tuple[int, Candidates]]:
        """Give the best of each of some queries, ties by id, with their records."""
        if not is_wanted.any():
            return
        found = self.near if is_wanted.all() else self.near.at(np.flatnonzero(is_wanted[self.near.queries]))
        found = found.and_more(linked) if linked else found
        # Rows are in order of ids.
        order = np.lexsort((found.rows, -fuse(found.vector, found.graph, self.weights.graph), found.queries))
        counts = np.bincount(found.queries, minlength=len(self.counts))
        places = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
        best = found.at(order[places < self.top_k])
        rows, of_rows = np.unique(best.rows, return_inverse=True)
        table = self.table
        records = self.version.items(table.ids_of(rows)) if table.records is None else table.items(rows)
        items = [records[place] for place in of_rows.tolist()]
        queries, end = np.flatnonzero(is_wanted), 0
        for query, count in zip(
            queries.tolist(), np.minimum(counts, self.top_k)[queries].tolist(), strict=True
        ):
            start, end = end, end + count
            own = slice(start, end)
            yield (
                query,
                Candidates(
                    items=items[own], vector=best.vector[own], graph=best.graph[own], lexical=np.zeros(count)
                ),
            )

    @cached_property
    def is_open(self) -> Bools:
        """Whether there may be items beside those near to each query."""
        return self.counts >= n_near(self.top_k)

    @cached_property
    def least(self) -> Floats:
        """Score that a query's linked items have to come up to, shape (q,)."""
        ends = np.cumsum(self.counts)
        places = np.arange(len(self.near)) - (ends - self.counts)[self.near.queries]
        scores = np.full((len(self.counts), self.counts.max()), -np.inf)
        scores[self.near.queries, places] = fuse(self.near.vector, self.near.graph, self.weights.graph)
        least: Floats = np.partition(scores, -self.top_k, axis=1)[:, -self.top_k] - _ROUNDING
        return least

    @cached_property
    def farthest(self) -> Floats:
        """Similarity of the last of the near items, shape (q,): no other is nearer."""
        return self.near.vector[np.maximum(np.cumsum(self.counts) - 1, 0)]

    @cached_property
    def links(self) -> tuple[Ints, Ints]:
        """Queries, and entries of what they activate: the concepts over which more are sought, best first."""
        queries, entries = self.active.rarest(self.near.queries, self.near.rows, N_LINKS)
        is_open = self.is_open[queries]
        return queries[is_open], entries[is_open]

    def links_of(self, query: int) -> Ints:
        """Numbers of those of a query's concepts that items are linked to."""
        queries, entries = self.links
        numbers: Ints = self.active.numbers[entries[queries == query]]
        carried: Ints = numbers[numbers >= 0]
        return carried

    @property
    def maybe(self) -> _Rows:
        """Linked items that could be among the best of their query, if they were as near as can be."""
        return self._maybe[0]

    @property
    def left(self) -> Ints:
        """Queries that have too many such items to look at, or to look for."""
        return self._maybe[1]

    @cached_property
    def _maybe(self) -> tuple[_Rows, Ints]:
        queries, entries = self.links
        if not len(queries):
            return self.near.at(entries), entries
        bounds = fuse(self.farthest[queries], self.active.bounds(entries), self.weights.graph)
        could_be = (bounds >= self.least[queries]) & (self.active.numbers[entries] >= 0)
        if not could_be.any():
            return self.near.at(entries[:0]), entries[:0]
        rows, is_left = self._rows_over(queries[could_be], self.active.numbers[entries[could_be]])
        is_best = fuse(rows.vector, rows.graph, self.weights.graph) >= self.least[rows.queries]
        rows = rows.at(np.flatnonzero(is_best))
        n_rows = len(self.table.ids)
        keys, first = np.unique(rows.keys(n_rows), return_index=True)
        rows = rows.at(first[np.isin(keys, self.near.keys(n_rows), invert=True)])
        n_each = np.bincount(rows.queries, minlength=len(self.counts))
        is_left |= n_each > max(_LEAST_VECTORS, n_rows // _ITEMS_PER_VECTOR)
        return rows.at(np.flatnonzero(~is_left[rows.queries])), np.flatnonzero(is_left)

    def _rows_over(self, queries: Ints, numbers: Ints) -> tuple[_Rows, Bools]:
        """Give what could be among the best over concepts of queries, as near as can be; and who has many."""
        n_linked = np.bincount(queries, weights=self.table.n_carriers[numbers], minlength=len(self.counts))
        is_few, is_left = n_linked[queries] <= _FEW_LINKED, np.zeros(len(self.counts), dtype=np.bool_)
        counts, rows = self.table.carriers_of(numbers[is_few])
        parts = [(np.repeat(queries[is_few], counts), rows)]
        for query in np.flatnonzero(n_linked > _FEW_LINKED).tolist():
            own = self._narrowed(query, numbers[queries == query])
            if own is None:
                is_left[query] = True
            else:
                parts.append((np.full(len(own), query), own))
        queries, rows = (np.concatenate(each) for each in zip(*parts, strict=True))
        graph = self.active.overlaps(queries, rows)
        return _Rows(queries, rows, self.farthest[queries], graph), is_left

    def _narrowed(self, query: int, links: Ints) -> Ints | None:
        """Find those of a query's many linked items that could be among its best; None if these are many too.

        An item that is linked to none but the most carried concepts may not come up to the overlap that it
        needs: then only carriers of the others are looked at. An item may come more than once.
        """
        share = self.weights.graph
        needed = (self.least[query] - (1.0 - share) * self.farthest[query]) / share
        needed *= self.active.lengths[query]
        numbers, values = self.active.carried(query)
        sizes = self.table.n_carriers[numbers]
        order = np.argsort(-sizes, kind="stable")
        numbers, values, sizes = numbers[order], values[order], sizes[order]
        n_common = bisect_left(
            range(1, len(order) + 1), x=True, key=lambda n: _highest_sum(values[:n], self.table) >= needed
        )
        if min(sizes[n_common:].sum(), self.table.n_carriers[links].sum()) > _MOST_LINKED:
            return None
        if sizes[n_common:].sum() >= self.table.n_carriers[links].sum():
            return self.table.carriers_of(links)[1]
        rows = self.table.carriers_of(numbers[n_common:])[1]
        counts, linked = self.table.links_of(rows)
        n_links = np.bincount(
            np.repeat(np.arange(len(rows)), counts), weights=np.isin(linked, links), minlength=len(rows)
        )
        return rows[n_links > 0]

    def _decided(self) -> tuple[_Rows, list[int]]:
        """Keep of `maybe` what is among the best, by vectors read once for all; and who is left to Milvus."""
        rows, places = np.unique(self.maybe.rows, return_inverse=True)
        vectors, queries = self.version.item_vectors(self.table.ids_of(rows))[places], self.maybe.queries
        cosines = np.einsum("nd,nd->n", vectors, self.vectors[queries], dtype=np.float64)
        found = _Rows(queries, self.maybe.rows, cosines, self.maybe.graph)
        is_best = fuse(cosines, found.graph, self.weights.graph) >= self.least[queries]
        # Among more linked ones an item is a candidate only if it is one of the nearest.
        left = [query for query in np.unique(queries[is_best]).tolist() if self._has_more(query)]
        return found.at(np.flatnonzero(is_best & np.isin(queries, left, invert=True))), left

    @property
    def _n_linked(self) -> int:
        """How many of the nearest linked items are candidates."""
        return max(LEAST_LINKED, n_near(self.top_k))

    def _has_more(self, query: int) -> bool:
        """Whether more items than that are linked to the concepts over which a query seeks more."""
        limit = self._n_linked
        links = self.links_of(query)
        sizes = self.table.n_carriers[links]
        if sizes.sum() <= limit or sizes.max() > limit:
            return bool(sizes.sum() > limit)
        return len(np.unique(self.table.carriers_of(links)[1])) > limit

    def _asked(self, queries: Sequence[int], found: _Rows) -> _Rows:
        """Search Milvus for the linked items of some queries."""
        over = [self.active.ids(self.links[1][self.links[0] == query]) for query in queries]
        ids, scores = self.version.nearest_linked(self.vectors[list(queries)], over, self._n_linked)
        rows, owners = _rows_of(self.table, ids), np.repeat(queries, [len(own) for own in ids])
        asked = _Rows(owners, rows, np.concatenate(scores), self.active.overlaps(owners, rows))
        n_rows = len(self.table.ids)
        known = self.near.and_more([found]).keys(n_rows)
        return asked.at(np.flatnonzero(np.isin(asked.keys(n_rows), known, invert=True)))


def _rows_of(table: LinkTable, ids: Sequence[Sequence[str]]) -> Ints:
    """Rows of items, list after list; all of them must be in the table."""
    rows = table.rows_of(chain.from_iterable(ids))
    if (rows < 0).any():
        raise InvalidInputError("expected the items that the version was built with, got others")
    return rows


def _highest_sum(values: Floats, table: LinkTable) -> float:
    """Give the most that `overlap_scores` of an item can come to, times the length, by so strong concepts."""
    fewest, most = table.n_links
    highest = np.sort(values)[::-1][:most]
    n_links = np.maximum(np.arange(1, len(highest) + 1), fewest)
    return float((np.cumsum(highest) / np.sqrt(n_links)).max())
