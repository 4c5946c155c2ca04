"""A copy of one collection in memory, searched exactly.

Milvus Lite hands out its hits one Python object at a time, about a tenth of a millisecond each, and answers
a filter on an array by walking all rows. So large batches on a local file are answered from the vectors, read
once and compared exactly; a server answers all by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from zeroshot_core.types import Floats, Ints, Item, Vectors

__all__ = ["Links", "Mirror", "nearest_rows"]

_BLOCK_VALUES = 16_000_000


@dataclass(frozen=True, kw_only=True)
class Mirror:
    """Ids and vectors of a collection, row by row.

    Parameters
    ----------
    vectors
        Shape (n, d), unit rows.
    stamp
        Number of writes when the rows were read.
    """

    ids: tuple[str, ...]
    vectors: Vectors
    stamp: int

    @cached_property
    def rows(self) -> dict[str, int]:
        """Row number by id."""
        return {key: row for row, key in enumerate(self.ids)}

    def search(
        self, queries: Vectors, top_k: int, allowed: Sequence[str] | None
    ) -> tuple[list[list[str]], list[Floats]]:
        """Ids and scores of the nearest rows for each query, best first, among `allowed` ids if given."""
        rows = np.arange(len(self.ids)) if allowed is None else np.sort([self.rows[key] for key in allowed])
        vectors = self.vectors if allowed is None else self.vectors[rows.astype(np.int64)]
        ids: list[list[str]] = []
        scores: list[Floats] = []
        for found, similarities in nearest_rows(queries, vectors, top_k):
            ids.append([self.ids[row] for row in rows[found]])
            scores.append(similarities)
        return ids, scores


@dataclass(frozen=True, kw_only=True)
class Links:
    """Item ids by the concept they are linked to."""

    items: Mapping[str, Sequence[str]]
    stamp: int

    @classmethod
    def of(cls, items: Iterable[Item], stamp: int) -> Links:
        """Links of these items."""
        found: dict[str, list[str]] = {}
        for item in items:
            for concept in item.concepts:
                found.setdefault(concept, []).append(item.id)
        return cls(items=found, stamp=stamp)


def nearest_rows(queries: Vectors, vectors: Vectors, top_k: int) -> list[tuple[Ints, Floats]]:
    """Row numbers and inner products of the `top_k` largest inner products of each query, best first.

    Parameters
    ----------
    queries
        Shape (q, d).
    vectors
        Shape (n, d).
    """
    top_k = min(top_k, len(vectors))
    found: list[tuple[Ints, Floats]] = []
    step = max(1, _BLOCK_VALUES // max(1, len(vectors)))
    for start in range(0, len(queries), step):
        similarities = queries[start : start + step] @ vectors.T
        for row in similarities:
            best = np.argpartition(-row, top_k - 1)[:top_k] if top_k < len(row) else np.arange(len(row))
            order = best[np.lexsort((best, -row[best]))]
            found.append((order, row[order].astype(np.float64)))
    return found
