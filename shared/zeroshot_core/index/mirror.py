"""A copy of one collection in memory, searched exactly.

Milvus Lite hands out its hits one Python object at a time, about a tenth of a millisecond each, and answers
a filter on an array by walking all rows. So on a local file a large batch, and single searches once they add
up to one, are answered from the rows, read once and compared exactly; a server answers all by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic

import numpy as np

from zeroshot_core.index.collection import Record
from zeroshot_core.index.knn import nearest_rows
from zeroshot_core.index.lite_rows import RecordColumns
from zeroshot_core.index.word_index import WordIndex

if TYPE_CHECKING:
    from zeroshot_core.types import Floats, Ints, Vectors

__all__ = ["Mirror"]


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
    records: Sequence[Record]
    stamp: int

    @cached_property
    def rows(self) -> dict[str, int]:
        """Row number by id."""
        return {key: row for row, key in enumerate(self.ids)}

    @cached_property
    def links(self) -> dict[str, Ints]:
        """Row numbers of the items by the concept they are linked to."""
        found: dict[str, list[int]] = {}
        for row, concepts in enumerate(self._column("concepts")):
            for concept in concepts or ():
                found.setdefault(concept, []).append(row)
        return {concept: np.array(rows, dtype=np.int64) for concept, rows in found.items()}

    @cached_property
    def words(self) -> WordIndex:
        """What the words of the items count."""
        return WordIndex.of(text or "" for text in self._column("text"))

    def _column(self, name: str) -> Iterable[Any]:
        if isinstance(self.records, RecordColumns):
            return self.records.column(name)
        return (getattr(record, name, None) for record in self.records)

    def search_words(
        self, texts: Sequence[str], top_k: int, allowed: Iterable[str] | None
    ) -> tuple[list[list[str]], list[Floats]]:
        """Ids and BM25 scores of the best rows for each text, best first, among `allowed` ids if given."""
        is_allowed = None if allowed is None else np.zeros(len(self.ids), dtype=np.bool_)
        if is_allowed is not None:
            is_allowed[[self.rows[key] for key in allowed or ()]] = True
        found = [self.words.best(text, top_k, is_allowed) for text in texts]
        return [[self.ids[row] for row in rows.tolist()] for rows, _ in found], [each for _, each in found]

    def search(
        self, queries: Vectors, top_k: int, allowed: Iterable[str] | None
    ) -> tuple[list[list[str]], list[Floats]]:
        """Ids and scores of the nearest rows for each query, best first, among `allowed` ids if given."""
        names, vectors = self.ids, self.vectors
        if allowed is not None:
            rows = sorted(self.rows[key] for key in allowed)
            names, vectors = tuple(names[row] for row in rows), vectors[rows]
        found, scores = nearest_rows(queries, vectors, top_k)
        return [[names[row] for row in rows] for rows in found.tolist()], list(scores)

    def search_linked(
        self,
        queries: Vectors,
        concept_ids: Sequence[Sequence[str]],
        top_k: int,
        allowed: Iterable[str] | None,
    ) -> tuple[list[list[str]], list[Floats]]:
        """Ids and scores of the nearest rows for each query among those linked to one of its concepts."""
        is_allowed = np.full(len(self.ids), allowed is None)
        is_allowed[[self.rows[key] for key in allowed or ()]] = True
        ids: list[list[str]] = []
        scores: list[Floats] = []
        for query, concepts in zip(queries, concept_ids, strict=True):
            over_each: list[Ints] = [self.links[concept] for concept in concepts if concept in self.links]
            rows = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *over_each]))
            rows = rows[is_allowed[rows]]
            found, similarities = nearest_rows(query[None], self.vectors[rows], top_k)
            ids.append([self.ids[row] for row in rows[found[0]].tolist()])
            scores.append(similarities[0])
        return ids, scores
