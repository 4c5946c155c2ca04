"""Retrieval over what LlamaIndex's own Milvus store holds; that package needs a client before pymilvus 3."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from llama_index.core import StorageContext, VectorStoreIndex
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores import FilterOperator, MetadataFilter, MetadataFilters
from toy_shop import KINDS, toy_products
from zeroshot_core import InvalidInputError, KnowledgeGraph
from zeroshot_core.encoders import HashEncoder

from llama_index_zeroshot import (
    ZeroShotEmbedding,
    ZeroShotPropertyGraphStore,
    ZeroShotRerank,
    ZeroShotRetriever,
)

milvus = pytest.importorskip("llama_index.vector_stores.milvus")

QUERY = "dry red wine from Sicily, small bottle"
EMBEDDING = ZeroShotEmbedding(model=HashEncoder(256))


@pytest.fixture(scope="module")
def graph() -> KnowledgeGraph:
    rows = [{"kind": kind, "aisle": aisle} for kind, (aisle, _, _) in KINDS.items()]
    return KnowledgeGraph.from_table(rows, ["kind", "aisle"], edges=[("kind", "aisle")])


@pytest.fixture(scope="module", params=["IP", "cosine", "L2"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A store that LlamaIndex has filled, under names that are not its defaults."""
    uri = str(tmp_path_factory.mktemp("store") / "llama.db")
    kept = milvus.MilvusVectorStore(
        uri=uri,
        dim=256,
        collection_name="products",
        embedding_field="meaning",
        similarity_metric=request.param,
        use_async_client=False,
    )
    VectorStoreIndex(
        nodes(), storage_context=StorageContext.from_defaults(vector_store=kept), embed_model=EMBEDDING
    )
    kept.client.flush("products")
    yield kept
    kept.client.close()


def nodes() -> list[TextNode]:
    made = []
    for item in toy_products()[0]:
        kind = item.concepts[0].removeprefix("kind:")
        node = TextNode(id_=item.id, text=item.text, metadata={**item.metadata, "kind": kind})
        node.relationships[NodeRelationship.SOURCE] = RelatedNodeInfo(node_id=f"catalogue of {kind}")
        made.append(node)
    return made


def test_without_the_graph_the_ranking_is_that_of_the_store(store: Any, graph: KnowledgeGraph) -> None:
    theirs = VectorStoreIndex.from_vector_store(store, embed_model=EMBEDDING).as_retriever(similarity_top_k=5)
    ours = ZeroShotRetriever.from_milvus(store, graph, embed_model=EMBEDDING, k=5, graph_weight=0.0)
    assert [node.node_id for node in ours.retrieve(QUERY)] == [n.node_id for n in theirs.retrieve(QUERY)]


def test_nodes_come_back_whole_with_the_path_over_the_graph(store: Any, graph: KnowledgeGraph) -> None:
    retriever = ZeroShotRetriever.from_milvus(
        store, graph, concept_fields=["kind"], embed_model=EMBEDDING, k=3
    )
    best = retriever.retrieve(QUERY)[0]
    assert (best.node_id, best.text) == ("red wine/Sicily/small", QUERY)
    assert best.node.ref_doc_id == "catalogue of red wine"
    assert best.metadata["zeroshot_concepts"] == ["kind:red wine"]
    assert best.metadata["zeroshot_parts"]["graph"] > 0
    assert best.metadata["zeroshot_path"] == "query -near-> kind:red wine <-kind- red wine/Sicily/small"
    assert not [key for key in best.metadata if key.startswith("_node")]


def test_the_graph_finds_what_the_words_do_not_say(store: Any, graph: KnowledgeGraph) -> None:
    def aisles(weight: float) -> list[str]:
        retriever = ZeroShotRetriever.from_milvus(
            store, graph, concept_fields=["kind"], embed_model=EMBEDDING, k=20, graph_weight=weight
        )
        return [node.metadata["aisle"] for node in retriever.retrieve("red wine for two")]

    assert aisles(1.0).count("drinks") == 20
    assert aisles(1.0).count("drinks") > aisles(0.0).count("drinks")


def test_filters_speak_of_the_metadata_of_the_store(store: Any, graph: KnowledgeGraph) -> None:
    filters = MetadataFilters(
        filters=[
            MetadataFilter(key="size", value="large"),
            MetadataFilter(key="rank", value=2, operator=FilterOperator.GTE),
        ]
    )
    retriever = ZeroShotRetriever.from_milvus(
        store, graph, concept_fields=["kind"], embed_model=EMBEDDING, k=50, filter=filters
    )
    found = [node.metadata for node in retriever.retrieve(QUERY)]
    assert len(found) == 18
    assert all(metadata["size"] == "large" and metadata["rank"] >= 2 for metadata in found)


async def test_it_serves_async_and_as_a_reranker_of_the_stores_own_retriever(
    store: Any, graph: KnowledgeGraph
) -> None:
    retriever = ZeroShotRetriever.from_milvus(
        store, graph, concept_fields=["kind"], embed_model=EMBEDDING, k=5
    )
    assert await retriever.aretrieve(QUERY) == retriever.retrieve(QUERY)
    theirs = VectorStoreIndex.from_vector_store(store, embed_model=EMBEDDING).as_retriever(
        similarity_top_k=60
    )
    ranked = ZeroShotRerank(model=retriever.model, top_n=5).postprocess_nodes(
        theirs.retrieve(QUERY), query_str=QUERY
    )
    assert [n.node_id for n in ranked] == [n.node_id for n in retriever.retrieve(QUERY)]


def test_the_graph_beside_the_store_is_a_property_graph(store: Any, graph: KnowledgeGraph) -> None:
    retriever = ZeroShotRetriever.from_milvus(store, graph, concept_fields=["kind"], embed_model=EMBEDDING)
    facts = ZeroShotPropertyGraphStore(retriever.model)
    triplets = facts.get_triplets(entity_names=["red wine"])
    assert [(head.id, relation.label, tail.id) for head, relation, tail in triplets] == [
        ("kind:red wine", "aisle", "aisle:drinks")
    ]


def test_an_embedding_of_another_dimension_is_refused(store: Any) -> None:
    with pytest.raises(InvalidInputError, match="expected an encoder of dimension 256"):
        ZeroShotRetriever.from_milvus(store, embed_model=MockEmbedding(embed_dim=8))
