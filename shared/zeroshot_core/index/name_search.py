"""Concepts by the nearest of their names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from zeroshot_core.index.collection import MAX_TOP_K, ConceptName, SearchResult
from zeroshot_core.index.rows import name_id
from zeroshot_core.index.table import Table

if TYPE_CHECKING:
    from zeroshot_core.types import Concept, Vectors

__all__ = ["as_names", "nearest_names", "sole_names"]

# Concepts of the Human Phenotype Ontology have 2.2 names on average.
_NAMES_PER_CONCEPT = 4


def nearest_names(
    names: Table[ConceptName], vectors: Vectors, top_k: int, without: Sequence[ConceptName] | None
) -> SearchResult[ConceptName]:
    """For each query vector the nearest name of each of the `top_k` nearest concepts.

    Parameters
    ----------
    without
        For each query a name that it shall not find.
    """
    left_out: Sequence[ConceptName | None] = without or [None] * len(vectors)
    limit = min(_NAMES_PER_CONCEPT * top_k, MAX_TOP_K)
    while True:
        found = names.search(vectors, limit)
        kept = [_best_places(hits, skipped) for hits, skipped in zip(found.records, left_out, strict=True)]
        is_enough = (
            len(places) >= top_k or len(hits) < limit
            for places, hits in zip(kept, found.records, strict=True)
        )
        if limit == MAX_TOP_K or all(is_enough):
            break
        limit = min(2 * limit, MAX_TOP_K)
    places = [row[:top_k] for row in kept]
    records = [[hits[place] for place in row] for hits, row in zip(found.records, places, strict=True)]
    return SearchResult(
        ids=[[record.concept for record in row] for row in records],
        scores=[scores[row] for scores, row in zip(found.scores, places, strict=True)],
        records=records,
    )


def sole_names(names: Table[ConceptName], texts: Iterable[str]) -> dict[str, ConceptName]:
    """Find the texts that are names of one concept alone, whatever their case and spaces."""
    ids = {text: (name_id(text), name_id(text, 1)) for text in texts}
    found = names.get({id_ for pair in ids.values() for id_ in pair})
    return {text: found[own] for text, (own, other) in ids.items() if own in found and other not in found}


def as_names(found: SearchResult[Concept]) -> SearchResult[ConceptName]:
    """Say of concepts that were found by their own vectors that it was by their names."""
    return SearchResult(
        ids=found.ids,
        scores=found.scores,
        records=[[ConceptName(concept=hit.id, text=hit.name) for hit in hits] for hits in found.records],
    )


def _best_places(hits: Sequence[ConceptName], skipped: ConceptName | None) -> list[int]:
    """Place of the best name of each concept."""
    first: dict[str, int] = {}
    for place, hit in enumerate(hits):
        if hit != skipped:
            first.setdefault(hit.concept, place)
    return list(first.values())
