"""What some queries activate, by the numbers that a table of links has for concepts.

It holds a table of queries by concepts that any of them activates, 8 bytes each: for a few dozen queries.
"""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.retrieval.scoring import activation_length

if TYPE_CHECKING:
    from zeroshot_core.index.link_table import LinkTable
    from zeroshot_core.retrieval.activation import Activation
    from zeroshot_core.types import Floats, Ints

__all__ = ["ActiveConcepts"]


class ActiveConcepts:
    """Entries of the activations of all queries, one query after the other, and where to find them.

    Attributes
    ----------
    numbers
        Of the concept of each entry; -1 where no item is linked to it.
    lengths
        `scoring.activation_length` of each query, 1 where it is 0.
    """

    def __init__(self, table: LinkTable, activation: Activation) -> None:
        self._table = table
        self._graph = activation.graph
        self._positions, self._ends = activation.values.indices, activation.values.indptr
        self._owners = np.repeat(np.arange(len(self._ends) - 1), np.diff(self._ends))
        self.numbers = table.numbers_in(activation.graph)[self._positions]
        is_active = np.zeros(len(table.concepts), dtype=np.bool_)
        is_active[self.numbers[self.numbers >= 0]] = True
        active = np.flatnonzero(is_active)
        # Of the concepts that any query activates, from 1 on; 0 for all others.
        self._columns = np.zeros(len(table.concepts), dtype=np.int32)
        self._columns[active] = np.arange(1, len(active) + 1)
        self._n_columns = len(active) + 1
        # Behind a zero for concepts that are not active.
        self._values = np.concatenate([[0.0], activation.values.data])
        lengths = [activation_length(activation.values.data[a:b]) for a, b in pairwise(self._ends.tolist())]
        self.lengths = np.array([length or 1.0 for length in lengths])

    def carried(self, query: int) -> tuple[Ints, Floats]:
        """Numbers and activations of a query's concepts that items are linked to."""
        start, end = self._ends[query : query + 2]
        numbers, values = self.numbers[start:end], self._values[start + 1 : end + 1]
        return numbers[numbers >= 0], values[numbers >= 0]

    def ids(self, entries: Ints) -> list[str]:
        """Ids of the concepts of entries."""
        return [self._graph.concept_ids[position] for position in self._positions[entries].tolist()]

    def overlaps(self, queries: Ints, rows: Ints) -> Floats:
        """`scoring.overlap_scores` of items in rows of the table, each for its query; shape (m,).

        Parameters
        ----------
        queries
            Shape (m,).
        """
        counts, entries = self._entries(queries, rows)
        shares = np.repeat(1 / np.sqrt(np.maximum(counts, 1)), counts)
        items = np.repeat(np.arange(len(rows)), counts)
        sums = np.bincount(items, weights=self._values.take(entries) * shares, minlength=len(rows))
        scores: Floats = np.clip(sums / self.lengths[queries], 0.0, 1.0)
        return scores

    def bounds(self, entries: Ints) -> Floats:
        """Give the most that an item linked to the concept of an entry overlaps with its query, shape (k,).

        An item of n concepts has at most the sum of the n highest activations, and of this concept's own and
        the n - 1 highest.
        """
        fewest, most = self._table.n_links
        queries = self._owners[entries]
        sums = np.zeros((len(self.lengths), most + 1))
        for query in np.unique(queries).tolist():
            highest = np.sort(self._values[self._ends[query] + 1 : self._ends[query + 1] + 1])[::-1][:most]
            sums[query, 1 : len(highest) + 1] = highest
        sums = np.cumsum(sums, axis=1)[queries]
        most_of_n = np.minimum(sums[:, 1:], self._values[entries + 1][:, None] + sums[:, :-1])
        n_links = np.maximum(np.arange(1, most + 1), fewest)
        bounds: Floats = (most_of_n / np.sqrt(n_links)).max(axis=1) / self.lengths[queries]
        return bounds

    def rarest(self, queries: Ints, rows: Ints, n_concepts: int) -> tuple[Ints, Ints]:
        """Choose as `candidates.best_links` does, by the items in rows of each query.

        Returns
        -------
        queries, entries
            At most `n_concepts` a query, the best of all first.
        """
        _, carried = self._entries(queries, rows)
        n_linked = np.bincount(carried, minlength=len(self._values))[1:]
        counts = np.diff(self._ends)
        filled = np.flatnonzero(counts)
        starts, counts = self._ends[filled], counts[filled]
        values = self._values[1:] / (1 + n_linked)
        chosen = []
        for _ in range(n_concepts if len(filled) else 0):
            is_best = values == np.repeat(np.maximum.reduceat(values, starts), counts)
            positions = np.where(is_best, self._positions, len(self._graph))
            is_best &= positions == np.repeat(np.minimum.reduceat(positions, starts), counts)
            best = np.flatnonzero(is_best)
            chosen.append(best[values[best] >= 0])
            values[best] = -1.0
        entries = np.concatenate([np.zeros(0, dtype=np.int64), *chosen])
        return self._owners[entries], entries

    def _entries(self, queries: Ints, rows: Ints) -> tuple[Ints, Ints]:
        """Count the links of rows; then for each link the entry of its concept, from 1 on, or 0."""
        counts, numbers = self._table.links_of(rows)
        places = np.repeat(queries * self._n_columns, counts) + self._columns.take(numbers)
        return counts, self._places.take(places)

    @cached_property
    def _places(self) -> Ints:
        """Entries by query and column, counted from 1; 0 where a concept is not active."""
        places = np.zeros((len(self.lengths), self._n_columns), dtype=np.int64)
        known = np.flatnonzero(self.numbers >= 0)
        places[self._owners[known], self._columns[self.numbers[known]]] = known + 1
        return places
