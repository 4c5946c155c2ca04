"""A vector store made of texts, and how near what it finds is said to be."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from langchain_core.documents import Document
from zeroshot_core import Concept, InvalidInputError, Item, KnowledgeGraph, Retriever, VectorIndex
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.index import IndexParams

from langchain_zeroshot import ZeroShotEmbeddings, ZeroShotRetriever, ZeroShotVectorStore

ENCODER = HashEncoder(64)
EMBEDDINGS = ZeroShotEmbeddings(ENCODER)
WINE = Document(id="w", page_content="dry red wine", metadata={"price": 9.0})
SHOP = [
    WINE,
    Document(id="b", page_content="dry red beer", metadata={"price": 3.0}),
    Document(id="c", page_content="chicken pate for cats", metadata={"price": 1.5}),
]


@pytest.mark.parametrize("metric", ["COSINE", "IP", "L2"])
def test_relevance_rises_with_similarity_whatever_the_metric(tmp_path: Path, metric: str) -> None:
    with VectorIndex.connect(tmp_path / "shop.db", params=IndexParams(metric=metric)) as index:
        index.activate(index.build([Item(id=d.id, text=d.page_content) for d in SHOP], ENCODER))
        store = ZeroShotVectorStore(Retriever(index.open(fingerprint=ENCODER.fingerprint), ENCODER))
        found = store.similarity_search_with_relevance_scores("dry red wine", k=3)
        cosines = ENCODER.encode(["dry red wine"]) @ ENCODER.encode([d.page_content for d in SHOP]).T
        assert [d.id for d, _ in found] == ["w", "b", "c"]
        assert [score for _, score in found] == pytest.approx(((1 + cosines[0]) / 2).tolist(), abs=1e-5)


def test_a_threshold_keeps_the_best_and_drops_the_rest() -> None:
    store = ZeroShotVectorStore.from_documents(SHOP, EMBEDDINGS)
    near = {"k": 3, "score_threshold": 0.9}
    retriever = store.as_retriever(search_type="similarity_score_threshold", search_kwargs=near)
    assert retriever.invoke("dry red wine") == asyncio.run(retriever.ainvoke("dry red wine")) == [WINE]


def test_a_store_of_texts_searches_by_values_as_by_expressions() -> None:
    store = ZeroShotVectorStore.from_texts(
        [d.page_content for d in SHOP], EMBEDDINGS, [d.metadata for d in SHOP], ids=[d.id for d in SHOP]
    )
    cheap = {"price": {"$lt": 5}}
    for search in (
        lambda: store.similarity_search("wine", filter=cheap),
        lambda: store.similarity_search("wine", expr='metadata["price"] < 5'),
        lambda: store.as_retriever(search_kwargs={"filter": cheap}).invoke("wine"),
        lambda: store.max_marginal_relevance_search("wine", filter=cheap),
    ):
        assert {document.id for document in search()} == {"b", "c"}
    both = store.similarity_search("wine", filter=cheap, expr='metadata["price"] > 2')
    assert [document.id for document in both] == ["b"]


def test_texts_are_added_to_the_index_that_is_there_and_its_model_finds_them(tmp_path: Path) -> None:
    uri, graph = str(tmp_path / "shop.db"), KnowledgeGraph([Concept(id="drink", name="drinks")], [])
    linked = [{"concepts": ["drink"]}]
    for text in ("dry red wine", "pale ale"):
        store = ZeroShotVectorStore.from_texts([text], EMBEDDINGS, linked, ids=[text], graph=graph, uri=uri)
    assert [d.id for d in ZeroShotRetriever(store._retriever).invoke("ale")] == ["pale ale", "dry red wine"]
    with pytest.raises(InvalidInputError, match="graph"):
        ZeroShotVectorStore.from_texts(["x"], EMBEDDINGS, graph=KnowledgeGraph(), uri=uri)


def test_what_a_new_store_does_not_know_is_told() -> None:
    with pytest.raises(InvalidInputError, match="did you mean 'embedding'"):
        ZeroShotVectorStore.from_texts(["a"], embeding=EMBEDDINGS)
    with pytest.raises(InvalidInputError, match="expected ids one for each of 2 texts, got 1"):
        ZeroShotVectorStore.from_texts(["a", "b"], EMBEDDINGS, ids=["1"])
    with pytest.raises(InvalidInputError, match="expected one Embeddings, got 'a name'"):
        ZeroShotVectorStore.from_texts(["a"], "a name")


def test_a_store_is_made_off_the_loop() -> None:
    store = asyncio.run(ZeroShotVectorStore.afrom_documents(SHOP, EMBEDDINGS))
    assert store.similarity_search("dry red wine", k=1) == [WINE]
