"""The best candidates where it is known in memory which items are linked to which concepts.

They are those that `candidates.gather` and a ranking by score give. What differs is what Milvus is asked for:
ids and similarities of the nearest items alone; then the vectors of those linked items that could be among
the best, which are few, for their overlap with the activation is known before; and last, where the table has
no room for records, those of the best.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph.matrices import entries_of
from zeroshot_core.retrieval.candidates import (
    LEAST_LINKED,
    N_LINKS,
    Candidates,
    n_near,
    rarest_active,
)
from zeroshot_core.retrieval.hits import best_places
from zeroshot_core.retrieval.scoring import activation_length, fuse

if TYPE_CHECKING:
    from zeroshot_core.index.link_table import LinkTable
    from zeroshot_core.index.open_version import OpenVersion
    from zeroshot_core.retrieval.activation import Activation
    from zeroshot_core.retrieval.scoring import Weights
    from zeroshot_core.types import Floats, Ints, Vectors

__all__ = ["gather_linked"]

# Similarities are the server's in one place and ours in another, and differ in their last digits.
_ROUNDING = 1e-5
# More vectors of one query are dearer to read than a search is.
_MOST_VECTORS = 64
# Activations of all concepts by some queries that are held at once, 8 bytes each.
_ACTIVATIONS_AT_ONCE = 4_000_000


@dataclass(kw_only=True)
class _QueryCandidates:
    """What is known of one query: rows of the table, with similarity and overlap each, shape (m,).

    `maybe` are linked items that are not among them and could be among the best, with their `overlap`: they
    have to come up to the score `least`. They were found over the concepts `links`, as `n_linked` items are.
    """

    rows: Ints
    vector: Floats
    graph: Floats
    least: float = np.inf
    links: Sequence[str] = ()
    n_linked: int = 0
    maybe: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    overlap: Floats = field(default_factory=lambda: np.zeros(0))

    def add(self, rows: Ints, vector: Floats, graph: Floats) -> None:
        """Take more items."""
        self.rows = np.concatenate([self.rows, rows])
        self.vector = np.concatenate([self.vector, vector])
        self.graph = np.concatenate([self.graph, graph])


def gather_linked(
    version: OpenVersion,
    table: LinkTable,
    near: tuple[Sequence[Sequence[str]], Sequence[Floats]],
    vectors: Vectors,
    activation: Activation,
    top_k: int,
    weights: Weights,
) -> list[Candidates] | None:
    """Give the best `top_k` candidates of each query; None if the version holds other items than the table.

    Parameters
    ----------
    near
        Ids and similarities of the `n_near` items nearest to each query.
    vectors
        Shape (q, d).
    """
    flat = table.rows_of(chain.from_iterable(near[0]))
    if (flat < 0).any():
        return None
    found = _nearest(table, flat, near, activation, top_k)
    _find_linked(table, found, activation, top_k, weights)
    try:
        left = _decide_by_vectors(version, table, found, vectors, weights, top_k)
        known = _ask(version, table, found, left, vectors, activation, top_k)
        return _best(version, table, found, top_k, weights) if known else None
    except InvalidInputError:  # an id is gone
        return None


def _nearest(
    table: LinkTable,
    flat: Ints,
    near: tuple[Sequence[Sequence[str]], Sequence[Floats]],
    activation: Activation,
    top_k: int,
) -> list[_QueryCandidates]:
    """Score the nearest items, and choose the concepts over which more are sought."""
    rows = np.split(flat, np.cumsum([len(own) for own in near[0]])[:-1])
    links = _ItemLinks(table, activation, rows)
    found = [
        _QueryCandidates(rows=own, vector=vector, graph=graph)
        for own, vector, graph in zip(rows, near[1], links.overlaps(), strict=True)
    ]
    for query, own in enumerate(found):
        if len(own.rows) >= n_near(top_k):
            best = rarest_active(activation.values, query, links.positions(query), N_LINKS)
            own.links = [activation.graph.concept_ids[position] for position in best]
    return found


def _find_linked(
    table: LinkTable, found: Sequence[_QueryCandidates], activation: Activation, top_k: int, weights: Weights
) -> None:
    """Find the linked items that could come before the last of the best: mostly there are none."""
    linked = [table.linked_to(own.links) for own in found]
    for own, rows, overlap in zip(
        found, linked, _ItemLinks(table, activation, linked).overlaps(), strict=True
    ):
        if not len(rows):
            continue
        least = np.partition(fuse(own.vector, own.graph, weights.graph), -top_k)[-top_k]
        own.least, own.n_linked = float(least) - _ROUNDING, len(rows)
        # What is not among the nearest is no nearer than the farthest of them.
        could_be = np.flatnonzero(fuse(own.vector[-1:], overlap, weights.graph) >= own.least)
        fresh = could_be[np.isin(rows[could_be], own.rows, invert=True)]
        own.maybe, own.overlap = rows[fresh], overlap[fresh]


def _decide_by_vectors(
    version: OpenVersion,
    table: LinkTable,
    found: Sequence[_QueryCandidates],
    vectors: Vectors,
    weights: Weights,
    top_k: int,
) -> list[int]:
    """Read the vectors of what could be among the best, once for all; give the queries left to Milvus."""
    few = [query for query, own in enumerate(found) if 0 < len(own.maybe) <= _MOST_VECTORS]
    left = [query for query, own in enumerate(found) if len(own.maybe) > _MOST_VECTORS]
    if not few:
        return left
    rows = np.unique(np.concatenate([found[query].maybe for query in few]))
    known = version.item_vectors(table.ids_of(rows))
    for query in few:
        own = found[query]
        own_vectors = known[np.searchsorted(rows, own.maybe)]
        cosines = np.einsum("nd,d->n", own_vectors, vectors[query], dtype=np.float64)
        is_best = fuse(cosines, own.overlap, weights.graph) >= own.least
        if is_best.any() and own.n_linked > _n_linked(top_k):
            left.append(query)  # it is a candidate only if it is one of the nearest linked ones
        else:
            own.add(own.maybe[is_best], cosines[is_best], own.overlap[is_best])
    return left


def _ask(
    version: OpenVersion,
    table: LinkTable,
    found: Sequence[_QueryCandidates],
    queries: Sequence[int],
    vectors: Vectors,
    activation: Activation,
    top_k: int,
) -> bool:
    """Search for the linked items of some queries; whether all that is found stands in the table."""
    if not queries:
        return True
    over = [found[query].links for query in queries]
    ids, scores = version.nearest_linked(vectors[list(queries)], over, _n_linked(top_k))
    rows = [np.zeros(0, dtype=np.int64)] * len(found)
    for query, own_ids in zip(queries, ids, strict=True):
        rows[query] = table.rows_of(own_ids)
        if (rows[query] < 0).any():
            return False
    overlaps = _ItemLinks(table, activation, rows).overlaps()
    for query, similarities in zip(queries, scores, strict=True):
        is_fresh = np.isin(rows[query], found[query].rows, invert=True)
        found[query].add(rows[query][is_fresh], similarities[is_fresh], overlaps[query][is_fresh])
    return True


def _best(
    version: OpenVersion, table: LinkTable, found: Sequence[_QueryCandidates], top_k: int, weights: Weights
) -> list[Candidates] | None:
    """Keep the best of each query, with their records."""
    kept = []
    for own in found:
        scores = fuse(own.vector, own.graph, weights.graph)
        least = np.partition(scores, -top_k)[-top_k] if top_k < len(scores) else -np.inf
        top = np.flatnonzero(scores >= least)
        kept.append(top[best_places(scores[top], table.ids_of(own.rows[top]), top_k)])
    rows = np.unique(np.concatenate([own.rows[best] for own, best in zip(found, kept, strict=True)]))
    has_records = table.records is not None
    records = table.items(rows) if has_records else version.items(table.ids_of(rows))
    items = dict(zip(rows.tolist(), records, strict=True))
    return [
        Candidates(
            items=[items[row] for row in own.rows[best].tolist()],
            vector=own.vector[best],
            graph=own.graph[best],
            lexical=np.zeros(len(best)),
        )
        for own, best in zip(found, kept, strict=True)
    ]


def _n_linked(top_k: int) -> int:
    return max(LEAST_LINKED, n_near(top_k))


class _ItemLinks:
    """Links of the items in a table's rows, listed for each query, to the concepts of the graph."""

    def __init__(self, table: LinkTable, activation: Activation, rows: Sequence[Ints]) -> None:
        flat, starts = np.concatenate(rows), table.links.indptr
        self._activation = activation
        self._counts = starts[flat + 1] - starts[flat]
        self._positions = table.positions_in(activation.graph)[entries_of(table.links, flat)[1]]
        self._ends = np.concatenate([[0], np.cumsum([len(own) for own in rows])])
        self._link_ends = np.concatenate([[0], np.cumsum(self._counts)])[self._ends]

    def positions(self, query: int) -> Ints:
        """Positions in the graph of all concepts of a query's items, one after the other."""
        positions = self._positions[self._link_ends[query] : self._link_ends[query + 1]]
        return positions[positions >= 0]

    def overlaps(self) -> list[Floats]:
        """`scoring.overlap_scores` of the items of each query."""
        n_queries = len(self._ends) - 1
        step = max(1, _ACTIVATIONS_AT_ONCE // max(1, len(self._activation.graph)))
        parts = ((start, min(start + step, n_queries)) for start in range(0, n_queries, step))
        return [each for part in parts for each in self._overlaps(*part)]

    def _overlaps(self, first: int, last: int) -> list[Floats]:
        values, n_queries = self._activation.values, last - first
        starts, ends = values.indptr[first : last + 1], self._ends[first : last + 1]
        entries, links = slice(starts[0], starts[-1]), slice(*self._link_ends[[first, last]])
        # One column more, of zeros, for concepts that are not in the graph.
        active = np.zeros((n_queries, len(self._activation.graph) + 1))
        queries = np.arange(n_queries)
        active[np.repeat(queries, np.diff(starts)), values.indices[entries]] = values.data[entries]
        counts = self._counts[ends[0] : ends[-1]]
        owners = np.repeat(queries, np.diff(self._link_ends[first : last + 1]))
        shares = np.repeat(1 / np.sqrt(np.maximum(counts, 1)), counts)
        items = np.repeat(np.arange(len(counts)), counts)
        sums = np.bincount(
            items, weights=active[owners, self._positions[links]] * shares, minlength=len(counts)
        )
        norms = np.array([activation_length(values.data[a:b]) for a, b in pairwise(starts.tolist())])
        scores = sums / np.repeat(np.where(norms > 0, norms, 1.0), np.diff(ends))
        return np.split(np.clip(scores, 0.0, 1.0), ends[1:-1] - ends[0])
