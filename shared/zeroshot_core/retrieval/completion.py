"""Missing tails of relations, proposed by a search over the concepts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core import checks
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph import KnowledgeGraph, RelationMap, concept_vectors, fit_relation_map
from zeroshot_core.types import Concept, Hit

if TYPE_CHECKING:
    from zeroshot_core.encoders import Encoder
    from zeroshot_core.index import Collection
    from zeroshot_core.types import Vectors

__all__ = ["propose_tails"]


def propose_tails(
    version: Collection,
    encoder: Encoder | None,
    graph: KnowledgeGraph,
    heads: Sequence[str | Concept],
    relation_type: str,
    *,
    top_k: int = 10,
    relation_map: RelationMap | None = None,
) -> list[list[Hit]]:
    """Propose concepts to which heads may be related, though the graph doesn't say so.

    The head's vector is moved to where the relation type leads (`graph.fit_relation_map`), and the concepts
    nearest to that place are searched.

    Parameters
    ----------
    version
        The opened version of the index that holds the graph.
    encoder
        The one that the version was built with; needed for new concepts alone.
    heads
        Ids of the graph's concepts, or new concepts that it doesn't hold.
    relation_map
        The map of this type, if it is known; else it is learned, which reads the vectors of all concepts.

    Returns
    -------
    list of list of Hit
        For each head at most `top_k` concepts, best first, without itself and the tails that it has. The part
        ``relation`` is the cosine similarity to the place where the tail should be.

    Raises
    ------
    UnknownConceptError
        If the graph lacks an id.
    InvalidInputError
        If the graph is not that of the version or has no relation of that type, `top_k` is out of range, or
        heads are new and there is no encoder.
    FingerprintMismatchError
        If the encoder is not that of the version.
    """
    version.info.check(encoder, graph)
    top_k = checks.whole("top_k", top_k, least=1)
    vectors = _head_vectors(version, encoder, graph, heads)
    if not heads:
        return []
    if relation_map is None:
        relation_map = fit_relation_map(graph, version.concept_vectors(graph.concept_ids), relation_type)
    known = _known_tails(graph, heads, relation_type)
    found = version.search_concepts(relation_map.tails(vectors), top_k + max(map(len, known)))
    return [
        [
            Hit(
                id=concept.id,
                kind="concept",
                score=score,
                text=concept.name,
                parts={"relation": score},
                metadata={"type": concept.type},
            )
            for concept, score in zip(concepts, scores.tolist(), strict=True)
            if concept.id not in skipped
        ][:top_k]
        for concepts, scores, skipped in zip(found.records, found.scores, known, strict=True)
    ]


def _head_vectors(
    version: Collection, encoder: Encoder | None, graph: KnowledgeGraph, heads: Sequence[str | Concept]
) -> Vectors:
    new = [head for head in heads if isinstance(head, Concept)]
    ids = [head for head in heads if not isinstance(head, Concept)]
    graph.require(ids)
    vectors = np.zeros((len(heads), version.info.dimension), dtype=np.float32)
    is_new = np.array([isinstance(head, Concept) for head in heads], dtype=bool)
    if ids:
        vectors[~is_new] = version.concept_vectors(ids)
    if new and encoder is None:
        raise InvalidInputError(
            f"expected an encoder for heads that the graph lacks ({new[0].id!r} is new), got none"
        )
    if new and encoder is not None:
        vectors[is_new] = concept_vectors(KnowledgeGraph(new), encoder)
    return vectors


def _known_tails(graph: KnowledgeGraph, heads: Sequence[str | Concept], relation_type: str) -> list[set[str]]:
    """Each head with the tails that it has."""
    ids = [head.id if isinstance(head, Concept) else head for head in heads]
    known: dict[str, set[str]] = {id_: {id_} for id_ in ids}
    for relation in graph.relations:
        if relation.type == relation_type and relation.head in known:
            known[relation.head].add(relation.tail)
    return [known[id_] for id_ in ids]
