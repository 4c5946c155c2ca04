"""Knowledge graphs from LangChain's GraphDocuments, and back; and from what a chat model reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel
from pydantic import BaseModel
from zeroshot_core.checks import known_arguments
from zeroshot_core.construction import GraphBuilder
from zeroshot_core.graph import KnowledgeGraph, records
from zeroshot_core.graph.sources import by_source
from zeroshot_core.types import Concept, Item, Relation

__all__ = ["ZeroShotGraphBuilder", "from_graph_documents", "to_graph_documents"]

Model = TypeVar("Model", bound=BaseModel)


class GraphDocumentLike(Protocol):
    """Shape of a graph document, such as those of langchain-neo4j and of LLMGraphTransformer.

    LangChain has no home for the classes that all graph packages share: nodes have `id`, `type` and
    `properties`, relationships `source`, `target`, `type` and `properties`.
    """

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
    concepts = records.merge_concepts(_concept(node) for document in documents for node in _nodes(document))
    relations = records.merge_relations(
        _relation(each, doc) for doc in documents for each in doc.relationships
    )
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
    return [graph_document.model_validate(_document(graph, *part)) for part in by_source(graph)]


@known_arguments
class ZeroShotGraphBuilder(GraphBuilder[BaseChatModel, Document]):
    """Knowledge graph of what a chat model with structured output reads in texts; see `GraphBuilder`."""

    def _answers(self, prompts: list[str], schema: dict[str, Any]) -> list[Any]:
        # As a dictionary the schema guides the model, and one malformed triple does not cost its neighbours.
        chain = self.llm.with_structured_output(schema)
        return chain.batch([*prompts], {"max_concurrency": self.max_concurrency}, return_exceptions=True)

    def _source(self, document: Document) -> Item | str:
        text = document.page_content
        return text if document.id is None else Item(id=document.id, text=text)


def _nodes(document: GraphDocumentLike) -> Iterator[Any]:
    yield from document.nodes
    for relationship in document.relationships:
        yield relationship.source
        yield relationship.target


def _concept(node: Any) -> Concept:
    return records.concept_of(str(node.id), node.properties, type_=node.type)


def _relation(relationship: Any, document: GraphDocumentLike) -> Relation:
    said_in = document.source
    source = said_in and (said_in.id or said_in.metadata.get("id") or said_in.metadata.get("source"))
    head, tail = str(relationship.source.id), str(relationship.target.id)
    return records.relation_of(
        head, relationship.type, tail, relationship.properties, source=str(source or "")
    )


def _document(
    graph: KnowledgeGraph, source: str, relations: Sequence[Relation], ids: Sequence[str]
) -> dict[str, Any]:
    nodes = {id_: _node(graph.concepts[id_]) for id_ in ids}
    relationships = [
        {
            "source": nodes[relation.head],
            "target": nodes[relation.tail],
            "type": relation.type,
            "properties": records.relation_attributes(relation),
        }
        for relation in relations
    ]
    document = Document(id=source or None, page_content="", metadata={"id": source} if source else {})
    return {"nodes": list(nodes.values()), "relationships": relationships, "source": document}


def _node(concept: Concept) -> dict[str, Any]:
    return {"id": concept.id, "type": concept.type, "properties": records.concept_attributes(concept)}
