"""Beside langchain-milvus: a retriever over a store that it made, and our items as one of its stores."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_milvus import Milvus
from langchain_tests.integration_tests import VectorStoreIntegrationTests
from milvus_targets import fresh_index
from zeroshot_core import InvalidInputError, Item, KnowledgeGraph, UnknownConceptError
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.retrieval import Retriever, similar_items

from langchain_zeroshot import ZeroShotEmbeddings, ZeroShotRetriever
from langchain_zeroshot.vector_store import ZeroShotVectorStore

KINDS = {"wine": "drinks", "beer": "drinks", "cat food": "pets"}
ENCODER = HashEncoder(64)
GRAPH = KnowledgeGraph.from_table(
    [{"kind": kind, "aisle": aisle} for kind, aisle in KINDS.items()],
    ["kind", "aisle"],
    edges=[("kind", "aisle")],
)
SHOP = [
    ("dry red wine", "wine", 9.0, "north"),
    ("a bottle of Chianti", "wine", 12.0, "south"),
    ("pale ale", "beer", 3.0, "south"),
    ("chicken pate for cats", "cat food", 1.5, "north"),
]
KEPT: dict[str, dict[str, Any]] = {
    "fields": {},
    "dynamic fields": {"enable_dynamic_field": True},
    "partition key": {"partition_key_field": "region"},
    "numbered rows": {"auto_id": True},
    "a JSON field": {"metadata_field": "about"},
    "other names, cosines": {
        "primary_field": "number",
        "text_field": "said",
        "vector_field": "embedding",
        "index_params": {"metric_type": "COSINE", "index_type": "FLAT", "params": {}},
    },
}


class Lengthy(Embeddings):
    """Embeddings of another library: not of unit length, and queries are not embedded as documents are."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return (3 * ENCODER.encode(texts)).tolist()

    def embed_query(self, text: str) -> list[float]:
        return ENCODER.encode([f"dry {text}"])[0].tolist()


@pytest.fixture
def make_store(uri: str) -> Iterator[Callable[..., Milvus]]:
    stores: list[Milvus] = []

    def make(embeddings: Embeddings | None = None, **options: Any) -> Milvus:
        store = Milvus(
            embeddings or ZeroShotEmbeddings(model=ENCODER),
            collection_name=f"theirs_{uuid.uuid4().hex[:8]}",
            connection_args={"uri": uri},
            **options,
        )
        stores.append(store)
        metadata = [{"kind": kind, "price": price, "region": region} for _, kind, price, region in SHOP]
        ids = None if options.get("auto_id") else [f"p{row}" for row in range(len(SHOP))]
        store.add_texts([text for text, *_ in SHOP], metadata, ids=ids)
        return store

    yield make
    for store in stores:
        store.drop()


def texts(documents: list[Document]) -> list[str]:
    return [document.page_content for document in documents]


@pytest.mark.parametrize("kept", KEPT)
def test_a_store_is_searched_by_vectors_and_graph_as_it_is(
    make_store: Callable[..., Milvus], kept: str
) -> None:
    store = make_store(**KEPT[kept])
    retriever = ZeroShotRetriever.from_milvus(store, GRAPH, concept_fields=["kind"], k=3, graph_weight=0.5)
    first, second, _ = retriever.invoke("red wine")
    assert (first.page_content, first.metadata["zeroshot_concepts"]) == ("dry red wine", ["kind:wine"])
    assert {"kind": "wine", "price": 9.0, "region": "north"}.items() <= first.metadata.items()
    # Only the graph knows that it is a wine.
    assert second.page_content == "a bottle of Chianti"
    assert second.metadata["zeroshot_path"].startswith("query -near-> kind:wine")
    assert set(texts(retriever.invoke("red wine", filter={"region": "south"}))) == {
        "a bottle of Chianti",
        "pale ale",
    }
    assert texts(retriever.invoke("wine", filter={"price": {"$lt": 3}}, graph_weight=0.0)) == [SHOP[3][0]]
    beers = {"$not": {"concepts": {"$contains": ["kind:wine", "kind:cat food"]}}}
    assert texts(retriever.invoke("ale", filter=beers)) == ["pale ale"]
    ours, theirs = retriever.invoke("red wine", graph_weight=0.0), store.similarity_search("red wine", k=3)
    assert texts(ours)[0] == texts(theirs)[0]
    assert ours[0].metadata["zeroshot_score"] == pytest.approx(
        float(ENCODER.encode([SHOP[0][0], "red wine"])[0] @ ENCODER.encode(["red wine"])[0]), abs=1e-5
    )


def test_only_the_partitions_of_the_store_are_searched(make_store: Callable[..., Milvus]) -> None:
    store = make_store()
    store.client.create_partition(store.collection_name, "new")
    row = {"pk": "n", "text": "dry white wine", "kind": "wine", "price": 7.0, "region": "north"}
    vector = ENCODER.encode([row["text"]])[0].tolist()
    store.client.insert(store.collection_name, [{**row, "vector": vector}], partition_name="new")
    store.partition_names = ["new"]
    retriever = ZeroShotRetriever.from_milvus(store, GRAPH, concept_fields=["kind"], k=3)
    assert texts(retriever.invoke("wine")) == ["dry white wine"]


def test_batches_and_other_uses_of_a_retriever_work_too(make_store: Callable[..., Milvus]) -> None:
    retriever = ZeroShotRetriever.from_milvus(make_store(), GRAPH, concept_fields=["kind"], k=2)
    found = retriever.batch(["red wine", "cats"])
    assert found == asyncio.run(retriever.abatch(["red wine", "cats"]))
    assert texts(retriever.invoke("red wine")) == texts(found[0])
    assert [hit.id for hit in similar_items(retriever.model, ["p0"], top_k=1)[0]] == ["p1"]


def test_a_store_of_our_items_over_it_is_refused(make_store: Callable[..., Milvus]) -> None:
    retriever = ZeroShotRetriever.from_milvus(make_store(), GRAPH, concept_fields=["kind"])
    with pytest.raises(
        InvalidInputError, match=r"VectorIndex\.build for a ZeroShotVectorStore, since it writ"
    ):
        ZeroShotVectorStore(retriever.model)


def test_several_concepts_may_be_listed_and_may_be_missing(make_store: Callable[..., Milvus]) -> None:
    store = make_store(enable_dynamic_field=True)
    store.add_texts(["a hamper"], [{"kind": ["wine", "beer"]}], ids=["h"])
    store.add_texts(["a voucher"], [{"price": 5.0}], ids=["v"])
    retriever = ZeroShotRetriever.from_milvus(store, GRAPH, concept_fields=["kind"])
    found = retriever.invoke("hamper", filter={"concepts": {"$contains": "kind:beer"}})
    assert {document.id: document.metadata["zeroshot_concepts"] for document in found} == {
        "h": ["kind:wine", "kind:beer"],
        "p2": ["kind:beer"],
    }
    (bare,) = [document for document in retriever.invoke("a voucher") if document.id == "v"]
    assert bare.metadata["zeroshot_concepts"] == []


def test_embeddings_of_another_library_tell_queries_from_documents(make_store: Callable[..., Milvus]) -> None:
    cosine = {"metric_type": "COSINE", "index_type": "FLAT", "params": {}}
    store = make_store(Lengthy(), index_params=cosine)
    best = ZeroShotRetriever.from_milvus(store, k=1).invoke("red wine")[0]
    assert best.metadata["zeroshot_score"] == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(
    ("embeddings", "options", "told"),
    [
        (Lengthy(), {}, "unit length .* index the field with COSINE"),
        (None, {"concept_fields": ["brand"]}, "expected a field of .*kind, price, region.* got 'brand'"),
    ],
)
def test_what_cannot_be_searched_is_refused(
    make_store: Callable[..., Milvus], embeddings: Any, options: dict[str, Any], told: str
) -> None:
    store = make_store(embeddings)
    with pytest.raises(InvalidInputError, match=told):
        ZeroShotRetriever.from_milvus(store, GRAPH, **options)


def test_embeddings_that_did_not_make_the_vectors_are_refused(
    uri: str, make_store: Callable[..., Milvus]
) -> None:
    name = make_store().collection_name
    other = Milvus(ZeroShotEmbeddings(model=HashEncoder(32)), name, connection_args={"uri": uri})
    with pytest.raises(InvalidInputError, match=r"encoder of dimension 64, .* got 32"):
        ZeroShotRetriever.from_milvus(other)


def test_a_store_without_a_collection_is_refused(uri: str) -> None:
    store = Milvus(ZeroShotEmbeddings(model=ENCODER), "nothing_here", connection_args={"uri": uri})
    with pytest.raises(InvalidInputError, match="existing collection, got 'nothing_here'; fill it first"):
        ZeroShotRetriever.from_milvus(store)


@pytest.fixture(scope="module")
def items_of(uri: str) -> Iterator[Callable[[list[Item]], Retriever]]:
    """A retriever over an index of our own that holds these items."""
    with fresh_index(uri) as index:
        index.activate(index.build([], ENCODER, GRAPH))
        version = index.open(fingerprint=ENCODER.fingerprint)

        def fill(items: list[Item]) -> Retriever:
            version.delete(version.all_ids())
            version.upsert(items, ENCODER)
            return Retriever(version, ENCODER, GRAPH)

        yield fill


@pytest.fixture
def ours(items_of: Callable[[list[Item]], Retriever]) -> ZeroShotVectorStore:
    shop = [
        Item(id=f"p{row}", text=text, concepts=(f"kind:{kind}",), metadata={"price": price})
        for row, (text, kind, price, _) in enumerate(SHOP)
    ]
    return ZeroShotVectorStore(items_of(shop))


def test_our_items_are_a_store_of_langchain_milvus(ours: ZeroShotVectorStore) -> None:
    assert isinstance(ours, Milvus)
    best, score = ours.similarity_search_with_score("dry red wine", k=1)[0]
    assert (best.id, best.page_content, score) == ("p0", "dry red wine", pytest.approx(1.0, abs=1e-5))
    assert best.metadata == {"price": 9.0, "zeroshot_concepts": ["kind:wine"]}
    assert texts(ours.similarity_search("wine", k=4, expr='metadata["price"] < 3')) == [SHOP[3][0]]
    assert len(ours.max_marginal_relevance_search("wine", k=2, fetch_k=4)) == 2
    assert texts(ours.as_retriever(search_kwargs={"k": 1}).invoke("pale ale")) == ["pale ale"]


def test_what_is_written_to_the_store_the_model_finds(ours: ZeroShotVectorStore) -> None:
    retriever = ZeroShotRetriever(model=ours._retriever, k=1)
    new = Document(id="p9", page_content="crunchy crickets", metadata={"concepts": ["kind:cat food"]})
    assert ours.add_documents([new]) == ["p9"]
    assert retriever.invoke("crunchy crickets")[0].metadata["zeroshot_concepts"] == ["kind:cat food"]
    ours.upsert(ids=["p9"], documents=[Document(page_content="stale crickets")])
    assert ours.get_by_ids(["p9", "p7"]) == [Document(id="p9", page_content="stale crickets")]
    assert ours.delete(expr='text == "stale crickets"')
    assert ours.get_by_ids(["p9"]) == []
    with pytest.raises((InvalidInputError, UnknownConceptError)):
        ours.add_texts(["a robot"], [{"concepts": ["kind:robot"]}])
    with pytest.raises(InvalidInputError, match="got 'languages' of type list; join it to a string"):
        ours.add_texts(["a robot"], [{"languages": ["en"]}], ids=["r"])
    assert ours.get_by_ids(["r"]) == []


def test_the_store_goes_on_in_a_second_event_loop(ours: ZeroShotVectorStore) -> None:
    for _ in range(2):
        assert texts(asyncio.run(ours.asimilarity_search("pale ale", k=1))) == ["pale ale"]


class TestOurVectorStore(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self, items_of: Callable[[list[Item]], Retriever]) -> ZeroShotVectorStore:
        return ZeroShotVectorStore(items_of([]))
