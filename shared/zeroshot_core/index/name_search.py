"""Concepts by the nearest of their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.index.rows import ConceptName
from zeroshot_core.index.table import MAX_TOP_K, SearchResult, Table

if TYPE_CHECKING:
    from zeroshot_core.types import Concept, Vectors

__all__ = ["nearest_concepts", "search_distinct"]

# Concepts of the Human Phenotype Ontology have 2.2 names on average.
_NAMES_PER_CONCEPT = 4


def search_distinct(
    names: Table[ConceptName], vectors: Vectors, n_concepts: int
) -> SearchResult[ConceptName]:
    """Nearest names of each query vector, as many as it takes to reach `n_concepts` concepts."""
    limit = min(_NAMES_PER_CONCEPT * n_concepts, MAX_TOP_K)
    while True:
        found = names.search(vectors, limit)
        if limit == MAX_TOP_K or all(_is_enough(hits, limit, n_concepts) for hits in found.records):
            return found
        limit = min(2 * limit, MAX_TOP_K)


def nearest_concepts(
    own: SearchResult[Concept], names: SearchResult[ConceptName], top_k: int
) -> SearchResult[ConceptName]:
    """Score each concept by the best of its own vector and its names; for each query the `top_k` best."""
    merged = SearchResult[ConceptName](ids=[], scores=[], records=[])
    for concepts, own_scores, hits, scores in zip(
        own.records, own.scores, names.records, names.scores, strict=True
    ):
        best: dict[str, tuple[float, str]] = {}
        for hit, score in zip(hits, scores.tolist(), strict=True):
            best.setdefault(hit.concept, (score, hit.text))
        for concept, score in zip(concepts, own_scores.tolist(), strict=True):
            if concept.id not in best or score > best[concept.id][0]:
                best[concept.id] = (score, concept.name)
        kept = sorted(best, key=lambda id_: (-best[id_][0], id_))[:top_k]
        merged.ids.append(kept)
        merged.scores.append(np.array([best[id_][0] for id_ in kept], dtype=np.float64))
        merged.records.append([ConceptName(concept=id_, text=best[id_][1]) for id_ in kept])
    return merged


def _is_enough(hits: list[ConceptName], limit: int, n_concepts: int) -> bool:
    return len(hits) < limit or len({hit.concept for hit in hits}) >= n_concepts
