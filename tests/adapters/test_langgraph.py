"""LangGraph with our parts: its store by our embeddings, a predictor as a node, what a checkpoint keeps."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any, TypedDict

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.graph import START, StateGraph
from langgraph.store.memory import InMemoryStore
from zeroshot_core import InvalidInputError

from langchain_zeroshot import PredictionInput, PredictionOutput, ZeroShotEmbeddings, ZeroShotPredictor

WINE = "dry red wine from Calabria, small bottle"


async def test_the_store_searches_by_our_embeddings(saved_model: Path) -> None:
    store = InMemoryStore(index={"embed": ZeroShotEmbeddings(saved_model), "dims": 256, "fields": ["said"]})
    store.put(("user",), "1", {"said": "likes dry red wine from Apulia"})
    await store.aput(("user",), "2", {"said": "has two cats"})
    assert store.search(("user",), query="red wine", limit=1)[0].key == "1"
    assert (await store.asearch(("user",), query="cats", limit=1))[0].key == "2"


class State(TypedDict, total=False):
    question: str
    forecast: dict[str, Any]


def test_a_predictor_is_a_node_whose_answer_a_checkpoint_keeps(
    saved_model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    node = ZeroShotPredictor(saved_model, input_key="question").as_node("forecast")
    graph = StateGraph(State)
    graph.add_node("predict", node)
    graph.add_edge(START, "predict")
    compiled = graph.compile(InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    with caplog.at_level(logging.WARNING):
        found = compiled.invoke({"question": WINE}, config)["forecast"]
        kept = compiled.get_state(config).values["forecast"]
    assert not caplog.records
    assert kept == found == json.loads(json.dumps(found))
    assert found == ZeroShotPredictor(saved_model).invoke(WINE).model_dump()
    assert node.batch([{"question": WINE}])[0]["forecast"] == found


class Exchange(TypedDict):
    asked: PredictionInput
    told: PredictionOutput


def test_a_strict_checkpoint_keeps_what_the_state_says_it_holds(
    saved_model: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What LANGGRAPH_STRICT_MSGPACK=true sets when LangGraph is imported.
    for module in ("langgraph._internal._serde", "langgraph.checkpoint.serde._msgpack"):
        monkeypatch.setattr(f"{module}.STRICT_MSGPACK_ENABLED", True)
    predictor = ZeroShotPredictor(saved_model)
    graph = StateGraph(Exchange)
    graph.add_node("predict", lambda state: {"told": predictor.invoke(state["asked"].model_dump())})
    graph.add_edge(START, "predict")
    compiled = graph.compile(InMemorySaver(serde=JsonPlusSerializer()))
    config: Any = {"configurable": {"thread_id": "1"}}
    with caplog.at_level(logging.WARNING):
        told = compiled.invoke({"asked": PredictionInput(text=WINE)}, config)["told"]
        kept = compiled.get_state(config).values
    assert not caplog.records
    assert isinstance(kept["told"], PredictionOutput)
    assert kept == {"asked": PredictionInput(text=WINE), "told": told}


async def test_a_node_is_awaited_too(saved_model: Path) -> None:
    predictor = ZeroShotPredictor(saved_model)
    node = predictor.as_node("forecast")
    assert await node.ainvoke(WINE) == node.invoke(WINE)
    with pytest.raises(InvalidInputError, match="expected output_key as a text"):
        predictor.as_node("")
