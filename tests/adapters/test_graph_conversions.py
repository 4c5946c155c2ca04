"""Knowledge graphs go to the frameworks' own graphs and come back the same."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.load.serializable import Serializable
from llama_index.core.graph_stores import SimplePropertyGraphStore
from llama_index.core.graph_stores.types import ChunkNode, EntityNode, LabelledPropertyGraph
from llama_index.core.graph_stores.types import Relation as Triplet
from pydantic import Field
from zeroshot_core import Concept, InvalidInputError, KnowledgeGraph, Relation

from langchain_zeroshot import from_graph_documents, to_graph_documents
from llama_index_zeroshot import from_entities, from_property_graph, to_entities, to_property_graph


class Node(Serializable):
    """The classes of langchain-neo4j field by field; that package needs a database driver."""

    id: str | int
    type: str = "Node"
    properties: dict[str, Any] = Field(default_factory=dict)


class Relationship(Serializable):
    source: Node
    target: Node
    type: str
    properties: dict[str, Any] = Field(default_factory=dict)


class GraphDocument(Serializable):
    nodes: list[Node]
    relationships: list[Relationship]
    source: Document | None = None


@pytest.fixture
def graph() -> KnowledgeGraph:
    concepts = [
        Concept(id="flu", name="Influenza", type="disease", synonyms=("grippe",), description="A virus."),
        Concept(id='7" plate', name="7 inch plate", type="thing"),
        Concept(id="fever", name="Fever", type="symptom"),
        Concept(id="alone", name="alone"),
    ]
    relations = [
        Relation(head="flu", type="has", tail="fever", weight=0.5, sources=("PMID:2", "PMID:1")),
        Relation(head="fever", type="seen with", tail='7" plate', sources=("PMID:1",)),
        Relation(head="flu", type="is_a", tail="fever"),
    ]
    return KnowledgeGraph(concepts, relations)


def test_graph_documents_round_trip_exactly(graph: KnowledgeGraph) -> None:
    documents = to_graph_documents(graph, GraphDocument)
    assert [document.source.id for document in documents] == ["PMID:2", "PMID:1", None]
    assert [len(document.relationships) for document in documents] == [1, 2, 1]
    assert from_graph_documents(documents) == graph


def test_property_graphs_round_trip_exactly(graph: KnowledgeGraph) -> None:
    assert from_property_graph(to_property_graph(graph)) == graph
    assert from_entities(*to_entities(graph)) == graph


def test_a_store_of_llama_index_takes_and_gives_the_graph(graph: KnowledgeGraph) -> None:
    entities, relations = to_entities(graph)
    store = SimplePropertyGraphStore()
    store.upsert_nodes(entities)
    store.upsert_relations(relations)
    assert from_property_graph(store.graph) == graph


def test_graph_documents_of_many_texts_are_united_and_left_as_they_are() -> None:
    anna, bob = Node(id="Anna", type="Person"), Node(id=7, type="Person", properties={"name": "Bob"})
    named = Node(id="Anna", type="Person", properties={"name": "Anna Z", "description": "A chemist."})
    documents = [
        GraphDocument(
            nodes=[anna],
            relationships=[Relationship(source=anna, target=bob, type="KNOWS", properties={"weight": 2})],
            source=Document(page_content="Anna knows Bob.", metadata={"source": "a.txt"}),
        ),
        GraphDocument(
            nodes=[named, bob],
            relationships=[Relationship(source=named, target=bob, type="KNOWS")],
            source=Document(page_content="Bob is known to Anna.", id="b"),
        ),
    ]
    before = copy.deepcopy(documents)
    graph = from_graph_documents(documents)
    assert list(graph.concepts.values()) == [
        Concept(id="Anna", name="Anna Z", type="Person", description="A chemist."),
        Concept(id="7", name="Bob", type="Person"),
    ]
    assert graph.relations == (
        Relation(head="Anna", type="KNOWS", tail="7", weight=2.0, sources=("a.txt", "b")),
    )
    assert documents == before


def test_entities_of_many_chunks_are_united_without_the_chunks() -> None:
    property_graph = LabelledPropertyGraph()
    chunk = ChunkNode(text="Anna knows Bob.", id_="chunk-1")
    for node in (EntityNode(name="Anna", label="Person"), EntityNode(name="Bob", label="Person"), chunk):
        property_graph.add_node(node)
    for label, target, properties in [
        ("KNOWS", "Bob", {"triplet_source_id": "chunk-1"}),
        ("MENTIONED_IN", "chunk-1", {}),
    ]:
        property_graph.add_relation(
            Triplet(label=label, source_id="Anna", target_id=target, properties=properties)
        )
    before = property_graph.model_copy(deep=True)
    graph = from_property_graph(property_graph)
    assert list(graph.concept_ids) == ["Anna", "Bob"]
    assert graph.relations == (Relation(head="Anna", type="KNOWS", tail="Bob", sources=("chunk-1",)),)
    assert property_graph == before


def test_a_node_of_two_types_is_refused_by_both() -> None:
    nodes = [Node(id="Anna", type="Person"), Node(id="Anna", type="Place")]
    with pytest.raises(InvalidInputError, match=r"one type.*'Anna' is of type 'Person' and of type 'Place'"):
        from_graph_documents([GraphDocument(nodes=nodes, relationships=[])])
    entities = [EntityNode(name="Anna", label="Person"), EntityNode(name="Anna", label="Place")]
    with pytest.raises(InvalidInputError, match="one type for each concept, got several for 1"):
        from_entities(entities, [])


def test_a_relation_to_an_unknown_entity_is_refused() -> None:
    relation = Triplet(label="KNOWS", source_id="Anna", target_id="Bob")
    with pytest.raises(InvalidInputError, match="ends at unknown concept 'Bob'"):
        from_entities([EntityNode(name="Anna")], [relation])


@pytest.mark.parametrize("ids", [('7" x', "7  x"), ("a", "b_r_c", "a_r_b", "c")])
def test_ids_that_llama_index_confuses_are_refused(ids: tuple[str, ...]) -> None:
    relations = [Relation(head=a, type="r", tail=b) for a, b in zip(ids[::2], ids[1::2], strict=True)]
    graph = KnowledgeGraph([Concept(id=id_, name=id_) for id_ in ids], relations)
    with pytest.raises(InvalidInputError, match="ids that LlamaIndex tells apart"):
        to_property_graph(graph)
