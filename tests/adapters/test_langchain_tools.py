from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from zeroshot_core import ArtifactError

from langchain_zeroshot import PredictionOutput, zero_shot_tools

WINE = "dry red wine from Calabria, small bottle"


@pytest.fixture
def tools(saved_model: Path) -> dict[str, BaseTool]:
    return {tool.name: tool for tool in zero_shot_tools(saved_model)}


def called(tool: BaseTool, **args: Any) -> ToolMessage:
    return tool.invoke({"name": tool.name, "args": args, "id": "1", "type": "tool_call"})


def test_predict_answers_in_words_with_the_prediction_as_artifact(tools: dict[str, BaseTool]) -> None:
    message = called(tools["zero_shot_predict"], text=WINE, concepts=["kind:red wine"])
    assert isinstance(message.artifact, PredictionOutput)
    assert message.content == message.artifact.explanation
    assert message.artifact.documents[0].metadata["aisle"] == "drinks"


def test_retrieve_answers_in_lines_with_the_documents_as_artifact(tools: dict[str, BaseTool]) -> None:
    message = called(tools["zero_shot_retrieve"], query=WINE, k=3, filter={"size": "large"})
    assert len(message.artifact) == 3
    assert {document.metadata["size"] for document in message.artifact} == {"large"}
    assert len(message.content.splitlines()) == 3


def test_retrieve_says_when_nothing_matches(tools: dict[str, BaseTool]) -> None:
    message = called(tools["zero_shot_retrieve"], query=WINE, filter={"size": "enormous"})
    assert (message.content, message.artifact) == ("nothing known matches", [])


@pytest.mark.parametrize(
    ("name", "args", "told"),
    [
        ("zero_shot_predict", {"text": WINE, "concepts": ["kind:unheard of"]}, "kind:unheard of"),
        ("zero_shot_predict", {"text": " "}, "non-empty"),
        ("zero_shot_predict", {"concepts": []}, "Field required"),
        ("zero_shot_retrieve", {"query": WINE, "filter": {"size": {"$near": 1}}}, "$near"),
        ("zero_shot_retrieve", {"query": WINE, "k": 0}, "greater than or equal to 1"),
    ],
)
def test_wrong_input_is_told_to_the_agent(
    tools: dict[str, BaseTool], name: str, args: dict[str, Any], told: str
) -> None:
    call = {"name": name, "args": args, "id": "1", "type": "tool_call"}
    for message in (tools[name].invoke(call), asyncio.run(tools[name].ainvoke(call))):
        assert message.status == "error"
        assert told in message.content


def test_other_errors_are_raised(tmp_path: Path) -> None:
    predict, *_ = zero_shot_tools(tmp_path / "no model here")
    with pytest.raises(ArtifactError):
        called(predict, text=WINE)


def test_every_argument_is_described_to_the_language_model(tools: dict[str, BaseTool]) -> None:
    for tool in tools.values():
        properties = convert_to_openai_tool(tool)["function"]["parameters"]["properties"]
        assert properties
        assert all(argument.get("description") for argument in properties.values())
