"""A user's own metadata stay theirs, and one item found by several queries is one."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.load import dumpd
from llama_index.core.llms import MockLLM
from llama_index.core.retrievers import QueryFusionRetriever
from llama_index.core.schema import ImageNode, IndexNode, NodeWithScore, TextNode
from zeroshot_core import Item, KnowledgeGraph, Retriever, VectorIndex
from zeroshot_core.encoders import HashEncoder

import langchain_zeroshot as langchain
import llama_index_zeroshot as llama_index

OWN = {"path": "docs/wine.md", "score": 7, "parts": "A", "concepts": "of the shop"}
TEXTS = ["dry red wine", "sweet red wine", "chicken pate for cats", "crunchy biscuits for dogs"]
QUERIES = ["dry red wine", "a sweet wine", "something for cats"]


@pytest.fixture(scope="module")
def retriever(tmp_path_factory: pytest.TempPathFactory) -> Any:
    graph = KnowledgeGraph.from_table([{"kind": "wine"}, {"kind": "food"}], ["kind"])
    kinds = ["wine", "wine", "food", "food"]
    items = [
        Item(id=text, text=text, concepts=(f"kind:{kind}",), metadata=OWN)
        for text, kind in zip(TEXTS, kinds, strict=True)
    ]
    encoder = HashEncoder(64)
    with VectorIndex.connect(tmp_path_factory.mktemp("own") / "shop.db") as index:
        index.activate(index.build(items, encoder, graph))
        yield Retriever(index.open(fingerprint=encoder.fingerprint), encoder, graph, top_k=4)


def own(metadata: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in metadata.items() if not key.startswith("zeroshot_")}


def test_what_is_found_has_its_own_metadata_beside_ours(retriever: Retriever) -> None:
    (document, *_), (node, *_) = (
        langchain.ZeroShotRetriever(retriever).invoke(QUERIES[0]),
        llama_index.ZeroShotRetriever(retriever).retrieve(QUERIES[0]),
    )
    for metadata in (document.metadata, node.metadata):
        assert own(metadata) == OWN
        assert metadata["zeroshot_concepts"] == ["kind:wine"]


def test_what_is_written_keeps_its_own_metadata(retriever: Retriever) -> None:
    store = langchain.ZeroShotVectorStore.from_texts(["rye"], langchain.ZeroShotEmbeddings(HashEncoder(16)))
    rye = Document(id="r", page_content="rye loaf", metadata=OWN)
    store.add_documents([rye])
    assert store.get_by_ids(["r"]) == store.similarity_search("rye loaf", k=1) == [rye]


def test_what_was_found_is_written_again_with_its_links(retriever: Retriever) -> None:
    (found, *_) = langchain.ZeroShotRetriever(retriever).invoke(QUERIES[0])
    node = llama_index.ZeroShotRetriever(retriever).retrieve(QUERIES[0])[0].node
    (item,) = llama_index.from_nodes([node])
    assert (item.concepts, item.metadata) == (("kind:wine",), OWN)
    store = langchain.ZeroShotVectorStore(retriever)
    store.add_documents([found])
    (again,) = store.get_by_ids([str(found.id)])
    assert again.metadata == {**OWN, "zeroshot_concepts": ["kind:wine"]}


def test_nodes_that_are_ranked_keep_their_own_metadata(retriever: Retriever) -> None:
    rerank = llama_index.ZeroShotRerank(retriever)
    given = [NodeWithScore(node=kind(id_="z", text="wine", metadata=OWN)) for kind in (TextNode, ImageNode)]
    given.append(NodeWithScore(node=IndexNode(id_="i", text="wine", index_id="i", metadata=OWN)))
    for node in rerank.postprocess_nodes(given, query_str="wine"):
        assert own(node.metadata) == OWN
    assert all(node.metadata == OWN for node in given)


def test_documents_of_one_item_are_one_for_whoever_unites_those_of_several_queries(
    retriever: Retriever,
) -> None:
    rows = langchain.ZeroShotRetriever(retriever).batch(QUERIES)
    documents = [document for row in rows for document in row]
    # As MultiQueryRetriever does.
    unique = [document for row, document in enumerate(documents) if document not in documents[:row]]
    assert len(documents) == 12
    assert [document.id for document in unique] == [document.id for document in rows[0]]
    first = unique[0]
    for same in (copy.deepcopy(first), pickle.loads(pickle.dumps(first)), Document(**first.model_dump())):
        assert first == same
        assert same == first
        assert same.metadata["zeroshot_score"] == first.metadata["zeroshot_score"]
    assert json.loads(json.dumps(dumpd(first)))["kwargs"]["metadata"] == dict(first.metadata)
    assert first != Document(id=first.id, page_content=first.page_content, metadata=OWN | {"score": 8})


def test_nodes_of_one_item_are_fused(retriever: Retriever) -> None:
    by_graph, by_text = (llama_index.ZeroShotRetriever(retriever, graph_weight=weight) for weight in (1, 0))
    fusion = QueryFusionRetriever(
        [by_graph, by_text],
        llm=MockLLM(),
        mode="reciprocal_rerank",
        num_queries=1,
        use_async=False,
        similarity_top_k=20,
    )
    nodes = fusion.retrieve(QUERIES[1])
    ranks = [[node.node_id for node in each.retrieve(QUERIES[1])] for each in (by_graph, by_text)]
    assert sorted(node.node_id for node in nodes) == sorted(TEXTS)
    for node in nodes:
        expected = sum(1 / (row.index(node.node_id) + 60) for row in ranks)
        assert node.score == pytest.approx(expected)


def test_nodes_of_one_item_are_equal_and_hash_as_the_item_does(retriever: Retriever) -> None:
    found = llama_index.ZeroShotRetriever(retriever)
    one, other = (
        next(each.node for each in found.retrieve(query) if each.node_id == TEXTS[0]) for query in QUERIES[:2]
    )
    assert one.metadata != other.metadata
    assert one == other
    assert one.hash == other.hash == TextNode(id_=one.id_, text=TEXTS[0], metadata=OWN).hash
    assert isinstance(one, TextNode)
    assert copy.deepcopy(one) == one
    sent = pickle.loads(pickle.dumps(one))
    assert (type(sent), sent.metadata) == (TextNode, one.metadata)
    assert TextNode.from_json(one.to_json()).metadata == one.metadata
    one.metadata["path"] = "elsewhere"
    assert one != other
    assert one.hash != other.hash


def test_a_language_model_reads_the_path_and_no_numbers(retriever: Retriever, tmp_path: Path) -> None:
    node = llama_index.ZeroShotRetriever(retriever).retrieve(QUERIES[0])[0].node
    for said in ("zeroshot_path: query", "path: docs/wine.md", "score: 7"):
        assert said in node.get_content("llm")
    for left_out in ("zeroshot_score", "zeroshot_parts"):
        assert left_out not in node.get_content("llm")
    assert "zeroshot" not in node.get_content("embed")
