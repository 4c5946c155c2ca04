from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import PropertyGraphIndex
from llama_index.core.graph_stores.types import EntityNode
from llama_index.core.indices.property_graph import LLMSynonymRetriever, VectorContextRetriever
from llama_index.core.llms import MockLLM
from llama_index.core.llms.mock import CompletionResponse
from llama_index.core.vector_stores import MetadataFilters, VectorStoreQuery
from zeroshot_core import Concept, InvalidInputError, Item, KnowledgeGraph, Relation, Retriever, VectorIndex
from zeroshot_core.encoders import HashEncoder

from llama_index_zeroshot import ZeroShotEmbedding, ZeroShotPropertyGraphStore

REVIEW = "A review says that merlot is good with beef."


@pytest.fixture(scope="module")
def retriever(tmp_path_factory: pytest.TempPathFactory) -> Retriever:
    concepts = [
        Concept(id="w:merlot", name="Merlot", type="wine", synonyms=("Merlot noir",)),
        Concept(id="f:beef", name="Roast beef", type="food"),
        Concept(id="r:bordeaux", name="Bordeaux", type="region"),
        Concept(id="c:france", name="France", type="country"),
    ]
    relations = [
        Relation(head="w:merlot", type="goes_with", tail="f:beef", sources=("review",)),
        Relation(head="w:merlot", type="grown_in", tail="r:bordeaux"),
        Relation(head="r:bordeaux", type="part_of", tail="c:france"),
    ]
    graph, encoder = KnowledgeGraph(concepts, relations), HashEncoder(256)
    index = VectorIndex.connect(str(tmp_path_factory.mktemp("store") / "wine.db"))
    index.activate(index.build([Item(id="review", text=REVIEW, metadata={"stars": 5})], encoder, graph))
    return Retriever(index.open(fingerprint=encoder.fingerprint), encoder, graph)


@pytest.fixture
def store(retriever: Retriever) -> ZeroShotPropertyGraphStore:
    return ZeroShotPropertyGraphStore(retriever)


def facts(triplets: Any) -> list[tuple[str, str, str]]:
    return [(head.id, relation.label, tail.id) for head, relation, tail in triplets]


GOES = ("w:merlot", "goes_with", "f:beef")
GROWN = ("w:merlot", "grown_in", "r:bordeaux")
PART = ("r:bordeaux", "part_of", "c:france")


def test_entities_are_found_by_id_and_name_with_their_properties(store: ZeroShotPropertyGraphStore) -> None:
    (entity,) = store.get(ids=["MERLOT NOIR"])
    assert (entity.id, entity.label) == ("w:merlot", "wine")
    assert entity.properties == {"name": "Merlot", "synonyms": ["Merlot noir"]}
    assert [node.id for node in store.get(ids=["c:france", "nowhere"])] == ["c:france"]
    assert [node.id for node in store.get(properties={"name": "Bordeaux"})] == ["r:bordeaux"]
    assert store.get(ids=[]) == []


def test_triplets_are_found_by_entity_relation_and_property(store: ZeroShotPropertyGraphStore) -> None:
    assert facts(store.get_triplets(entity_names=["Merlot"])) == [GOES, GROWN]
    assert facts(store.get_triplets(ids=["r:bordeaux"], relation_names=["part_of"])) == [PART]
    assert facts(store.get_triplets(relation_names=["part_of"])) == [PART]
    assert facts(store.get_triplets(properties={"sources": ["review"]})) == [GOES]
    assert store.get_triplets() == []


def test_what_lies_around_comes_nearest_first(store: ZeroShotPropertyGraphStore) -> None:
    merlot = store.get(ids=["w:merlot"])
    assert facts(store.get_rel_map(merlot, depth=1)) == [GOES, GROWN]
    assert facts(store.get_rel_map(merlot, depth=2)) == [GOES, GROWN, PART]
    assert facts(store.get_rel_map(merlot, depth=2, limit=1)) == [GOES]
    assert facts(store.get_rel_map(merlot, depth=2, ignore_rels=["goes_with"])) == [GROWN, PART]


def test_the_vectors_of_the_index_answer_vector_queries(store: ZeroShotPropertyGraphStore) -> None:
    vector = HashEncoder(256).encode(["roast beef"], role="query")[0].tolist()
    nodes, scores = store.vector_query(VectorStoreQuery(query_embedding=vector, similarity_top_k=2))
    assert nodes[0].id == "f:beef"
    assert scores == sorted(scores, reverse=True)
    assert store.vector_query(VectorStoreQuery(query_str="roast beef", similarity_top_k=2)) == (nodes, scores)
    with pytest.raises(InvalidInputError, match="without filters"):
        store.vector_query(VectorStoreQuery(query_str="beef", filters=MetadataFilters(filters=[])))


def test_an_index_of_llama_index_stands_on_it_and_cites_indexed_texts(retriever: Retriever) -> None:
    index = PropertyGraphIndex.from_existing(
        ZeroShotPropertyGraphStore(retriever),
        embed_model=ZeroShotEmbedding(model=retriever),
        llm=MockLLM(),
        kg_extractors=[],
    )
    search = VectorContextRetriever(
        index.property_graph_store, embed_model=ZeroShotEmbedding(model=retriever), similarity_top_k=1
    )
    (node,) = search.retrieve("what goes with roast beef")
    assert node.score > 0.5
    assert "w:merlot -> goes_with -> f:beef" in node.text
    assert REVIEW in node.text
    assert asyncio.run(search.aretrieve("what goes with roast beef"))[0].text == node.text
    bare = index.as_retriever(include_text=False, similarity_top_k=1)
    assert "w:merlot -> goes_with -> f:beef" in [found.text for found in bare.retrieve("roast beef")]


def test_synonyms_of_a_language_model_are_found_by_name(store: ZeroShotPropertyGraphStore) -> None:
    class Names(MockLLM):
        def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
            return CompletionResponse(text="merlot noir^no such wine")

    search = LLMSynonymRetriever(store, llm=Names(), include_text=False)
    assert [node.text for node in search.retrieve("red wines")] == [" -> ".join(GOES), " -> ".join(GROWN)]


@pytest.mark.parametrize(
    "write",
    [
        lambda store: store.upsert_nodes([EntityNode(name="new")]),
        lambda store: store.upsert_relations([]),
        lambda store: store.delete(ids=["w:merlot"]),
        lambda store: store.structured_query("MATCH (n) RETURN n"),
        lambda store: asyncio.run(store.adelete(ids=["w:merlot"])),
    ],
)
def test_writes_are_refused_with_what_to_do_instead(
    store: ZeroShotPropertyGraphStore, write: Callable[[Any], Any]
) -> None:
    with pytest.raises(InvalidInputError, match=r"expected a read.*extend it with ZeroShotGraphBuilder"):
        write(store)
    assert len(store.get(ids=["w:merlot"])) == 1


def test_a_saved_model_lends_its_graph_and_the_loop_keeps_turning(
    saved_model: Path, ticks_during: Any
) -> None:
    store = ZeroShotPropertyGraphStore(saved_model)
    assert facts(store.get_triplets(ids=["kind:pasta"])) == [("kind:pasta", "aisle", "aisle:pantry")]
    version = store._handle.retriever.version
    assert ticks_during(version, "relations_of", lambda: store.aget_triplets(ids=["kind:pasta"])) >= 5
    assert (
        ticks_during(
            version, "search_concepts", lambda: store.avector_query(VectorStoreQuery(query_str="tea"))
        )
        >= 5
    )
