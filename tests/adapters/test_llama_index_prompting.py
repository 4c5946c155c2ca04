"""The query engine with an LLM that chooses the label, by the ways that LlamaIndex runs it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.base.llms.types import ToolCallBlock
from llama_index.core.base.response.schema import AsyncStreamingResponse, StreamingResponse
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.llms import ChatMessage, ChatResponse, CompletionResponse
from llama_index.core.llms.mock import MockFunctionCallingLLM
from llama_index.core.prompts import PromptTemplate
from pydantic import Field
from recorded_llms import RecordedLLM
from zeroshot_core import InvalidInputError, ZeroShotRegressor
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.prediction import Prompting
from zeroshot_core.serving.loading import open_model

from llama_index_zeroshot import ZeroShotQueryEngine

WINE = "dry red wine from Calabria, small bottle"
CHOSEN = {"reason": "Bubbles and lemons.", "label": "lemonade"}
WORDS = "Bubbles and lemons. Predicted lemonade (red wine "


class WritingLLM(RecordedLLM):
    """Writes the recorded JSON a few letters at a time."""

    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        text = self.complete(prompt, formatted).text
        ends = range(5, len(text) + 5, 5)
        return (CompletionResponse(text=text[:end], delta=text[end - 5 : end]) for end in ends)


class ToolCallingLLM(MockFunctionCallingLLM):
    """Calls the tool that it is given with recorded arguments, the reason first where it streams."""

    prompts: list[str] = Field(default_factory=list)

    def _call(self, messages: Any, tools: Any, arguments: dict[str, Any]) -> ChatMessage:
        self.prompts.append(messages[-1].content)
        name = tools[0].metadata.name
        calls = [ToolCallBlock(tool_call_id="1", tool_name=name, tool_kwargs=arguments)]
        called = ChatResponse(message=ChatMessage(role="assistant", blocks=calls))
        selected = self.get_tool_calls_from_response(called)
        return ChatMessage(role="assistant", blocks=calls, additional_kwargs={"tool_calls": selected})

    def _get_response_generator(self) -> Any:
        return lambda messages, tools, **kwargs: self._call(messages, tools, CHOSEN)

    def stream_chat(self, messages: Any, tools: Any, **kwargs: Any) -> Iterator[Any]:
        for arguments in ({"reason": "Bubbles"}, CHOSEN):
            yield ChatResponse(message=self._call(messages, tools, arguments))

    async def astream_chat(self, messages: Any, tools: Any, **kwargs: Any) -> AsyncIterator[Any]:
        async def written() -> AsyncIterator[Any]:
            for response in self.stream_chat(messages, tools):
                yield response

        return written()


def engine(model: Any, llm: Any, **options: Any) -> ZeroShotQueryEngine:
    return ZeroShotQueryEngine(model, llm=llm, **options)


def told(response: Any) -> tuple[Any, ...]:
    return tuple(response.metadata[name] for name in ("value", "reason", "fallback"))


@pytest.fixture(params=[WritingLLM, ToolCallingLLM])
def llm(request: pytest.FixtureRequest) -> Any:
    """Models that write their answer, and that call a tool with it."""
    return WritingLLM(answers={WINE: CHOSEN}) if request.param is WritingLLM else ToolCallingLLM()


async def test_a_model_chooses_among_the_candidates_by_the_evidence(saved_classifier: Path, llm: Any) -> None:
    response, plain = (
        engine(saved_classifier, llm).query(WINE),
        ZeroShotQueryEngine(saved_classifier).query(WINE),
    )
    assert told(plain) == ("red wine", "", "")
    assert told(response) == ("lemonade", "Bubbles and lemons.", "")
    assert str(response).startswith(WORDS)
    assert response.metadata["probabilities"] == pytest.approx(plain.metadata["probabilities"])
    assert [n.node_id for n in response.source_nodes] == [n.node_id for n in plain.source_nodes]
    assert f'"{plain.source_nodes[0].text}" is labelled "red wine"' in llm.prompts[0]
    later = await engine(saved_classifier, llm).aquery(WINE)
    assert (told(later), str(later)) == (told(response), str(response))


async def test_a_model_without_structured_output_answers_in_text(saved_classifier: Path) -> None:
    llm = WritingLLM(answers={WINE: "Lemonade"})
    for streaming in (False, True):
        served = engine(saved_classifier, llm, streaming=streaming)
        response, later = served.query(WINE), await served.aquery(WINE)
        if streaming:
            response, later = response.get_response(), await later.get_response()
        assert told(response) == told(later) == ("lemonade", "", "")
    assert all("Answer with a JSON object alone" in prompt for prompt in llm.prompts)


def test_a_streamed_response_is_read_as_it_is_written(saved_classifier: Path, llm: Any) -> None:
    whole = engine(saved_classifier, llm).query(WINE)
    response = engine(saved_classifier, llm, streaming=True).query(WINE)
    assert isinstance(response, StreamingResponse)
    assert [n.node_id for n in response.source_nodes] == [n.node_id for n in whole.source_nodes]
    assert "value" not in response.metadata
    pieces = list(response.response_gen)
    assert pieces[0].startswith("Bub")
    assert len(pieces) > 2
    assert "".join(pieces) == str(whole)
    assert told(response) == told(whole)
    again = engine(saved_classifier, llm, streaming=True).query(WINE).get_response()
    assert (str(again), again.metadata) == (str(whole), whole.metadata)


async def test_an_async_response_streams_too(saved_classifier: Path, llm: Any) -> None:
    whole = await engine(saved_classifier, llm).aquery(WINE)
    response = await engine(saved_classifier, llm, streaming=True).aquery(WINE)
    assert isinstance(response, AsyncStreamingResponse)
    pieces = [piece async for piece in response.async_response_gen()]
    assert len(pieces) > 2
    assert "".join(pieces) == str(whole)
    assert told(response) == told(whole)


async def test_without_a_model_a_stream_is_the_prediction_in_one_piece(saved_classifier: Path) -> None:
    plain, streaming = (ZeroShotQueryEngine(saved_classifier, streaming=s) for s in (False, True))
    assert list(streaming.query(WINE).response_gen) == [str(plain.query(WINE))]
    response = await streaming.aquery(WINE)
    assert (await response.get_response()).metadata == plain.query(WINE).metadata


async def test_a_model_that_is_down_leaves_the_classifiers_label_and_says_so(saved_classifier: Path) -> None:
    llm = WritingLLM(answers={WINE: ConnectionError("refused")})
    down = ("red wine", "", "it failed with ConnectionError: refused")
    response = engine(saved_classifier, llm).query(WINE)
    assert told(response) == down
    assert "Not chosen by the language model: it failed" in str(response)
    assert told(await engine(saved_classifier, llm).aquery(WINE)) == down
    streamed = engine(saved_classifier, llm, streaming=True).query(WINE)
    assert str(streamed) == str(response)
    assert told(streamed) == down
    streamed = await engine(saved_classifier, llm, streaming=True).aquery(WINE)
    assert told(await streamed.get_response()) == down


def test_a_label_that_is_no_candidate_is_not_taken_however_it_began(saved_classifier: Path) -> None:
    llm = WritingLLM(answers={WINE: {"reason": "It is tasty.", "label": "food"}})
    value, reason, fallback = told(engine(saved_classifier, llm).query(WINE))
    assert (value, reason) == ("red wine", "")
    assert fallback.endswith("got 'food'")
    text = str(engine(saved_classifier, llm, streaming=True).query(WINE))
    assert text.startswith("It is tasty.\nPredicted red wine")
    assert "Not chosen by the language model: it answered badly" in text


def test_what_goes_into_the_prompt_can_be_set(saved_classifier: Path) -> None:
    llm = WritingLLM(answers={WINE: CHOSEN})
    prompting = Prompting(n_candidates=2, instructions="Think of the shelf.")
    response = engine(saved_classifier, llm, prompting=prompting).query(WINE)
    assert "Think of the shelf." in llm.prompts[0]
    assert "answered badly" in response.metadata["fallback"]


def test_the_model_is_called_within_the_query(saved_classifier: Path, llm: Any) -> None:
    seen: list[str] = []

    class Keep(BaseEventHandler):
        def handle(self, event: Any, **kwargs: Any) -> None:
            seen.append(event.class_name())

    handler = Keep()
    get_dispatcher().add_event_handler(handler)
    try:
        engine(saved_classifier, llm).query(WINE)
    finally:
        get_dispatcher().event_handlers.remove(handler)
    assert (seen[0], seen[-1]) == ("QueryStartEvent", "QueryEndEvent")
    assert any(name.startswith("LLM") for name in seen)


def test_the_loop_keeps_turning_while_labels_are_looked_up(saved_classifier: Path, ticks_during: Any) -> None:
    served = engine(saved_classifier, WritingLLM(answers={WINE: CHOSEN}))
    assert ticks_during(open_model(saved_classifier), "explain", lambda: served.aquery(WINE)) >= 5


def test_metadata_are_plain(saved_classifier: Path, llm: Any) -> None:
    json.dumps(engine(saved_classifier, llm).query(WINE).metadata)


def test_a_regressor_has_no_labels_to_choose_from() -> None:
    served = engine(ZeroShotRegressor(HashEncoder()), WritingLLM(answers={}))
    with pytest.raises(InvalidInputError, match=r"expected a ZeroShotClassifier .* got ZeroShotRegressor"):
        asyncio.run(served.aquery(WINE))


async def test_the_prompt_can_be_read_and_changed(saved_classifier: Path, llm: Any) -> None:
    served = engine(saved_classifier, llm)
    assert served.get_prompts()["label_template"].template == "{question}"
    served.update_prompts({"label_template": PromptTemplate("You know shops.\n{question}\nTake care.")})
    assert told(served.query(WINE)) == told(await served.aquery(WINE)) == ("lemonade", CHOSEN["reason"], "")
    assert all(prompt.startswith("You know shops.\nChoose the label") for prompt in llm.prompts)
    assert served.get_prompts()["label_template"].template.endswith("Take care.")
    with pytest.raises(InvalidInputError, match="with 'question', got \\['text'\\]"):
        served.update_prompts({"label_template": PromptTemplate("{text}")})
