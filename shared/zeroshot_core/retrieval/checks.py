"""Checks of what a retriever is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.errors import FingerprintMismatchError, InvalidInputError
from zeroshot_core.types import Content, Item

if TYPE_CHECKING:
    from zeroshot_core.encoders import Encoder
    from zeroshot_core.graph import KnowledgeGraph
    from zeroshot_core.index import CollectionInfo
    from zeroshot_core.types import Vectors

__all__ = [
    "check_graph_weight",
    "check_parts",
    "check_queries",
    "check_stored",
    "check_top_k",
    "check_vectors",
    "content_of",
]


def check_top_k(top_k: int) -> int:
    """Give `top_k` back if it is a whole number of at least 1."""
    if isinstance(top_k, bool) or not isinstance(top_k, Integral) or top_k < 1:
        raise InvalidInputError(f"expected top_k as a whole number of at least 1, got {top_k!r}")
    return int(top_k)


def check_graph_weight(graph_weight: float) -> float:
    """Give `graph_weight` back if it lies in [0, 1]."""
    if isinstance(graph_weight, bool) or not isinstance(graph_weight, Real) or not 0 <= graph_weight <= 1:
        raise InvalidInputError(
            f"expected graph_weight from 0 (vectors only) to 1 (graph only), got {graph_weight!r}"
        )
    return float(graph_weight)


def check_queries(queries: Sequence[str | Item]) -> list[str | Item]:
    """Give the queries back as a list if all are non-empty texts or items."""
    if isinstance(queries, str | Item):
        raise InvalidInputError(f"expected a list of queries, got one: {queries!r}; wrap it in a list")
    queries = list(queries)
    for number, query in enumerate(queries):
        if not isinstance(query, Item) and not (isinstance(query, str) and query.strip()):
            raise InvalidInputError(f"query {number}: expected a non-empty text or an Item, got {query!r}")
    return queries


def check_vectors(vectors: Vectors, queries: Sequence[str | Item], encoder: Encoder) -> Vectors:
    """Give query vectors back as float32 if they are finite, one of the right length for each query."""
    shape = (len(queries), encoder.dimension)
    rows = np.asarray(vectors, dtype=np.float32)
    if rows.shape != shape or not np.isfinite(rows).all():
        raise InvalidInputError(
            f"expected finite query vectors of shape {shape}, got {rows.shape}; give one row for each query, "
            "of the encoder that the index was built with"
        )
    return rows


def check_stored(
    info: CollectionInfo, graph: str, spread: str, relation_weights: Mapping[str, float] | None
) -> None:
    """Refuse what a graph that is read from Milvus part by part cannot do."""
    if graph != "stored":
        raise InvalidInputError(f"expected a graph, 'stored' or None, got {graph!r}")
    if not info.graph_digest:
        raise InvalidInputError(
            f"expected a version with a graph, got {info.id} without; build it with graph=..."
        )
    if spread != "hops" or relation_weights:
        raise InvalidInputError(
            "expected spread='hops' and no relation_weights with a stored graph, since they need all of it; "
            "give the graph itself"
        )


def check_parts(info: CollectionInfo, encoder: Encoder | None, graph: KnowledgeGraph | None) -> None:
    """Refuse an encoder or a graph that a version was not built with."""
    if encoder is not None and encoder.fingerprint != info.fingerprint:
        raise FingerprintMismatchError(
            f"expected encoder {info.fingerprint} ({info.encoder}), got {encoder.fingerprint} "
            f"({encoder.name}); load the encoder that the version was built with, or build a new version"
        )
    if graph is not None and graph.digest != info.graph_digest:
        raise InvalidInputError(
            f"expected the graph that version {info.id} was built with ({info.graph_digest or 'none'}), "
            f"got {graph.digest}; give that one, or build a new version"
        )


def content_of(query: str | Item) -> Content:
    """Give what the encoder takes."""
    return query.content if isinstance(query, Item) else query
