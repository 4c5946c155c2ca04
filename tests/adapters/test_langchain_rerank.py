"""Documents of any retriever, ranked as LlamaIndex's nodes are."""

from __future__ import annotations

import asyncio
import copy
import pickle
from pathlib import Path

import pytest
from langchain_core.documents import Document
from langchain_core.load import dumps, loads
from llama_index.core.schema import NodeWithScore, TextNode
from toy_shop import toy_products
from zeroshot_core import InvalidInputError

from langchain_zeroshot import ZeroShotReranker, ZeroShotRetriever
from llama_index_zeroshot import ZeroShotRerank

QUERY = "dry red wine from Sicily, small bottle"


@pytest.fixture
def documents() -> list[Document]:
    """What some other retriever has found, with ids of the index, of its own, and without any."""
    known = [
        Document(id=item.id, page_content=item.text, metadata={"page": 3, "authors": ["a"]})
        for item in toy_products()[0][::7]
    ]
    return [
        Document(page_content="red wine of another shop"),
        Document(id="d", page_content="a ball"),
        *known,
    ]


def test_documents_get_the_scores_of_the_retriever(saved_model: Path, documents: list[Document]) -> None:
    before = copy.deepcopy(documents)
    ranked = ZeroShotReranker(saved_model, top_n=50).compress_documents(documents, QUERY)
    scores = [document.metadata["zeroshot_score"] for document in ranked]
    found = {d.id: d for d in ZeroShotRetriever(saved_model, k=60).invoke(QUERY)}
    assert scores == sorted(scores, reverse=True)
    assert {document.page_content for document in ranked} == {d.page_content for d in documents}
    for document in ranked:
        if document.id in found:
            for added in ("zeroshot_score", "zeroshot_parts"):
                assert document.metadata[added] == pytest.approx(found[document.id].metadata[added], abs=1e-6)
            assert (document.metadata["page"], document.metadata["authors"]) == (3, ["a"])
    assert documents == before
    assert ranked[0].id == "red wine/Sicily/small"
    assert [d.id for d in ranked if d.page_content == "red wine of another shop"] == [None]


def test_both_frameworks_rank_alike(saved_model: Path, documents: list[Document]) -> None:
    named = [d for d in documents if d.id]
    nodes = [NodeWithScore(node=TextNode(id_=d.id, text=d.page_content)) for d in named]
    ranked = ZeroShotReranker(saved_model, top_k=4, graph_weight=0.5).compress_documents(named, QUERY)
    twin = ZeroShotRerank(saved_model, top_n=4, graph_weight=0.5).postprocess_nodes(nodes, query_str=QUERY)
    assert [d.id for d in ranked] == [n.node_id for n in twin]
    assert [d.metadata["zeroshot_score"] for d in ranked] == pytest.approx([n.score for n in twin])


@pytest.mark.filterwarnings("ignore:The function `loads` is in beta")
def test_it_waits_elsewhere_travels_and_says_what_is_wrong(
    saved_model: Path, documents: list[Document]
) -> None:
    reranker = ZeroShotReranker(saved_model, top_n=2)
    best = reranker.compress_documents(documents, QUERY)
    assert asyncio.run(reranker.acompress_documents(documents, QUERY)) == best
    assert reranker.compress_documents([], QUERY) == []
    loaded = loads(
        dumps(reranker), allowed_objects=[ZeroShotReranker], valid_namespaces=["langchain_zeroshot"]
    )
    for again in (loaded, pickle.loads(pickle.dumps(reranker))):
        assert again.compress_documents(documents, QUERY) == best
    with pytest.raises(InvalidInputError):
        reranker.compress_documents(documents, " ")
    with pytest.raises(ValueError, match="does not know 'topn'; did you mean 'top_n'"):
        ZeroShotReranker(saved_model, topn=1)
