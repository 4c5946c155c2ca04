"""The graph of an index as a store of facts: look up concepts, relations and what lies around."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from zeroshot_core import checks
from zeroshot_core.encoders import joint_vector
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.graph.names import case_key
from zeroshot_core.graph.records import concept_attributes, relation_attributes
from zeroshot_core.index.collection import GraphCollection
from zeroshot_core.types import Concept, Relation

if TYPE_CHECKING:
    from zeroshot_core.retrieval.retriever import Retriever
    from zeroshot_core.types import Item

__all__ = ["Fact", "GraphView"]

Fact: TypeAlias = tuple[Concept, Relation, Concept]
"""A relation with the concepts at its ends."""


class GraphView:
    """Reads of the graph that a retriever goes over, in memory or in Milvus; holds no state of its own.

    Parameters
    ----------
    retriever
        Whose index version, or whose memory, holds the graph.
    """

    def __init__(self, retriever: Retriever) -> None:
        self._retriever = retriever
        self._version = retriever.version

    def concepts(
        self, ids: Sequence[str] | None = None, attributes: Mapping[str, Any] | None = None
    ) -> list[Concept]:
        """Concepts with one of these ids, or whose name or synonym alone it is; all for None.

        Parameters
        ----------
        attributes
            At least one of them must be the concept's.

        Raises
        ------
        InvalidInputError
            If the whole graph is asked for and stays in Milvus.
        """
        found = self._whole().concepts.values() if ids is None else self._named(ids)
        return [concept for concept in found if _has(concept_attributes(concept), attributes)]

    def facts(
        self,
        ids: Sequence[str] | None = None,
        types: Collection[str] | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> list[Fact]:
        """Facts that begin or end at one of these concepts, ids or names, of one of these relation types.

        Parameters
        ----------
        attributes
            At least one of them must be that of the relation or of an end.

        Raises
        ------
        InvalidInputError
            If the whole graph is asked for and stays in Milvus.
        """
        if ids is None:
            found: Iterable[Relation] = self._whole().relations
        else:
            found = self._version.relations_of([concept.id for concept in self._named(ids)])
        facts = self._facts([relation for relation in found if types is None or relation.type in types])
        return [
            (head, relation, tail)
            for head, relation, tail in facts
            if _has(relation_attributes(relation), attributes)
            or _has(concept_attributes(head), attributes)
            or _has(concept_attributes(tail), attributes)
        ]

    def around(
        self, ids: Sequence[str], *, n_hops: int, limit: int, without: Collection[str] = ()
    ) -> list[Fact]:
        """Facts within `n_hops` relations of these concepts, the nearest first.

        Parameters
        ----------
        limit
            How many facts at most.
        without
            Relation types that are passed over.
        """
        seen: dict[tuple[str, str, str], Relation] = {}
        frontier = list(self._version.known_concepts(ids))
        reached = set(frontier)
        for _ in range(n_hops):
            relations = self._version.relations_of(frontier)
            crossed = [relation for relation in relations if relation.type not in without]
            seen |= {(each.head, each.type, each.tail): each for each in crossed}
            ends = dict.fromkeys(end for each in crossed for end in (each.head, each.tail))
            frontier = [end for end in ends if end not in reached]
            reached.update(frontier)
            if not frontier or len(seen) >= limit:
                break
        return self._facts([*seen.values()][:limit])

    def nearest(
        self, vector: Sequence[float] | None = None, text: str | None = None, *, top_k: int
    ) -> list[tuple[Concept, float]]:
        """Concepts nearest to a vector, or to a text where there is no vector, with their cosines.

        Raises
        ------
        InvalidInputError
            If there is neither, or the vector is not one of the encoder's dimension.
        """
        wanted = joint_vector(self._retriever.encoder, [text] if text else [], vector=vector)
        if wanted is None:
            raise InvalidInputError("expected a vector or a text to search by, got neither")
        found = self._version.search_concepts(wanted, checks.whole("top_k", top_k, least=1))
        return list(zip(found.records[0], found.scores[0].tolist(), strict=True))

    def items(self, ids: Collection[str]) -> list[Item]:
        """Indexed items with these ids, in their order; unknown ids are passed over."""
        known = self._version.known_items(ids)
        return [known[id_] for id_ in dict.fromkeys(ids) if id_ in known]

    def _whole(self) -> KnowledgeGraph:
        if not len(self._retriever.graph) and self._retriever.has_graph:
            raise InvalidInputError(
                "expected ids or names of concepts, got none, and the graph stays in Milvus; name the "
                "concepts, or open the retriever with the graph itself"
            )
        return self._retriever.graph

    def _named(self, ids: Sequence[str]) -> list[Concept]:
        """Concepts in the order of ids or names."""
        known = self._version.known_concepts(set(ids))
        named = self._by_name({id_ for id_ in ids if id_ not in known})
        known |= self._version.known_concepts(set(named.values()))
        found = (known.get(named.get(id_, id_)) for id_ in ids)
        return list({concept.id: concept for concept in found if concept is not None}.values())

    def _by_name(self, names: Collection[str]) -> dict[str, str]:
        """Ids by name, of the names that are one concept's alone."""
        if isinstance(self._version, GraphCollection) and self._version.info.counts["names"]:
            return {name: found.concept for name, found in self._version.sole_names(names).items()}
        return {name: self._sole_names[key] for name in names if (key := case_key(name)) in self._sole_names}

    @cached_property
    def _sole_names(self) -> dict[str, str]:
        """Ids by folded name, where the names of the graph are not indexed beside it."""
        owners: dict[str, set[str]] = {}
        for concept in self._retriever.graph.concepts.values():
            for name in (concept.name, *concept.synonyms):
                owners.setdefault(case_key(name), set()).add(concept.id)
        return {name: next(iter(ids)) for name, ids in owners.items() if len(ids) == 1}

    def _facts(self, relations: Sequence[Relation]) -> list[Fact]:
        ends = {end for relation in relations for end in (relation.head, relation.tail)}
        known = self._version.known_concepts(ends)
        return [(known[relation.head], relation, known[relation.tail]) for relation in relations]


def _has(own: Mapping[str, Any], wanted: Mapping[str, Any] | None) -> bool:
    return not wanted or any(own.get(name) == value for name, value in wanted.items())
