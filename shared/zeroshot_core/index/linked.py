"""Nearest items among those linked to some concepts, where each query has concepts of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.index.connection import begin_each
from zeroshot_core.index.filters import AllOf, Condition, Filter
from zeroshot_core.index.table import SearchResult
from zeroshot_core.types import Item

if TYPE_CHECKING:
    from zeroshot_core.types import Vectors

__all__ = ["search_each"]


def search_each(
    begin_search: Callable[[Vectors, int, Filter], Callable[[], SearchResult[Item]]],
    vectors: Vectors,
    concept_ids: Sequence[Sequence[str]],
    top_k: int,
    filter: Filter | None,
) -> SearchResult[Item]:
    """Search once for all queries that have the same concepts, several times at once.

    Parameters
    ----------
    begin_search
        Begins to find the nearest items of query vectors under a filter.
    vectors
        Shape (q, d).
    concept_ids
        For each query; without concepts it finds nothing.
    """
    groups: dict[tuple[str, ...], list[int]] = {}
    for query, ids in enumerate(concept_ids):
        if ids:
            groups.setdefault(tuple(sorted(ids)), []).append(query)

    def begin(ids: tuple[str, ...]) -> Callable[[], SearchResult[Item]]:
        condition: Filter = Condition("concepts", "contains", ids)
        return begin_search(
            vectors[groups[ids]], top_k, condition if filter is None else AllOf((condition, filter))
        )

    result = SearchResult[Item](
        ids=[[] for _ in concept_ids],
        scores=[np.zeros(0) for _ in concept_ids],
        records=[[] for _ in concept_ids],
    )
    for queries, part in zip(groups.values(), begin_each(begin, groups), strict=True):
        for place, query in enumerate(queries):
            result.ids[query] = part.ids[place]
            result.scores[query] = part.scores[place]
            result.records[query] = part.records[place]
    return result
