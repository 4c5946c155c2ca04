from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.llms import MockLLM
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.schema import MetadataMode, QueryBundle
from llama_index.core.vector_stores import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    SimpleVectorStore,
)
from zeroshot_core import InvalidInputError
from zeroshot_core.index import Condition
from zeroshot_core.serving.loading import open_retriever

from llama_index_zeroshot import ZeroShotEmbedding, ZeroShotRetriever


def where(key: str, operator: FilterOperator, value: Any) -> MetadataFilter:
    return MetadataFilter(key=key, operator=operator, value=value)


def test_nodes_carry_score_parts_path_and_concepts(saved_model: Path) -> None:
    best = ZeroShotRetriever(saved_model, k=4).retrieve("dry red wine from Sicily, small bottle")[0]
    assert best.node_id == "red wine/Sicily/small"
    assert best.text == "dry red wine from Sicily, small bottle"
    assert best.score == best.metadata["zeroshot_score"]
    assert best.metadata["aisle"] == "drinks"
    assert best.metadata["zeroshot_concepts"] == ["kind:red wine"]
    assert set(best.metadata["zeroshot_parts"]) <= {"vector", "graph"}
    assert "score" not in best.node.get_content(MetadataMode.LLM)


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        (
            MetadataFilters(
                filters=[where("size", FilterOperator.EQ, "large"), where("rank", FilterOperator.GT, 1)]
            ),
            lambda m: m["size"] == "large" and m["rank"] > 1,
        ),
        (
            MetadataFilters(
                filters=[where("aisle", FilterOperator.EQ, "pets"), where("rank", FilterOperator.LTE, 0)],
                condition=FilterCondition.OR,
            ),
            lambda m: m["aisle"] == "pets" or m["rank"] <= 0,
        ),
        (
            MetadataFilters(
                filters=[
                    where("aisle", FilterOperator.IN, ["pets", "drinks"]),
                    where("rank", FilterOperator.GTE, 3),
                ],
                condition=FilterCondition.NOT,
            ),
            lambda m: m["aisle"] not in {"pets", "drinks"} and m["rank"] < 3,
        ),
        (
            MetadataFilters(
                filters=[
                    where("aisle", FilterOperator.NE, "pets"),
                    MetadataFilters(filters=[where("rank", FilterOperator.NIN, [0, 1])]),
                ]
            ),
            lambda m: m["aisle"] != "pets" and m["rank"] not in {0, 1},
        ),
        (
            MetadataFilters(filters=[where("concepts", FilterOperator.ANY, ["kind:pasta", "kind:red wine"])]),
            lambda m: m["zeroshot_concepts"][0] in {"kind:pasta", "kind:red wine"},
        ),
        (
            MetadataFilters(filters=[where("concepts", FilterOperator.ALL, ["kind:pasta"])]),
            lambda m: m["zeroshot_concepts"] == ["kind:pasta"],
        ),
        (Condition("aisle", "==", "pets"), lambda m: m["aisle"] == "pets"),
    ],
)
def test_filters_keep_what_they_say(saved_model: Path, filter: Any, expected: Any) -> None:
    found = ZeroShotRetriever(saved_model, k=60, graph_weight=0.0, filter=filter).retrieve("dry red wine")
    matching = ZeroShotRetriever(saved_model, k=60, graph_weight=0.0).retrieve("dry red wine")
    assert {node.node_id for node in found} == {n.node_id for n in matching if expected(n.metadata)}


def test_a_filter_without_a_counterpart_is_refused_at_once(saved_model: Path) -> None:
    filters = MetadataFilters(filters=[where("text", FilterOperator.TEXT_MATCH, "wine")])
    with pytest.raises(InvalidInputError, match=r"expected one of \$eq.* got '\$text_match'"):
        ZeroShotRetriever(saved_model, filter=filters)


def test_async_finds_the_same_in_two_loops(saved_model: Path) -> None:
    retriever = ZeroShotRetriever(saved_model, k=4)
    found = retriever.retrieve("dry red wine")
    for _ in range(2):
        assert asyncio.run(retriever.aretrieve("dry red wine")) == found


def test_the_loop_keeps_turning_while_it_searches(saved_model: Path, ticks_during: Any) -> None:
    retriever = ZeroShotRetriever(saved_model, k=4)
    assert ticks_during(open_retriever(saved_model), "retrieve", lambda: retriever.aretrieve("wine")) >= 5


def test_feeds_a_retriever_query_engine(saved_model: Path) -> None:
    engine = RetrieverQueryEngine.from_args(ZeroShotRetriever(saved_model, k=2), llm=MockLLM())
    response = engine.query("dry red wine from Sicily, small bottle")
    assert response.source_nodes[0].node_id == "red wine/Sicily/small"
    assert "dry red wine from Sicily" in str(response)


def test_the_embedding_of_a_query_is_searched_with(saved_model: Path) -> None:
    retriever = ZeroShotRetriever(saved_model, k=3, graph_weight=0.0)
    vector = ZeroShotEmbedding(model=saved_model).get_query_embedding("crunchy biscuits for dogs")
    asked = QueryBundle("dry red wine", embedding=vector)
    assert retriever.retrieve(asked)[0].metadata["zeroshot_concepts"] == ["kind:dog treats"]
    assert retriever.retrieve(QueryBundle("dry red wine"))[0].metadata["zeroshot_concepts"] == [
        "kind:red wine"
    ]
    with pytest.raises(InvalidInputError, match="query vector of 256 dimensions, got 3"):
        retriever.retrieve(QueryBundle("dry red wine", embedding=[0.0, 1.0, 0.0]))


def test_a_query_told_in_several_texts_is_searched_with_all_of_them(saved_model: Path) -> None:
    retriever = ZeroShotRetriever(saved_model, k=60, graph_weight=0.0)
    told = QueryBundle("a drink", custom_embedding_strs=["dry red wine", "sparkling lemonade"])
    found = {node.node_id: node.score for node in retriever.retrieve(told)}
    alone = {node.node_id: node.score for node in retriever.retrieve("dry red wine")}
    assert found["lemonade/Sicily/small"] > alone["lemonade/Sicily/small"] + 0.1
    assert told.embedding is None


def test_a_store_that_is_not_of_milvus_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="expected a MilvusVectorStore, got a SimpleVectorStore"):
        ZeroShotRetriever.from_milvus(SimpleVectorStore())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"k": 0}, "expected k as a whole number of at least 1, got 0"),
        ({"k": True}, "expected k as a whole number of at least 1, got True"),
        ({"graph_weight": 1.5}, "expected graph_weight as a number from 0 to 1, got 1.5"),
    ],
)
def test_a_number_out_of_range_is_refused_at_once(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidInputError, match=problem):
        ZeroShotRetriever("a folder", **options)
