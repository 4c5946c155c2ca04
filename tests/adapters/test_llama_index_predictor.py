from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.base.base_selector import BaseSelector, SelectorResult, SingleSelection
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.llms import MockLLM
from llama_index.core.query_engine import RouterQueryEngine
from llama_index.core.schema import QueryBundle
from llama_index.core.tools import QueryEngineTool, ToolMetadata
from llama_index.core.workflow import Event, StartEvent, StopEvent, Workflow, step
from zeroshot_core import InvalidInputError
from zeroshot_core.serving.loading import open_model

from llama_index_zeroshot import ZeroShotQueryEngine, ZeroShotRetriever, zero_shot_tools

WINE = "dry red wine from Calabria, small bottle"


class ByWord(BaseSelector):
    """Choose the first tool whose description shares the query's first word."""

    def _select(self, choices: Sequence[ToolMetadata], query: QueryBundle) -> SelectorResult:
        word = query.query_str.split()[0].lower()
        index = next(i for i, choice in enumerate(choices) if word in choice.description.lower())
        return SelectorResult(selections=[SingleSelection(index=index, reason=word)])

    async def _aselect(self, choices: Sequence[ToolMetadata], query: QueryBundle) -> SelectorResult:
        return self._select(choices, query)

    def _get_prompts(self) -> dict[str, Any]:
        return {}

    def _update_prompts(self, prompts: dict[str, Any]) -> None:
        pass


@pytest.fixture
def engine(saved_model: Path) -> ZeroShotQueryEngine:
    return ZeroShotQueryEngine(saved_model)


def test_response_holds_value_interval_evidence_and_words(
    engine: ZeroShotQueryEngine, saved_model: Path
) -> None:
    response = engine.query(WINE)
    assert response.metadata["value"] == pytest.approx(float(open_model(saved_model).predict([WINE])[0]))
    low, high = response.metadata["interval"]
    assert low <= high
    assert response.metadata["coverage"] == 0.9
    assert response.source_nodes[0].metadata["aisle"] == "drinks"
    assert "Nearest known" in str(response)
    json.dumps(response.metadata)


def test_coverage_and_top_k_are_honoured(saved_model: Path) -> None:
    response = ZeroShotQueryEngine(saved_model, coverage=0.5, top_k=2).query(WINE)
    assert response.metadata["coverage"] == 0.5
    assert len([node for node in response.source_nodes if "/" in node.node_id]) == 2


def test_async_predicts_the_same_in_two_loops(engine: ZeroShotQueryEngine) -> None:
    for _ in range(2):
        later, now = asyncio.run(engine.aquery(WINE)), engine.query(WINE)
        assert later.metadata["value"] == pytest.approx(now.metadata["value"])
        assert str(later) == str(now)


def test_the_loop_keeps_turning_while_it_predicts(
    engine: ZeroShotQueryEngine, saved_model: Path, ticks_during: Any
) -> None:
    assert ticks_during(open_model(saved_model), "explain", lambda: engine.aquery(WINE)) >= 5


def test_emits_query_events_inside_a_span(engine: ZeroShotQueryEngine) -> None:
    seen: list[tuple[str, bool]] = []

    class Keep(BaseEventHandler):
        def handle(self, event: Any, **kwargs: Any) -> None:
            seen.append((event.class_name(), bool(event.span_id)))

    handler = Keep()
    get_dispatcher().add_event_handler(handler)
    try:
        engine.query(WINE)
    finally:
        get_dispatcher().event_handlers.remove(handler)
    assert seen == [("QueryStartEvent", True), ("QueryEndEvent", True)]


def test_without_a_language_model_there_are_no_prompts(engine: ZeroShotQueryEngine) -> None:
    assert engine.get_prompts() == {}


def test_an_empty_query_is_refused(engine: ZeroShotQueryEngine) -> None:
    with pytest.raises(InvalidInputError, match="non-empty"):
        engine.query(" ")


def test_a_router_sends_questions_to_it(engine: ZeroShotQueryEngine, saved_model: Path) -> None:
    other = QueryEngineTool.from_defaults(
        ZeroShotQueryEngine(saved_model, coverage=0.5), name="half", description="Halfway answers"
    )
    router = RouterQueryEngine(
        selector=ByWord(), query_engine_tools=[other, zero_shot_tools(saved_model)[0]], llm=MockLLM()
    )
    response = router.query("Predict " + WINE)
    assert response.metadata["coverage"] == 0.9
    assert asyncio.run(router.aquery("halfway " + WINE)).metadata["coverage"] == 0.5


def test_works_as_steps_of_a_workflow(saved_model: Path) -> None:
    class Found(Event):
        query: str
        nearest: str

    class Forecast(Workflow):
        @step
        async def look_up(self, event: StartEvent) -> Found:
            nodes = await ZeroShotRetriever(saved_model, k=1).aretrieve(event.query)
            return Found(query=event.query, nearest=nodes[0].node_id)

        @step
        async def predict(self, event: Found) -> StopEvent:
            response = await ZeroShotQueryEngine(saved_model).aquery(event.query)
            return StopEvent(result=(event.nearest, response.metadata["value"]))

    async def run() -> tuple[str, float]:
        return await Forecast(timeout=30).run(query=WINE)

    nearest, value = asyncio.run(run())
    assert nearest.startswith("red wine/")
    assert value == pytest.approx(ZeroShotQueryEngine(saved_model).query(WINE).metadata["value"])


def test_a_classifier_may_answer_none_of_the_labels(saved_classifier: Path) -> None:
    engine = ZeroShotQueryEngine(saved_classifier, reject=True)
    assert engine.query(WINE).metadata["value"] == "red wine"
    response = engine.query("quarterly report of the tax office")
    assert response.metadata["value"] == ""
    assert str(response).startswith("Predicted none of the labels")


def test_a_regressor_cannot_reject(saved_model: Path) -> None:
    with pytest.raises(InvalidInputError, match="expected a classifier"):
        ZeroShotQueryEngine(saved_model, reject=True).query(WINE)
