"""Vectors of concepts in the space of an encoder."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.graph.knowledge_graph import KnowledgeGraph
from zeroshot_core.graph.translation import unit_rows
from zeroshot_core.types import Concept

if TYPE_CHECKING:
    from zeroshot_core.encoders.base import Encoder
    from zeroshot_core.types import Vectors

__all__ = ["concept_text", "concept_texts", "concept_vectors"]


def concept_texts(concept: Concept) -> tuple[str, ...]:
    """Name, synonyms and description: the texts whose vectors make the concept's vector."""
    described = (concept.description,) if concept.description.strip() else ()
    return (concept.name, *concept.synonyms, *described)


def concept_text(concept: Concept) -> str:
    """One line for people: ``name (also synonym, synonym): description``."""
    also = f" (also {', '.join(concept.synonyms)})" if concept.synonyms else ""
    described = f": {concept.description}" if concept.description.strip() else ""
    return f"{concept.name}{also}{described}"


def concept_vectors(graph: KnowledgeGraph, encoder: Encoder, *, show_progress: bool = False) -> Vectors:
    """Encode every concept as the mean of its name, synonyms and description.

    Returns
    -------
    Vectors
        Shape (n_concepts, d), unit rows, in the order of the graph.
    """
    texts = [concept_texts(concept) for concept in graph.concepts.values()]
    if not texts:
        return np.zeros((0, encoder.dimension), dtype=np.float32)
    vectors = encoder.encode(list(chain.from_iterable(texts)), show_progress=show_progress)
    starts = np.cumsum([0, *map(len, texts)])[:-1]
    return unit_rows(np.add.reduceat(vectors, starts, axis=0, dtype=np.float64))
