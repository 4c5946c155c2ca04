from __future__ import annotations

import asyncio
import copy
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.load import dumps, loads
from langchain_core.runnables import RunnableLambda
from zeroshot_core import InvalidInputError, ZeroShotClassifier
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.index import Condition
from zeroshot_core.serving.loading import open_retriever

from langchain_zeroshot import ZeroShotRetriever


class Events(BaseCallbackHandler):
    def __init__(self) -> None:
        self.seen: list[str] = []

    def on_retriever_start(self, serialized: Any, query: str, **kwargs: Any) -> None:
        self.seen.append(f"start {query}")

    def on_retriever_end(self, documents: list[Document], **kwargs: Any) -> None:
        self.seen.append(f"end {len(documents)}")

    def on_retriever_error(self, error: BaseException, **kwargs: Any) -> None:
        self.seen.append(f"error {type(error).__name__}")


def ids_and_scores(documents: list[Document]) -> dict[str, Any]:
    return {
        document.id: pytest.approx(document.metadata["zeroshot_score"], abs=1e-5) for document in documents
    }


@pytest.fixture
def retriever(saved_model: Path) -> ZeroShotRetriever:
    return ZeroShotRetriever(model=saved_model, k=4)


def test_documents_carry_score_parts_path_and_concepts(retriever: ZeroShotRetriever) -> None:
    best = retriever.invoke("dry red wine from Sicily, small bottle")[0]
    assert best.id == "red wine/Sicily/small"
    assert best.page_content == "dry red wine from Sicily, small bottle"
    assert best.metadata["aisle"] == "drinks"
    assert best.metadata["zeroshot_concepts"] == ["kind:red wine"]
    assert isinstance(best.metadata["zeroshot_score"], float)
    assert set(best.metadata["zeroshot_parts"]) <= {"vector", "graph"}
    assert isinstance(best.metadata["zeroshot_path"], str)


def test_what_a_model_learns_later_is_found_by_the_retriever_made_before() -> None:
    with closing(
        ZeroShotClassifier(HashEncoder(64)).fit(["red wine", "cat food"], ["wine", "food"])
    ) as model:
        retriever = ZeroShotRetriever(model=model, k=1)
        assert retriever.invoke("white wine from Rome")[0].page_content == "red wine"
        model.partial_fit(["white wine from Rome"], ["wine"])
        assert retriever.invoke("white wine from Rome")[0].page_content == "white wine from Rome"


def test_a_call_may_ask_for_another_k_filter_and_weight(retriever: ZeroShotRetriever) -> None:
    found = retriever.invoke("dry red wine", k=3, filter={"size": "large"}, graph_weight=0.0)
    assert len(found) == 3
    assert {document.metadata["size"] for document in found} == {"large"}
    assert (
        asyncio.run(retriever.ainvoke("dry red wine", k=3, filter={"size": "large"}, graph_weight=0.0))
        == found
    )


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        ({"size": "large", "aisle": "pets"}, lambda m: m["size"] == "large" and m["aisle"] == "pets"),
        ({"rank": {"$gt": 1, "$lte": 3}}, lambda m: 1 < m["rank"] <= 3),
        ({"aisle": {"$in": ["pets", "pantry"]}}, lambda m: m["aisle"] in {"pets", "pantry"}),
        ({"$or": [{"aisle": "pets"}, {"rank": 0}]}, lambda m: m["aisle"] == "pets" or m["rank"] == 0),
        ({"$not": {"aisle": "drinks"}}, lambda m: m["aisle"] != "drinks"),
        ({"aisle": {"$nin": ["drinks"]}}, lambda m: m["aisle"] != "drinks"),
        (Condition("aisle", "==", "pets"), lambda m: m["aisle"] == "pets"),
    ],
)
def test_filters_keep_what_they_say(retriever: ZeroShotRetriever, filter: Any, expected: Any) -> None:
    before = copy.deepcopy(filter)
    found = retriever.invoke("dry red wine", k=60, filter=filter, graph_weight=0.0)
    matching = retriever.invoke("dry red wine", k=60, graph_weight=0.0)
    assert {d.id for d in found} == {d.id for d in matching if expected(d.metadata)}
    assert filter == before


def test_an_unknown_operator_is_refused_at_once(saved_model: Path, retriever: ZeroShotRetriever) -> None:
    with pytest.raises(InvalidInputError, match=r"expected one of .*got '\$near'"):
        retriever.invoke("wine", filter={"price": {"$near": 3}})
    with pytest.raises(ValueError, match=r"got '\$near'"):
        ZeroShotRetriever(model=saved_model, filter={"price": {"$near": 3}})


def test_batch_is_one_search_with_the_callbacks_of_each_query(
    retriever: ZeroShotRetriever, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries = ["dry red wine", "food for cats", "pasta"]
    single = [ids_and_scores(retriever.invoke(query)) for query in queries]
    calls: list[int] = []
    core = open_retriever(retriever.model)
    whole = core.retrieve

    def counted(some: Any, **options: Any) -> Any:
        calls.append(len(some))
        return whole(some, **options)

    monkeypatch.setattr(core, "retrieve", counted)
    events = Events()
    assert [ids_and_scores(found) for found in retriever.batch(queries, {"callbacks": [events]})] == single
    assert [ids_and_scores(found) for found in asyncio.run(retriever.abatch(queries))] == single
    assert calls == [3, 3]
    assert sorted(events.seen) == sorted([*(f"start {query}" for query in queries), *["end 4"] * 3])


def test_batch_may_return_the_error_of_a_bad_query_in_its_place(retriever: ZeroShotRetriever) -> None:
    events = Events()
    found = retriever.batch(["dry red wine", " "], {"callbacks": [events]}, return_exceptions=True)
    assert found[0] == retriever.invoke("dry red wine")
    assert isinstance(found[1], InvalidInputError)
    assert events.seen[-1] == "error InvalidInputError"
    with pytest.raises(InvalidInputError):
        retriever.batch(["dry red wine", " "])


def test_the_loop_keeps_turning_while_a_search_runs(retriever: ZeroShotRetriever, ticks_during: Any) -> None:
    core = open_retriever(retriever.model)
    assert ticks_during(core, "retrieve", lambda: retriever.ainvoke("dry red wine")) >= 5
    assert ticks_during(core, "retrieve", lambda: retriever.abatch(["dry red wine", "pasta"])) >= 5


def test_batch_of_nothing_is_nothing(retriever: ZeroShotRetriever) -> None:
    assert retriever.batch([]) == []


def test_composes_with_other_runnables(retriever: ZeroShotRetriever) -> None:
    ids = RunnableLambda(lambda documents: [document.id for document in documents])
    chain = retriever | ids
    assert chain.batch(["dry red wine", "pasta"]) == [
        [d.id for d in retriever.invoke(query)] for query in ("dry red wine", "pasta")
    ]


def test_traces_name_the_store_the_encoder_and_k(retriever: ZeroShotRetriever) -> None:
    class Runs(BaseCallbackHandler):
        told: dict[str, Any]

        def on_retriever_start(self, *args: Any, metadata: dict[str, Any], **kwargs: Any) -> None:
            Runs.told = metadata

    retriever.invoke("wine")
    retriever.invoke("wine", {"callbacks": [Runs()]}, k=2)
    assert Runs.told == {
        "ls_retriever_name": "zeroshot",
        "ls_vector_store_provider": "milvus",
        "ls_embedding_provider": "zeroshot",
        "ls_embedding_model": "hash-256",
        "k": 2,
    }


@pytest.mark.filterwarnings("ignore:The function `loads` is in beta")
def test_round_trip_finds_the_same(retriever: ZeroShotRetriever) -> None:
    narrow = retriever.model_copy(update={"filter": {"rank": {"$gte": 2}}})
    again = loads(dumps(narrow), allowed_objects=[ZeroShotRetriever], valid_namespaces=["langchain_zeroshot"])
    assert again.invoke("dry red wine") == narrow.invoke("dry red wine")
