"""Items of a model's own over those of the index, read and searched as one.

What a model learns after its index was built is its own until it is saved: another model that has the same
version open, in this process or another, does not see it. So such items lie in memory, over the collection,
and hide what has their ids there. They are compared exactly, which for some ten thousand takes a few
milliseconds a query.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from zeroshot_core.index.collection import MAX_TOP_K, LexicalResult, SearchResult
from zeroshot_core.index.filters import holds
from zeroshot_core.index.mirror import Mirror
from zeroshot_core.types import Item

if TYPE_CHECKING:
    from zeroshot_core.index.filters import Filter
    from zeroshot_core.index.record_table import RecordTable
    from zeroshot_core.index.schema import Row
    from zeroshot_core.types import Floats, Vectors

    Hits: TypeAlias = tuple[list[list[str]], list[Floats]]

__all__ = ["Overlay"]


class Overlay:
    """Items in memory over a table of items, used as the table itself is.

    What is written or deleted goes into the table, and is over it no more.

    Parameters
    ----------
    table
        The items of the index.
    own
        Those over them.
    hidden
        Ids of items of the table that are hidden by others.
    """

    def __init__(
        self, table: RecordTable[Item], own: Mirror[Item], hidden: frozenset[str] = frozenset()
    ) -> None:
        self._table = table
        self._own = own
        self._hidden = hidden

    @classmethod
    def over(cls, below: RecordTable[Item] | Overlay, items: Sequence[Item], vectors: Vectors) -> Overlay:
        """Lay items with vectors (n, d), each id once, over a table and over what lies over it already."""
        ids = [item.id for item in items]
        if not isinstance(below, Overlay):
            return cls(below, _mirror(items, vectors), frozenset(below.get(ids)))
        kept = below._without(ids)
        together = _mirror([*kept.records, *items], np.vstack([kept.vectors, vectors]))
        return cls(below._table, together, below._hidden | frozenset(below._table.get(ids)))

    @property
    def own(self) -> tuple[Sequence[Item], Vectors]:
        """The items over the table, and their vectors, shape (n, d)."""
        return self._own.records, self._own.vectors

    def keys(self) -> Iterator[str]:
        """Ids of all items."""
        own, below = self._own, self._table.keys()
        return chain((key for key in below if key not in own.rows), own.ids)

    def count(self) -> int:
        """Count the items."""
        return self._table.count() + sum(key not in self._hidden for key in self._own.ids)

    def get(self, ids: Collection[str]) -> dict[str, Item]:
        """Items by id; ids that are not there are left out."""
        own = self._own
        found = self._table.get([key for key in ids if key not in own.rows])
        return found | {key: own.records[own.rows[key]] for key in ids if key in own.rows}

    def sample(self, filter: Filter, limit: int) -> Vectors:
        """Vectors of the own items for which a filter holds, and of the first of the table, shape (n, d)."""
        own = self._own.vectors[[self._own.rows[key] for key in _allowed(self._own, filter) or ()]]
        return np.concatenate([own, self._table.sample(filter, limit)])[:limit]

    def vectors(self, ids: Sequence[str]) -> Vectors:
        """Vectors in the order of the ids, shape (n, d).

        Raises
        ------
        InvalidInputError
            If an id is not there.
        """
        own = self._own
        vectors = np.zeros((len(ids), own.vectors.shape[1]), dtype=np.float32)
        is_own = np.array([key in own.rows for key in ids], dtype=np.bool_)
        vectors[~is_own] = self._table.vectors([key for key in ids if key not in own.rows])
        vectors[is_own] = own.vectors[[own.rows[key] for key in ids if key in own.rows]]
        return vectors

    def search(self, vectors: Vectors, top_k: int, filter: Filter | None = None) -> SearchResult[Item]:
        """Nearest items of each query vector, shape (q, d); see `RecordTable.search`."""
        return self.begin_search(vectors, top_k, filter, is_alone=True)()

    def begin_search(
        self,
        vectors: Vectors,
        top_k: int,
        filter: Filter | None = None,
        *,
        from_copy: bool = False,
        is_alone: bool = False,
    ) -> Callable[[], SearchResult[Item]]:
        """Begin a `search`: the table's own, while the items over it are compared."""
        begun = self._table.begin_search(vectors, top_k, filter, from_copy=from_copy, is_alone=is_alone)
        own = self._own
        near = own.search(vectors, top_k, _allowed(own, filter))

        def deeper(limit: int) -> SearchResult[Item]:
            return self._table.search(vectors, limit, filter, from_copy=from_copy)

        return lambda: _merged_records(own, near, top_k, begun(), deeper)

    def begin_lexical_search(
        self, texts: Sequence[str], top_k: int, filter: Filter | None
    ) -> Callable[[], LexicalResult[Item]]:
        """Begin to find the best items of the table by words; those over it are not searched by words."""
        begun = self._table.begin_lexical_search(texts, min(top_k + len(self._hidden), MAX_TOP_K), filter)

        def answer() -> LexicalResult[Item]:
            found = begun()
            kept = [[at for at, id_ in enumerate(ids) if id_ not in self._own.rows] for ids in found.ids]
            kept = [places[:top_k] for places in kept]
            return LexicalResult(
                vectors=found.vectors,
                ids=[[ids[at] for at in places] for ids, places in zip(found.ids, kept, strict=True)],
                scores=[scores[places] for scores, places in zip(found.scores, kept, strict=True)],
                records=[[row[at] for at in places] for row, places in zip(found.records, kept, strict=True)],
            )

        return answer

    def nearest(self, vectors: Vectors, top_k: int) -> Hits:
        """Ids and scores alone of the nearest items of each query vector."""
        own = self._own
        found = self._table.nearest(vectors, top_k)
        near = own.search(vectors, top_k, None)
        return _merged(own, near, top_k, found, lambda limit: self._table.nearest(vectors, limit))

    def search_linked(
        self, vectors: Vectors, concept_ids: Sequence[Sequence[str]], top_k: int, filter: Filter | None
    ) -> SearchResult[Item]:
        """Nearest items of each query among those linked to its concepts, in a local file."""
        own = self._own

        def deeper(limit: int) -> SearchResult[Item]:
            return self._table.search_linked(vectors, concept_ids, limit, filter)

        found = deeper(top_k)
        near = own.search_linked(vectors, concept_ids, top_k, _allowed(own, filter))
        return _merged_records(own, near, top_k, found, deeper)

    def write(self, rows: Sequence[Row], vectors: Vectors, *, replace: bool) -> None:
        """Write rows into the table."""
        self._table.write(rows, vectors, replace=replace)
        self._own = self._without([row["id"] for row in rows])

    def delete(self, ids: Sequence[str]) -> None:
        """Delete items by id; unknown ids are passed over."""
        self._table.delete(ids)
        self._own, self._hidden = self._without(ids), self._hidden - frozenset(ids)

    def wait_for_writes(self) -> None:
        """Return when a read sees all writes so far."""
        self._table.wait_for_writes()

    def _without(self, ids: Collection[str]) -> Mirror[Item]:
        """Leave these out of the items over the table."""
        gone = frozenset(ids)
        kept = [row for row, key in enumerate(self._own.ids) if key not in gone]
        return _mirror([self._own.records[row] for row in kept], self._own.vectors[kept])


def _mirror(items: Sequence[Item], vectors: Vectors) -> Mirror[Item]:
    return Mirror(ids=tuple(item.id for item in items), vectors=vectors, records=tuple(items), stamp=0)


def _allowed(own: Mirror[Item], filter: Filter | None) -> list[str] | None:
    return None if filter is None else [item.id for item in own.records if holds(filter, item)]


def _merged_records(
    own: Mirror[Item],
    near: Hits,
    top_k: int,
    found: SearchResult[Item],
    deeper: Callable[[int], SearchResult[Item]],
) -> SearchResult[Item]:
    """Merge as `_merged` does, with the records."""
    records = {item.id: item for items in found.records for item in items}

    def again(limit: int) -> Hits:
        more = deeper(limit)
        records.update((item.id, item) for items in more.records for item in items)
        return more.ids, more.scores

    ids, scores = _merged(own, near, top_k, (found.ids, found.scores), again)
    records.update(zip(own.ids, own.records, strict=True))
    return SearchResult(ids=ids, scores=scores, records=[[records[key] for key in row] for row in ids])


def _merged(own: Mirror[Item], near: Hits, top_k: int, found: Hits, deeper: Callable[[int], Hits]) -> Hits:
    """Best `top_k` hits of each query, of those found in the table and those near among the own.

    Parameters
    ----------
    deeper
        Searches the table for more hits, where too many of the first are hidden.
    """
    limit = top_k
    while True:
        kept = [[place for place, key in enumerate(row) if key not in own.rows] for row in found[0]]
        is_enough = all(
            len(places) >= top_k or len(row) < limit for places, row in zip(kept, found[0], strict=True)
        )
        if is_enough or limit == MAX_TOP_K:
            break
        limit = min(2 * limit, MAX_TOP_K)
        found = deeper(limit)
    ids, scores = [], []
    for query, places in enumerate(kept):
        names = [*(found[0][query][place] for place in places), *near[0][query]]
        values = np.concatenate([found[1][query][places], near[1][query]])
        best = np.argsort(-values, kind="stable")[:top_k]
        ids.append([names[place] for place in best])
        scores.append(values[best])
    return ids, scores
