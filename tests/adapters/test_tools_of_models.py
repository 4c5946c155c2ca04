"""The tools of several models in one agent, and what LangGraph keeps of their answers."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, TypedDict

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.graph import START, StateGraph
from zeroshot_core import InvalidInputError, ZeroShotClassifier, ZeroShotRegressor
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.serving.loading import open_model

import langchain_zeroshot as langchain
import llama_index_zeroshot as llama_index
from langchain_zeroshot import PredictionOutput, ZeroShotPredictor

WINE = "dry red wine from Calabria, small bottle"
MAKERS = [langchain.zero_shot_tools, llama_index.zero_shot_tools]


def told(tool: Any) -> tuple[str, str]:
    """Name and description of a tool of either framework."""
    return (
        (tool.name, tool.description)
        if hasattr(tool, "name")
        else (tool.metadata.name, tool.metadata.description)
    )


@pytest.mark.parametrize("make", MAKERS)
def test_tools_of_two_models_have_names_of_their_own(
    make: Any, saved_model: Path, saved_classifier: Path
) -> None:
    tools = [*make(saved_model, prefix="demand"), *make(saved_classifier, prefix="aisle")]
    names = [told(tool)[0] for tool in tools]
    assert len({*names}) == 8
    assert names[::4] == ["demand_predict", "aisle_predict"]


@pytest.mark.parametrize("make", MAKERS)
def test_a_description_says_which_labels_there_are_or_what_its_owner_says(
    make: Any, saved_classifier: Path
) -> None:
    for model in (saved_classifier, open_model(saved_classifier)):
        predict, retrieve, *_ = make(model, descriptions={"retrieve": "Find products of our shop."})
        assert "The labels are cat food, dog treats, lemonade" in told(predict)[1]
        assert told(retrieve)[1] == "Find products of our shop."


@pytest.mark.parametrize("make", MAKERS)
def test_a_description_says_target_unit_and_examples(make: Any, tmp_path: Path) -> None:
    rows = [{"name": f"wine {n}", "sales": float(n)} for n in range(12)]
    model = ZeroShotRegressor(HashEncoder(32)).fit(rows, text="name", target="sales")
    notes = {"unit": "bottles a week", "examples": ["dry red wine from Sicily", "olive oil"]}
    model.save(tmp_path / "model", extra=notes)
    model.close()
    for source in (tmp_path / "model", open_model(tmp_path / "model")):
        said = told(make(source)[0])[1]
        assert "The value is sales. Its unit is bottles a week." in said
        assert "Descriptions are such as: dry red wine from Sicily, olive oil." in said


@pytest.mark.parametrize("make", MAKERS)
def test_wrong_names_and_descriptions_are_told(make: Any, saved_model: Path) -> None:
    with pytest.raises(InvalidInputError, match="expected a prefix of letters"):
        make(saved_model, prefix="my shop")
    with pytest.raises(
        InvalidInputError, match="descriptions does not know 'predicts'; did you mean 'predict'"
    ):
        make(saved_model, descriptions={"predicts": "x"})
    with pytest.raises(InvalidInputError, match="does not know 'prefx'; did you mean 'prefix'"):
        make(saved_model, prefx="shop")
    with pytest.raises(InvalidInputError, match="expected description of predict as a text"):
        make(saved_model, descriptions={"predict": 3})


def test_tools_of_both_frameworks_take_the_same_arguments(saved_model: Path) -> None:
    calls: list[dict[str, Any]] = [
        {"text": WINE, "concepts": ["kind:red wine"], "metadata": {"size": "small"}},
        {"query": WINE, "k": 3, "filter": {"size": "large"}},
        {"text": WINE, "top_k": 2},
        {"query": WINE, "k": 2},
    ]
    for one, other, args in zip(*(make(saved_model) for make in MAKERS), calls, strict=True):
        schemas = one.get_input_jsonschema()["properties"], other.metadata.get_parameters_dict()["properties"]
        assert schemas[0].keys() == schemas[1].keys()
        message = one.invoke({"name": one.name, "args": args, "id": "1", "type": "tool_call"})
        for output in (other.call(**args), other.call(args), other.call(input=args)):
            assert output.content == message.content
    with pytest.raises(ValueError, match="does not know 'concept'; did you mean 'concepts'"):
        llama_index.zero_shot_tools(saved_model)[0].call(text=WINE, concept=[])


class State(TypedDict, total=False):
    text: str
    answer: PredictionOutput


@pytest.fixture(scope="module")
def predictor() -> Any:
    model = ZeroShotClassifier(HashEncoder(32)).fit(["red wine", "cat food"], ["wine", "food"])
    yield ZeroShotPredictor(model)
    model.close()


def test_a_checkpoint_holds_a_prediction_without_a_warning(
    predictor: ZeroShotPredictor, caplog: pytest.LogCaptureFixture
) -> None:
    graph = StateGraph(State)
    graph.add_node("predict", lambda state: {"answer": predictor.invoke(state)})
    graph.add_edge(START, "predict")
    serde = JsonPlusSerializer(allowed_msgpack_modules=[PredictionOutput])
    compiled = graph.compile(InMemorySaver(serde=serde))
    config: Any = {"configurable": {"thread_id": "1"}}
    with caplog.at_level(logging.WARNING):
        compiled.invoke({"text": "white wine"}, config)
        answer = compiled.get_state(config).values["answer"]
    assert isinstance(answer, PredictionOutput)
    assert answer == predictor.invoke("white wine")
    assert not caplog.records
    assert PredictionOutput.__module__ == "langchain_zeroshot.schemas"
