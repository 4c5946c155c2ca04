"""A copy of one collection in memory, searched exactly.

Milvus Lite hands out its hits one Python object at a time, about a tenth of a millisecond each, and answers
a filter on an array by walking all rows. So large batches on a local file are answered from the rows, read
once and compared exactly; a server answers all by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Generic

import numpy as np

from zeroshot_core.index.rows import Record

if TYPE_CHECKING:
    from zeroshot_core.types import Floats, Ints, Vectors

__all__ = ["Mirror", "nearest_rows"]

_BLOCK_VALUES = 16_000_000


@dataclass(frozen=True, kw_only=True)
class Mirror(Generic[Record]):
    """Ids, vectors and records of a collection, row by row.

    Parameters
    ----------
    vectors
        Shape (n, d), unit rows.
    stamp
        Number of writes when the rows were read.
    """

    ids: tuple[str, ...]
    vectors: Vectors
    records: tuple[Record, ...]
    stamp: int

    @cached_property
    def rows(self) -> dict[str, int]:
        """Row number by id."""
        return {key: row for row, key in enumerate(self.ids)}

    @cached_property
    def links(self) -> dict[str, list[int]]:
        """Row numbers of the items by the concept they are linked to."""
        found: dict[str, list[int]] = {}
        for row, record in enumerate(self.records):
            for concept in getattr(record, "concepts", ()):
                found.setdefault(concept, []).append(row)
        return found

    def search(
        self, queries: Vectors, top_k: int, allowed: Iterable[str] | None
    ) -> tuple[list[list[str]], list[Floats]]:
        """Ids and scores of the nearest rows for each query, best first, among `allowed` ids if given."""
        kept = range(len(self.ids)) if allowed is None else sorted(self.rows[key] for key in allowed)
        rows = np.fromiter(kept, dtype=np.int64)
        ids: list[list[str]] = []
        scores: list[Floats] = []
        for found, similarities in nearest_rows(queries, self.vectors[rows], top_k):
            ids.append([self.ids[row] for row in rows[found].tolist()])
            scores.append(similarities)
        return ids, scores


def nearest_rows(queries: Vectors, vectors: Vectors, top_k: int) -> Iterator[tuple[Ints, Floats]]:
    """Row numbers and inner products of the `top_k` largest inner products of each query, best first.

    Parameters
    ----------
    queries
        Shape (q, d).
    vectors
        Shape (n, d).
    """
    step = max(1, _BLOCK_VALUES // max(1, len(vectors)))
    for start in range(0, len(queries), step):
        for row in queries[start : start + step] @ vectors.T:
            yield _largest(row, top_k)


def _largest(values: Vectors, top_k: int) -> tuple[Ints, Floats]:
    """Places of the largest values, ties in order of their places."""
    if top_k < len(values):
        places: Ints = np.argpartition(values, -top_k)[-top_k:]
    else:
        places = np.arange(len(values))
    order = places[np.lexsort((places, -values[places]))]
    return order, values[order].astype(np.float64)
