"""Agents with more tools than a model can read: those that fit are offered, and nothing else is asked."""

from __future__ import annotations

import asyncio
import runpy
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import BaseTool, StructuredTool
from llama_index.core.llms import MockLLM
from llama_index.core.query_engine import CustomQueryEngine, RouterQueryEngine
from llama_index.core.tools import FunctionTool, QueryEngineTool, ToolMetadata
from test_langchain_agent import ScriptedChatModel
from zeroshot_core import InvalidInputError, load_encoder
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.serving.model_handle import ModelHandle
from zeroshot_core.serving.option_ranker import OptionRanker, options_of

from llama_index_zeroshot import ZeroShotSelector, ZeroShotToolRetriever

agents = pytest.importorskip("langchain.agents")
from langchain_zeroshot import ZeroShotToolSelector  # noqa: E402

SAID = {
    "create_invoice": "Create an invoice for a customer.",
    "send_reminder": "Send a reminder to someone who has not paid.",
    "book_meeting_room": "Book a meeting room in the office.",
    "weather_forecast": "Tell the weather of the next days.",
    "playMusic": "Play music from a playlist.",
}
ENCODER = HashEncoder(512)
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def tools(names: Sequence[str] = tuple(SAID)) -> list[BaseTool]:
    return [StructuredTool.from_function(lambda: "done", name=name, description=SAID[name]) for name in names]


def offered(selector: Any, text: str, *, given: Sequence[Any] | None = None) -> list[str]:
    """Names of the tools that an agent with this middleware offers its model."""
    model = ScriptedChatModel(answers={}, calls=[("create_invoice", {})])
    agent = agents.create_agent(model, [*(given or tools())], middleware=[selector])
    agent.invoke({"messages": [HumanMessage(text)]})
    half = len(model.offered) // 2
    assert model.offered[:half] == model.offered[half:]  # the same before and after the tool was called
    return model.offered[:half]


def test_the_tools_that_fit_are_offered_in_the_agents_order() -> None:
    chosen = offered(ZeroShotToolSelector(ENCODER, max_tools=2), "an invoice, and a reminder to pay it")
    assert chosen == ["create_invoice", "send_reminder"]
    assert offered(ZeroShotToolSelector(ENCODER, max_tools=9), "an invoice") == [*SAID]


def test_some_are_always_offered_and_below_the_threshold_no_others_are() -> None:
    always = ZeroShotToolSelector(ENCODER, max_tools=1, always_include=["playMusic"])
    assert offered(always, "create an invoice") == ["create_invoice", "playMusic"]
    strict = ZeroShotToolSelector(ENCODER, threshold=0.9, always_include=["create_invoice"])
    assert offered(strict, "xylophone") == ["create_invoice"]


def test_past_calls_say_what_a_tool_is_for() -> None:
    plain = ZeroShotToolSelector(ENCODER, max_tools=1)
    taught = ZeroShotToolSelector(ENCODER, max_tools=1, past_calls={"create_invoice": ["charge Miller"]})
    assert offered(taught, "charge Miller") == ["create_invoice"]
    assert offered(plain, "music, Miller") == ["playMusic"]


async def test_it_is_async_and_encodes_tools_once(monkeypatch: pytest.MonkeyPatch) -> None:
    selector, encoded = ZeroShotToolSelector(ENCODER, max_tools=1), []
    whole = HashEncoder.encode
    monkeypatch.setattr(
        HashEncoder,
        "encode",
        lambda self, texts, **more: encoded.append(len(texts)) or whole(self, texts, **more),
    )
    model = ScriptedChatModel(answers={}, calls=[("create_invoice", {})])
    agent = agents.create_agent(model, tools(), middleware=[selector])
    for _ in range(2):
        await agent.ainvoke({"messages": [HumanMessage("an invoice")]})
    assert {*model.offered} == {"create_invoice"}
    assert encoded[1:] == [2] * (len(encoded) - 1)  # a request alone, in its two readings


def test_what_is_wrong_is_told() -> None:
    with pytest.raises(InvalidInputError, match="did you mean 'max_tools'"):
        ZeroShotToolSelector(ENCODER, max_tool=2)
    with pytest.raises(InvalidInputError, match="expected max_tools as a whole number"):
        ZeroShotToolSelector(ENCODER, max_tools=0)
    with pytest.raises(InvalidInputError, match="did you mean 'playMusic'"):
        offered(ZeroShotToolSelector(ENCODER, always_include=["play_music"]), "x")
    with pytest.raises(InvalidInputError, match="name in past_calls"):
        offered(ZeroShotToolSelector(ENCODER, max_tools=1, past_calls={"sing": ["la"]}), "x")


class Echo(CustomQueryEngine):
    said: str

    def custom_query(self, query_str: str) -> str:
        return self.said


class NoModel(MockLLM):
    def complete(self, *args: Any, **kwargs: Any) -> Any:
        raise AssertionError("no language model is asked")


def engines() -> list[QueryEngineTool]:
    return [QueryEngineTool(Echo(said=name), ToolMetadata(said, name)) for name, said in SAID.items()]


def test_a_router_of_llama_index_asks_the_engine_that_fits() -> None:
    router = RouterQueryEngine(ZeroShotSelector(ENCODER), engines(), llm=NoModel())
    answer = router.query("the weather tomorrow")
    assert str(answer) == "weather_forecast"
    assert "weather_forecast: score " in answer.metadata["selector_result"].reason
    assert str(asyncio.run(router.aquery("play me music"))) == "playMusic"


def test_a_selector_chooses_several_none_or_the_fallback() -> None:
    choices = [ToolMetadata(said, name) for name, said in SAID.items()]
    several = ZeroShotSelector(ENCODER, top_k=2).select(choices, "a reminder on the invoice")
    assert {*several.inds} == {0, 1}
    assert ZeroShotSelector(ENCODER, threshold=0.9).select(choices, "xylophone").inds == []
    fallback = ZeroShotSelector(ENCODER, threshold=0.9, fallback="playMusic").select(choices, "xylophone")
    assert fallback.ind == 4
    assert ZeroShotSelector(ENCODER).select(["cats and dogs", "wine and bread"], "dogs").ind == 0


async def test_llama_index_agents_get_the_tools_that_fit() -> None:
    given = [
        FunctionTool.from_defaults(lambda: "done", name=name, description=said) for name, said in SAID.items()
    ]
    retriever = ZeroShotToolRetriever(given, ENCODER, similarity_top_k=1, always_include=["playMusic"])
    names = [tool.metadata.name for tool in retriever.retrieve("an invoice")]
    assert names == ["playMusic", "create_invoice"]
    assert [tool.metadata.name for tool in await retriever.aretrieve("an invoice")] == names
    with pytest.raises(InvalidInputError, match="distinct names, got 'playMusic' twice"):
        ZeroShotToolRetriever([*given, given[-1]], ENCODER)


def test_what_a_provider_runs_stays_and_without_a_request_so_does_all() -> None:
    model, search = ScriptedChatModel(answers={}, calls=[]), {"type": "web_search"}
    selector = ZeroShotToolSelector(ENCODER, max_tools=1)
    asked = HumanMessage([{"type": "text", "text": "create an invoice"}])
    request = agents.middleware.ModelRequest(model=model, messages=[asked], tools=[search, *tools()])
    kept = selector.select(request).tools
    assert [search, "create_invoice"] == [kept[0], kept[1].name]
    silent = agents.middleware.ModelRequest(model=model, messages=[AIMessage("hello")], tools=tools())
    assert selector.select(silent) is silent


def test_two_hundred_tools_cost_less_than_thirty_milliseconds() -> None:
    many = [
        StructuredTool.from_function(lambda: "x", name=f"tool_{n}", description=f"Do thing {n} of all.")
        for n in range(200)
    ]
    selector = ZeroShotToolSelector(ENCODER)
    request = agents.middleware.ModelRequest(
        model=ScriptedChatModel(answers={}, calls=[]), messages=[HumanMessage("thing 7")], tools=many
    )
    selector.select(request)
    times = []
    for _ in range(10):
        start = time.perf_counter()
        chosen = selector.select(request)
        times.append(time.perf_counter() - start)
    assert len(chosen.tools) == 8
    assert min(times) < 0.03


@pytest.mark.slow
def test_of_two_hundred_tools_those_that_other_words_want_are_found() -> None:
    made = runpy.run_path(str(BENCHMARKS / "tool_requests.py"))
    tools, requests = made["toolbox"](5)
    known = {one.text for one in requests}
    logged: dict[str, list[str]] = {tool.name: [] for tool in tools}
    for text, name in made["toolbox"](5, n_requests=2000)[1]:
        if text not in (*known, *logged[name]) and len(logged[name]) < 2:
            logged[name].append(text)
    encoder = load_encoder("all-MiniLM-L6-v2")
    texts = [f"{tool.name}: {tool.description}" for tool in tools]
    cosines = encoder.encode([one.text for one in requests], role="query") @ encoder.encode(texts).T
    plain = [{tools[place].name for place in row} for row in np.argsort(-cosines)[:, :8]]
    ranker, options = OptionRanker(ModelHandle(encoder)), options_of([*map(tuple, tools)], logged)
    ranked = [{options[at].name for at, _ in ranker.rank(one.text, options, top_k=8)} for one in requests]
    by_cosine, by_us = (
        np.mean([one.tool in row for one, row in zip(requests, rows, strict=True)])
        for rows in (plain, ranked)
    )
    assert by_cosine < 0.92
    assert by_us >= 0.95
