"""Agents that call the tools: with a scripted language model, and with a real small one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent, ToolCallResult
from llama_index.core.base.llms.types import ToolCallBlock
from llama_index.core.llms import ChatMessage
from llama_index.core.llms.mock import MockFunctionCallingLLM
from llama_index.core.memory import ChatMemoryBuffer
from small_llm import small_model

from llama_index_zeroshot import ZeroShotQueryEngine, ZeroShotRetriever, zero_shot_tools

# LlamaIndex's agents look at every attribute of their pydantic models.
pytestmark = pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")

WINE = "dry red wine from Calabria, small bottle"
NAMES = ["zero_shot_predict", "zero_shot_retrieve", "zero_shot_explain", "zero_shot_related_concepts"]


def calls(*blocks: tuple[str, dict[str, Any]]) -> ChatMessage:
    made = [
        ToolCallBlock(tool_call_id=str(number), tool_name=name, tool_kwargs=asked)
        for number, (name, asked) in enumerate(blocks)
    ]
    return ChatMessage(role="assistant", blocks=made)


def scripted(*steps: ChatMessage) -> MockFunctionCallingLLM:
    """A model that says one thing after the other."""
    left = iter(steps)
    return MockFunctionCallingLLM(response_generator=lambda messages, **kwargs: next(left))


async def run(agent: FunctionAgent | AgentWorkflow, question: str) -> tuple[str, list[ToolCallResult]]:
    handler = agent.run(question, memory=ChatMemoryBuffer.from_defaults(token_limit=4000))
    called = [event async for event in handler.stream_events() if isinstance(event, ToolCallResult)]
    return str(await handler), called


def test_tools_answer_as_what_they_are_made_of(saved_model: Path) -> None:
    tools = {tool.metadata.name: tool for tool in zero_shot_tools(saved_model)}
    assert list(tools) == NAMES
    predict, retrieve, explain, related = tools.values()
    engine = ZeroShotQueryEngine(saved_model)
    assert predict.call(WINE).content == predict.call(input=WINE).content == str(engine.query(WINE))
    nodes = ZeroShotRetriever(saved_model, k=5).retrieve(WINE)
    assert retrieve.call(input=WINE).raw_output == retrieve.call(WINE).raw_output
    assert [node.node_id for node in retrieve.call(input=WINE).raw_output] == [node.node_id for node in nodes]
    assert "dry red wine from Sicily" in retrieve.call(WINE).content
    assert "query -near-> kind:red wine" in explain.call(input=WINE).content
    assert related.call(input="red wine").raw_output[0].node_id == "kind:red wine"
    assert all(json.dumps(tool.metadata.get_parameters_dict()) for tool in tools.values())


async def test_tools_answer_the_same_without_holding_up_the_loop(saved_model: Path) -> None:
    for tool in zero_shot_tools(saved_model):
        later = await tool.acall(input=WINE)
        assert later.content == tool.call(input=WINE).content


async def test_an_agent_predicts_by_calling_a_tool(saved_model: Path) -> None:
    llm = scripted(calls((NAMES[0], {"input": WINE})), ChatMessage(role="assistant", content="About ten."))
    answer, called = await run(FunctionAgent(tools=zero_shot_tools(saved_model), llm=llm), "How many?")
    assert answer == "About ten."
    assert [result.tool_name for result in called] == NAMES[:1]
    assert called[0].tool_output.content == str(ZeroShotQueryEngine(saved_model).query(WINE))


async def test_an_agent_calls_several_tools_at_once(saved_model: Path) -> None:
    asked = calls(*[(name, {"input": WINE}) for name in NAMES])
    llm = scripted(asked, ChatMessage(role="assistant", content="All of it."))
    workflow = AgentWorkflow.from_tools_or_functions(zero_shot_tools(saved_model), llm=llm)
    answer, called = await run(workflow, "What is known?")
    assert answer == "All of it."
    assert sorted(result.tool_name for result in called) == sorted(NAMES)
    assert not any(result.tool_output.is_error for result in called)


async def test_wrong_input_comes_back_to_the_agent_as_a_message(saved_model: Path) -> None:
    llm = scripted(calls((NAMES[1], {"input": " "})), ChatMessage(role="assistant", content="Sorry."))
    answer, called = await run(FunctionAgent(tools=zero_shot_tools(saved_model), llm=llm), "?")
    assert answer == "Sorry."
    assert called[0].tool_output.is_error
    assert "as a text that is not empty" in called[0].tool_output.content


class SmallToolLLM(MockFunctionCallingLLM):
    """The small model, held to a call of one of the tools, then to say something of the answer."""

    def _get_response_generator(self) -> Any:
        return self._respond

    def _respond(
        self, messages: Sequence[ChatMessage], tools: Sequence[Any] = (), **kwargs: Any
    ) -> ChatMessage:
        told = [("user", str(message.content)[:400]) for message in messages if message.content]
        if messages[-1].role == "tool":
            return ChatMessage(role="assistant", content=small_model().answer(told, max_tokens=24))
        names = [tool.metadata.name for tool in tools]
        schema = {
            "type": "object",
            "properties": {"tool": {"enum": names}, "input": {"type": "string"}},
            "required": ["tool", "input"],
            "additionalProperties": False,
        }
        chosen = json.loads(small_model().answer(told, schema=schema))
        return calls((chosen["tool"], {"input": chosen["input"]}))


@pytest.mark.slow
async def test_a_real_model_calls_a_tool_and_reads_its_answer(saved_model: Path) -> None:
    agent = FunctionAgent(tools=zero_shot_tools(saved_model), llm=SmallToolLLM())
    answer, called = await run(agent, f"How many units will we sell of this: {WINE}?")
    assert answer.strip()
    assert called[0].tool_name in NAMES
    assert called[0].tool_output.content
    assert not called[0].tool_output.is_error
