from __future__ import annotations

import asyncio
import copy
import pickle
from pathlib import Path

import pytest
from llama_index.core import VectorStoreIndex
from llama_index.core.llms import MockLLM
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from toy_shop import toy_products
from zeroshot_core import InvalidInputError

from llama_index_zeroshot import ZeroShotEmbedding, ZeroShotRerank, ZeroShotRetriever

QUERY = "dry red wine from Sicily, small bottle"


@pytest.fixture
def nodes() -> list[NodeWithScore]:
    """What some other retriever has found, with ids of the index and of its own."""
    known = [TextNode(id_=item.id, text=item.text, metadata={"page": 3}) for item in toy_products()[0][::7]]
    strangers = [TextNode(text="red wine of another shop"), TextNode(text="a ball for dogs")]
    return [NodeWithScore(node=node, score=0.1) for node in [*strangers, *known]]


def test_indexed_nodes_get_the_scores_of_the_retriever(saved_model: Path, nodes: list[NodeWithScore]) -> None:
    ranked = ZeroShotRerank(model=saved_model, top_n=50).postprocess_nodes(nodes, query_str=QUERY)
    found = {n.node_id: n for n in ZeroShotRetriever(saved_model, k=60).retrieve(QUERY)}
    assert len(ranked) == len(nodes)
    assert [n.score for n in ranked] == sorted((n.score for n in ranked), reverse=True)
    for node in ranked:
        if node.node_id in found:
            assert node.score == pytest.approx(found[node.node_id].score, abs=1e-6)
            assert node.metadata["zeroshot_path"] == found[node.node_id].metadata["zeroshot_path"]


def test_the_graph_decides_as_much_as_it_is_told_to(saved_model: Path, nodes: list[NodeWithScore]) -> None:
    def best(weight: float) -> list[str]:
        rerank = ZeroShotRerank(model=saved_model, top_n=4, graph_weight=weight)
        return [
            node.metadata["zeroshot_concepts"][0]
            for node in rerank.postprocess_nodes(nodes, query_str="red wine")
        ]

    assert best(1.0) == ["kind:red wine"] * 3 + ["kind:lemonade"]


def test_the_nodes_given_stay_as_they_are(saved_model: Path, nodes: list[NodeWithScore]) -> None:
    before = copy.deepcopy(nodes)
    ranked = ZeroShotRerank(model=saved_model).postprocess_nodes(nodes, query_bundle=QueryBundle(QUERY))
    assert nodes == before
    page = next(node for node in ranked if "/" in node.node_id)
    assert page.metadata["page"] == 3
    assert page.text == next(node.text for node in nodes if node.node_id == page.node_id)


def test_it_stands_in_a_query_engine_over_any_retriever(
    saved_model: Path, nodes: list[NodeWithScore]
) -> None:
    index = VectorStoreIndex([n.node for n in nodes], embed_model=ZeroShotEmbedding(model=saved_model))
    engine = RetrieverQueryEngine.from_args(
        index.as_retriever(similarity_top_k=8),
        llm=MockLLM(),
        node_postprocessors=[ZeroShotRerank(model=saved_model, top_n=2)],
    )
    response = engine.query(QUERY)
    assert response.source_nodes[0].node_id == "red wine/Sicily/small"
    assert len(response.source_nodes) == 2
    later = asyncio.run(engine.aquery(QUERY))
    assert [n.score for n in later.source_nodes] == [n.score for n in response.source_nodes]


def test_nothing_stays_nothing_and_a_query_is_needed(saved_model: Path, nodes: list[NodeWithScore]) -> None:
    rerank = ZeroShotRerank(model=saved_model)
    assert rerank.postprocess_nodes([], query_str=QUERY) == []
    with pytest.raises(InvalidInputError, match="expected a query to rank by"):
        rerank.postprocess_nodes(nodes)


def test_it_is_serialised_without_credentials_and_travels_without_the_model(saved_model: Path) -> None:
    rerank = ZeroShotRerank(model=str(saved_model), top_n=3, token="hush")
    assert "hush" not in rerank.to_json() + repr(rerank)
    assert ZeroShotRerank.from_json(rerank.to_json()).top_n == 3
    rerank = ZeroShotRerank(model=str(saved_model))
    ranked = rerank.postprocess_nodes([NodeWithScore(node=TextNode(text="wine"))], query_str=QUERY)
    packed = pickle.dumps(rerank)
    assert len(packed) < 5000
    again = pickle.loads(packed).postprocess_nodes([NodeWithScore(node=ranked[0].node)], query_str=QUERY)
    assert again[0].score == pytest.approx(ranked[0].score, abs=1e-6)
