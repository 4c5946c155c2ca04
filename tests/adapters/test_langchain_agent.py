"""Agents of LangChain call our tools: a scripted chat model, and a real, small one held to the schemas."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import Field
from recorded_llms import RecordedChatModel
from small_llm import SmallChatModel

from langchain_zeroshot import PredictionOutput, zero_shot_tools

# The oldest LangChain has no such package beside it that its other parts still know.
agents = pytest.importorskip("langchain.agents")

WINE = "dry red wine from Calabria, small bottle"


class ScriptedChatModel(RecordedChatModel):
    """Calls tools as it was told, then answers with what the last one said."""

    calls: list[tuple[str, dict[str, Any]]]
    offered: list[str] = Field(default_factory=list)

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[Any, AIMessage]:
        self.offered.extend(tool.name for tool in tools)
        return self

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        done = [message for message in messages if isinstance(message, ToolMessage)]
        if len(done) == len(self.calls):
            answer = AIMessage(f"I found: {done[-1].content}")
        else:
            name, args_ = self.calls[len(done)]
            answer = AIMessage("", tool_calls=[{"name": name, "args": args_, "id": str(len(done))}])
        return ChatResult(generations=[ChatGeneration(message=answer)])


Ask = Callable[..., list[BaseMessage]]


@pytest.fixture
def ask(saved_model: Path) -> Ask:
    def run(*calls: tuple[str, dict[str, Any]]) -> list[BaseMessage]:
        agent = agents.create_agent(
            ScriptedChatModel(answers={}, calls=list(calls)), zero_shot_tools(saved_model)
        )
        return agent.invoke({"messages": [HumanMessage("How many will we sell?")]})["messages"]

    return run


def results(messages: list[BaseMessage]) -> list[ToolMessage]:
    return [message for message in messages if isinstance(message, ToolMessage)]


def test_an_agent_predicts_and_looks_up(ask: Ask) -> None:
    messages = ask(
        ("zero_shot_retrieve", {"query": WINE, "k": 2}),
        ("zero_shot_related_concepts", {"query": WINE}),
        ("zero_shot_predict", {"text": WINE, "concepts": ["kind:red wine"]}),
        ("zero_shot_explain", {"text": WINE, "top_k": 7}),
    )
    known, concepts, predicted, explained = results(messages)
    assert len(known.artifact) == 2
    assert concepts.artifact[0].id == "kind:red wine"
    assert "kind:red wine: red wine (score " in concepts.content
    assert isinstance(predicted.artifact, PredictionOutput)
    assert len(explained.artifact.documents) == 7
    assert all(f"{document.id}: " in explained.content for document in explained.artifact.documents)
    assert "query -near-> kind:red wine" in explained.content
    assert messages[-1].content == f"I found: {explained.content}"


def test_an_agent_is_told_what_was_wrong_and_mends_it(ask: Ask) -> None:
    refused, mended = results(
        ask(
            ("zero_shot_predict", {"text": WINE, "concepts": ["kind:unheard of"]}),
            ("zero_shot_predict", {"text": WINE, "concepts": ["kind:red wine"]}),
        )
    )
    assert refused.status == "error"
    assert "kind:unheard of" in refused.content
    assert mended.status == "success"


async def test_an_agent_runs_asynchronously_too(saved_model: Path) -> None:
    model = ScriptedChatModel(answers={}, calls=[("zero_shot_retrieve", {"query": WINE, "k": 1})])
    agent = agents.create_agent(model, zero_shot_tools(saved_model))
    messages = (await agent.ainvoke({"messages": [HumanMessage("What is known?")]}))["messages"]
    assert results(messages)[0].artifact[0].metadata["aisle"] == "drinks"
    assert set(model.offered) == {tool.name for tool in zero_shot_tools(saved_model)}


class SmallAgentModel(SmallChatModel):
    """The small model, held to a call of one of its tools first, and free to speak after that."""

    def bind_tools(self, tools: Sequence[BaseTool], **kwargs: Any) -> Runnable[LanguageModelInput, AIMessage]:
        told = [convert_to_openai_tool(tool)["function"] for tool in tools]
        return self.bind(told=told)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        *,
        told: Sequence[dict[str, Any]] = (),
        **kwargs: Any,
    ) -> ChatResult:
        if isinstance(messages[-1], ToolMessage):
            said = HumanMessage(f"{messages[0].text}\nKnown: {messages[-1].text[:300]}")
            return super()._generate([said], stop, run_manager)
        question = HumanMessage(f"{messages[-1].text}\nTools: {', '.join(tool['name'] for tool in told)}")
        answer = super()._generate([question], json_schema=self._calls(told)).generations[0].message
        call = json.loads(answer.text)
        message = AIMessage("", tool_calls=[{**call, "id": "1", "type": "tool_call"}])
        return ChatResult(generations=[ChatGeneration(message=message)])

    @staticmethod
    def _calls(told: Sequence[dict[str, Any]]) -> dict[str, Any]:
        choices = []
        for tool in told:
            # The required arguments: a model of this size fills the others at random.
            parameters = tool["parameters"]
            properties = {name: parameters["properties"][name] for name in parameters["required"]}
            args = {"type": "object", "properties": properties, "required": list(properties)}
            call = {"name": {"const": tool["name"]}, "args": args | {"additionalProperties": False}}
            choices.append(
                {
                    "type": "object",
                    "properties": call,
                    "required": ["name", "args"],
                    "additionalProperties": False,
                }
            )
        return {"anyOf": choices}


@pytest.mark.slow
def test_a_real_small_model_calls_a_tool_and_speaks_of_its_answer(saved_model: Path) -> None:
    agent = agents.create_agent(SmallAgentModel(max_tokens=60), zero_shot_tools(saved_model))
    question = HumanMessage("Predict how many bottles of red wine we will sell.")
    *_, called, answered, final = agent.invoke({"messages": [question]})["messages"]
    assert called.tool_calls[0]["name"].startswith("zero_shot_")
    assert answered.status == "success"
    assert answered.artifact
    assert final.text.strip()
