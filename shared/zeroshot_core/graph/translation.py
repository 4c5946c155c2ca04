"""From the vector of a head to where its tail should be: one affine map for each relation type."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core import checks
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph.knowledge_graph import KnowledgeGraph
from zeroshot_core.graph.matrices import edge_arrays

if TYPE_CHECKING:
    from zeroshot_core.types import Floats, Ints, Vectors

__all__ = ["RelationMap", "check_vectors_of", "fit_relation_map", "relation_vectors", "unit_rows"]

# With fewer relations of a type, only their mean translation is learned.
_FEWEST_FOR_MATRIX = 50
_STRENGTHS = (1e3, 1e2, 1e1, 1e0, 1e-1)
_HELD_OUT = 0.2
_MOST_HELD_OUT = 500


@dataclass(frozen=True, kw_only=True)
class RelationMap:
    """An affine map of vectors: ``unit(head + offset + head @ matrix)``.

    Parameters
    ----------
    offset
        Shape (d,).
    matrix
        Shape (d, d); None where only a translation was learned.
    """

    offset: Floats
    matrix: Floats | None = None

    def tails(self, heads: Vectors) -> Vectors:
        """Where the tails of heads, shape (m, d), should be: unit rows, shape (m, d)."""
        moved = heads + self.offset
        return unit_rows(moved if self.matrix is None else moved + heads @ self.matrix)


def fit_relation_map(graph: KnowledgeGraph, vectors: Vectors, relation_type: str) -> RelationMap:
    """Learn in closed form where the tails of a relation type are, seen from their heads.

    The mean of ``tail - head`` is the least-squares solution of TransE [1]_ for fixed concept vectors. With
    at least 50 relations of the type, ridge regression of what it leaves over adds a matrix, which is shrunk
    as much as suits a fifth of the relations, held out: at most to the translation alone.

    Parameters
    ----------
    vectors
        Shape (n_concepts, d), unit rows, in the order of the graph.

    Raises
    ------
    InvalidInputError
        If there isn't one vector for each concept, or the graph has no relation of that type.

    References
    ----------
    .. [1] Bordes et al., "Translating Embeddings for Modeling Multi-relational Data", NeurIPS 2013.
    """
    check_vectors_of(graph, vectors)
    heads, tails, _, _ = edge_arrays(graph, [relation_type])
    if not len(heads):
        raise InvalidInputError(f"expected relations of type {relation_type!r} to learn from, got none")
    return _fit(vectors, heads, tails)


def _fit(vectors: Vectors, heads: Ints, tails: Ints) -> RelationMap:
    if len(heads) < _FEWEST_FOR_MATRIX:
        return RelationMap(offset=(vectors[tails] - vectors[heads]).mean(axis=0, dtype=np.float64))
    order = np.random.default_rng(0).permutation(len(heads))
    held_out, rest = np.split(order, [round(_HELD_OUT * len(heads))])
    asked = held_out[:_MOST_HELD_OUT]
    scores = [
        _mean_reciprocal_rank(each, vectors, heads[asked], tails[asked])
        for each in _ridge_maps(vectors[heads[rest]], vectors[tails[rest]])
    ]
    best = int(np.argmax(scores))
    return list(_ridge_maps(vectors[heads], vectors[tails]))[best]


def relation_vectors(graph: KnowledgeGraph, concept_vectors: Vectors) -> Vectors:
    """Place every relation where its tail should be, seen from its head, as `fit_relation_map` learns it.

    A search over the concepts with one of these proposes tails.

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
    """
    check_vectors_of(graph, concept_vectors)
    placed = np.zeros((len(graph.relations), concept_vectors.shape[1]), dtype=np.float32)
    heads, tails, _, _ = edge_arrays(graph)
    number = {type_: i for i, type_ in enumerate(graph.relation_types)}
    types = np.fromiter((number[relation.type] for relation in graph.relations), np.int64, len(heads))
    for i in range(len(number)):
        rows = np.flatnonzero(types == i)
        map_ = _fit(concept_vectors, heads[rows], tails[rows])
        placed[rows] = map_.tails(concept_vectors[heads[rows]])
    return placed


def check_vectors_of(graph: KnowledgeGraph, vectors: Vectors) -> None:
    """Refuse vectors that are not one for each concept."""
    checks.instance("graph", graph, KnowledgeGraph)
    checks.instance("vectors", vectors, np.ndarray)
    if vectors.ndim != 2 or len(vectors) != len(graph):
        raise InvalidInputError(f"expected vectors of shape ({len(graph)}, d), got {vectors.shape}")


def unit_rows(vectors: Floats | Vectors) -> Vectors:
    """Scale rows to length 1, zeros excepted; float32."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    units: Vectors = (vectors / np.maximum(norms, np.finfo(np.float32).tiny)).astype(np.float32)
    return units


def _ridge_maps(heads: Vectors, tails: Vectors) -> Iterator[RelationMap]:
    """Yield the translation alone, then maps that are shrunk to it less and less."""
    x, y = heads.astype(np.float64), tails.astype(np.float64)
    mean, offset = x.mean(axis=0), (y - x).mean(axis=0)
    yield RelationMap(offset=offset)
    centred = x - mean
    values, axes = np.linalg.eigh(centred.T @ centred)
    targets = axes.T @ (centred.T @ (y - x - offset))
    for strength in _STRENGTHS:
        matrix = axes @ (targets / (np.maximum(values, 0) + strength)[:, None])
        yield RelationMap(offset=offset - mean @ matrix, matrix=matrix)


def _mean_reciprocal_rank(map_: RelationMap, vectors: Vectors, heads: Ints, tails: Ints) -> float:
    """How well the tails are found among all concepts but the heads."""
    scores = map_.tails(vectors[heads]) @ vectors.T
    own = np.take_along_axis(scores, tails[:, None], axis=1)
    scores[np.arange(len(heads)), heads] = -np.inf
    return float(np.mean(1.0 / (1 + (scores > own).sum(axis=1))))
