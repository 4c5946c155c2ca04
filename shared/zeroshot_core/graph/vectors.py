"""Vectors of concepts and relations in the space of an encoder."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph.knowledge_graph import KnowledgeGraph
from zeroshot_core.graph.propagation import edge_arrays
from zeroshot_core.types import Concept

if TYPE_CHECKING:
    from zeroshot_core.encoders.base import Encoder
    from zeroshot_core.types import Floats, Vectors

__all__ = ["concept_text", "concept_texts", "concept_vectors", "relation_vectors"]


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
    return _unit_rows(np.add.reduceat(vectors, starts, axis=0, dtype=np.float64))


def relation_vectors(graph: KnowledgeGraph, concept_vectors: Vectors) -> Vectors:
    """Place every relation where its tail should be: ``unit(head + translation of its type)``.

    The translation of a type is the mean of ``tail - head`` over its relations: the least-squares solution of
    TransE [1]_ for fixed concept vectors. A search over the concepts with one of these
    proposes tails.

    Parameters
    ----------
    concept_vectors
        Shape (n_concepts, d), unit rows, in the order of the graph.

    Returns
    -------
    Vectors
        Shape (n_relations, d), unit rows, in the order of the relations.

    Raises
    ------
    InvalidInputError
        If there isn't one vector for each concept.

    References
    ----------
    .. [1] Bordes et al., "Translating Embeddings for Modeling Multi-relational Data", NeurIPS 2013.
    """
    if concept_vectors.ndim != 2 or len(concept_vectors) != len(graph):
        raise InvalidInputError(f"expected vectors of shape ({len(graph)}, d), got {concept_vectors.shape}")
    heads, tails, _, _ = edge_arrays(graph)
    number = {type_: i for i, type_ in enumerate(graph.relation_types)}
    types = np.fromiter((number[r.type] for r in graph.relations), dtype=np.int64, count=len(heads))
    ones = np.ones(len(heads))
    shape = (len(number), len(graph))
    moves = sparse.csr_matrix((ones, (types, tails)), shape=shape) - sparse.csr_matrix(
        (ones, (types, heads)), shape=shape
    )
    counts = np.bincount(types, minlength=len(number))
    translations = (moves @ concept_vectors.astype(np.float64)) / counts[:, None]
    return _unit_rows(concept_vectors[heads] + translations[types])


def _unit_rows(vectors: Floats) -> Vectors:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    units: Vectors = (vectors / np.maximum(norms, np.finfo(np.float32).tiny)).astype(np.float32)
    return units
