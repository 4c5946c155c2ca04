"""Knowledge graphs from LangChain's GraphDocuments, and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from langchain_core.documents import Document
from pydantic import BaseModel
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.graph.records import (
    concept_attributes,
    concept_of,
    merge_concepts,
    merge_relations,
    relation_attributes,
    relation_of,
)
from zeroshot_core.types import Concept, Relation

__all__ = ["from_graph_documents", "to_graph_documents"]

Model = TypeVar("Model", bound=BaseModel)


class Node(Protocol):
    """Shape of a node: LangChain has no home for the class that all graph packages share."""

    id: str | int
    type: str
    properties: dict[str, Any]


class Relationship(Protocol):
    """Shape of a relationship."""

    source: Any
    target: Any
    type: str
    properties: dict[str, Any]


class GraphDocumentLike(Protocol):
    """Shape of a graph document, such as those of langchain-neo4j and of LLMGraphTransformer."""

    nodes: Any
    relationships: Any
    source: Any


def from_graph_documents(documents: Iterable[GraphDocumentLike]) -> KnowledgeGraph:
    """Unite the nodes and relationships of documents, which stay as they are.

    Nodes of the same id become one concept, with the properties name, synonyms and description where they are
    filled; equal relationships one relation with the largest property weight. Its sources are its property
    sources and the documents it stands in: their id, or ``id`` or ``source`` of their metadata.

    Raises
    ------
    InvalidInputError
        If a node has several types, or a property is damaged.
    """
    documents = list(documents)
    concepts = merge_concepts(_concept(node) for document in documents for node in _nodes(document))
    relations = merge_relations(_relation(each, doc) for doc in documents for each in doc.relationships)
    return KnowledgeGraph(concepts, relations)


def to_graph_documents(graph: KnowledgeGraph, graph_document: type[Model]) -> list[Model]:
    """Give a document for each source with its relations, and last one for what has no source.

    Parameters
    ----------
    graph_document
        Class GraphDocument of the package that is to take them, such as langchain-neo4j: each has its own.

    Raises
    ------
    pydantic.ValidationError
        If `graph_document` is not of that shape.
    """
    by_source: dict[str, list[Relation]] = {}
    for relation in graph.relations:
        for source in relation.sources or ("",):
            by_source.setdefault(source, []).append(relation)
    related = {end for relation in graph.relations for end in (relation.head, relation.tail)}
    alone = [id_ for id_ in graph.concept_ids if id_ not in related]
    unsourced = by_source.pop("", [])
    documents = [_document(graph, source, relations, ()) for source, relations in by_source.items()]
    if unsourced or alone:
        documents.append(_document(graph, "", unsourced, alone))
    return [graph_document.model_validate(document) for document in documents]


def _nodes(document: GraphDocumentLike) -> Iterator[Node]:
    yield from document.nodes
    for relationship in document.relationships:
        yield relationship.source
        yield relationship.target


def _concept(node: Node) -> Concept:
    return concept_of(str(node.id), node.properties, type_=node.type)


def _relation(relationship: Relationship, document: GraphDocumentLike) -> Relation:
    head, tail = str(relationship.source.id), str(relationship.target.id)
    source = _source(document.source)
    return relation_of(head, relationship.type, tail, relationship.properties, source=source)


def _source(document: Document | None) -> str:
    if document is None:
        return ""
    return str(document.id or document.metadata.get("id") or document.metadata.get("source") or "")


def _document(
    graph: KnowledgeGraph, source: str, relations: Sequence[Relation], others: Sequence[str]
) -> Mapping[str, Any]:
    ends = (end for relation in relations for end in (relation.head, relation.tail))
    nodes = {id_: _node(graph.concepts[id_]) for id_ in dict.fromkeys([*ends, *others])}
    relationships = [
        {
            "source": nodes[relation.head],
            "target": nodes[relation.tail],
            "type": relation.type,
            "properties": relation_attributes(relation),
        }
        for relation in relations
    ]
    document = Document(id=source or None, page_content="", metadata={"id": source} if source else {})
    return {"nodes": list(nodes.values()), "relationships": relationships, "source": document}


def _node(concept: Concept) -> dict[str, Any]:
    return {"id": concept.id, "type": concept.type, "properties": concept_attributes(concept)}
