"""What a predictor may be given, and what may be asked of it, in both frameworks."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.prompts import ChatPromptTemplate, PromptTemplate
from langchain_core.runnables import RunnablePassthrough
from zeroshot_core import InvalidInputError, ZeroShotClassifier
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.serving.loading import open_model

from langchain_zeroshot import ZeroShotPredictor, zero_shot_tools
from llama_index_zeroshot import ZeroShotQueryEngine

WINE = "dry red wine from Calabria, small bottle"
FORMS: dict[str, Any] = {
    "a message": HumanMessage(WINE),
    "a message of blocks": HumanMessage([{"type": "text", "text": WINE}]),
    "messages": [SystemMessage("help"), HumanMessage("pasta"), HumanMessage(WINE), AIMessage("hm")],
    "messages as pairs": [("system", "help"), ("human", WINE)],
    "messages as mappings": [{"role": "user", "content": WINE}],
    "the prompt of a chat model": ChatPromptTemplate([("system", "help"), ("human", "{x}")]).invoke(WINE),
    "a prompt": PromptTemplate.from_template("{x}").invoke(WINE),
    "a document": Document(page_content=WINE),
    "a mapping": {"text": WINE},
    "a mapping with more": {"text": WINE, "context": ["pages"], "question": None},
    "the state of a graph": {"messages": [("human", WINE)], "remaining_steps": 3},
}


@pytest.fixture
def predictor(saved_model: Path) -> ZeroShotPredictor:
    return ZeroShotPredictor(saved_model, evidence=False)


def test_one_text_in_any_form_is_one_question(predictor: ZeroShotPredictor) -> None:
    plain = predictor.invoke(WINE)
    for output in predictor.batch([*FORMS.values()]):
        assert (output.value, output.interval) == (plain.value, plain.interval)


def test_an_input_is_found_under_its_key(saved_model: Path, predictor: ZeroShotPredictor) -> None:
    plain = predictor.invoke(WINE)
    keyed = ZeroShotPredictor(saved_model, evidence=False, input_key="question")
    for form in (WINE, *FORMS.values()):
        state = {"text": "pasta", "question": form}
        assert keyed.invoke(state).value == predictor.invoke(state, input_key="question").value == plain.value
    chain = RunnablePassthrough.assign(forecast=keyed)
    assert chain.invoke({"question": WINE, "n": 3})["forecast"].value == plain.value


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"question": WINE}, r"got no text in \['question'\]"),
        ({"messages": []}, "expected a message of a human, got none among 0 messages"),
        ([AIMessage("hm")], "got none among 1 messages"),
        ([WINE, WINE], "batch takes a list of inputs"),
        ([3], "batch takes a list of inputs"),
        ({"text": WINE, "metdata": {}}, "did you mean 'metadata'"),
        ({"text": ["a"]}, "a text that is"),
        (HumanMessage(" "), "non-empty text"),
    ],
)
def test_what_holds_no_text_is_refused(predictor: ZeroShotPredictor, value: Any, told: str) -> None:
    with pytest.raises(InvalidInputError, match=told):
        predictor.invoke(value)


def test_a_key_that_is_not_there_is_told(predictor: ZeroShotPredictor) -> None:
    with pytest.raises(InvalidInputError, match=r"under 'q', got the keys \['text'\]; input_key names where"):
        predictor.invoke({"text": WINE}, input_key="q")


def test_a_forecast_is_what_is_asked_for(saved_model: Path, predictor: ZeroShotPredictor) -> None:
    model = open_model(saved_model)
    levels = [0.1, 0.5, 0.9]
    quantiles = dict(zip(map(str, levels), model.predict_quantile([WINE], levels)[0], strict=True))
    for statistic in ("expectation", "median", "geometric"):
        value = model.predict([WINE], statistic=statistic)[0]
        asked = {"statistic": statistic, "quantiles": levels}
        made = ZeroShotPredictor(saved_model, evidence=False, **asked)
        for output in (predictor.invoke(WINE, **asked), made.invoke(WINE)):
            assert output.value == pytest.approx(value)
            assert output.quantiles == pytest.approx(quantiles)
        response = ZeroShotQueryEngine(saved_model, evidence=False, **asked).query(WINE)
        assert response.metadata["value"] == pytest.approx(value)
        assert response.metadata["quantiles"] == pytest.approx(quantiles)
    assert predictor.invoke(WINE).value == pytest.approx(model.predict([WINE])[0])
    assert predictor.invoke(WINE).quantiles == {}


def test_what_moved_a_forecast_is_told_where_it_is_asked_for(
    saved_model: Path, predictor: ZeroShotPredictor
) -> None:
    moved = open_model(saved_model).explain([WINE], evidence=False, contributions=True)[0]
    expected = [asdict(each) for each in moved.contributions]

    output = predictor.invoke(WINE, contributions=True)
    engine = ZeroShotQueryEngine(saved_model, contributions=True)
    tools = {tool.name: tool for tool in zero_shot_tools(saved_model)}
    call = {"name": "zero_shot_explain", "type": "tool_call", "id": "1"}
    told = tools["zero_shot_explain"].invoke({**call, "args": {"text": WINE, "contributions": True}})

    assert json.loads(output.model_dump_json())["contributions"] == expected
    assert output.typical == moved.typical
    assert told.artifact.contributions == output.contributions
    assert "Set against a typical known item" in str(output)
    assert "Set against a typical known item" in told.content
    metadata = engine.query(WINE).metadata
    assert (metadata["contributions"], metadata["typical"]) == (expected, moved.typical)
    assert predictor.invoke(WINE).contributions == []
    assert "contributions" not in ZeroShotQueryEngine(saved_model).query(WINE).metadata


def test_a_classifier_may_be_asked_to_be_sure_or_to_answer_nothing(saved_classifier: Path) -> None:
    model, strange = open_model(saved_classifier), "quarterly report of the tax office"
    predictor = ZeroShotPredictor(saved_classifier, evidence=False)
    for asked in ({"reject": True}, {"confidence": 1.0}, {"reject": True, "confidence": 0.9}):
        expected = [str(label) for label in model.predict([WINE, strange], **asked)]
        made = ZeroShotPredictor(saved_classifier, evidence=False, **asked)
        engine = ZeroShotQueryEngine(saved_classifier, evidence=False, **asked)
        assert [output.value for output in predictor.batch([WINE, strange], **asked)] == expected
        assert [output.value for output in made.batch([WINE, strange])] == expected
        assert [engine.query(text).metadata["value"] for text in (WINE, strange)] == expected


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ({"reject": True}, "expected a classifier, whose labels a text can be none of"),
        ({"confidence": 0.5}, "expected a ZeroShotClassifier, .* leave confidence out"),
    ],
)
def test_a_regressor_is_not_asked_what_a_classifier_is(
    saved_model: Path, option: dict[str, Any], told: str
) -> None:
    for ask in (
        lambda: ZeroShotPredictor(saved_model, **option).invoke(WINE),
        lambda: ZeroShotPredictor(saved_model).invoke(WINE, **option),
        lambda: ZeroShotQueryEngine(saved_model, **option).query(WINE),
    ):
        with pytest.raises(InvalidInputError, match=told):
            ask()


def test_a_classifier_is_not_asked_what_a_regressor_is(saved_classifier: Path) -> None:
    for option in ({"statistic": "median"}, {"quantiles": [0.5]}, {"contributions": True}):
        with pytest.raises(InvalidInputError, match="expected a ZeroShotRegressor, which forecasts numbers"):
            ZeroShotPredictor(saved_classifier, **option).invoke(WINE)


@pytest.mark.parametrize("kind", [ZeroShotPredictor, ZeroShotQueryEngine])
def test_wrong_options_are_told_where_they_are_given(kind: Any) -> None:
    for option, told in [
        ({"statistic": "mean"}, "expected statistic to be one of 'expectation', 'median', 'geometric'"),
        ({"quantiles": [2]}, "expected quantiles as a number above 0 and below 1, got 2"),
        ({"confidence": 0}, "expected confidence as a number above 0 and at most 1, got 0"),
    ]:
        with pytest.raises(ValueError, match=told):
            kind("a folder", **option)


def test_a_mapping_may_be_a_row_of_the_table_that_the_model_was_fitted_on() -> None:
    frame = pd.DataFrame(
        {"name": [f"{kind} {n}" for kind in ("wine", "tea") for n in range(6)], "price": 2.5}
    )
    model = ZeroShotClassifier(HashEncoder(32))
    model.fit(
        frame.assign(aisle=["cellar"] * 6 + ["shelf"] * 6), text="name", numeric="price", target="aisle"
    )
    predictor = ZeroShotPredictor(model, evidence=False)

    rows = [{"name": "wine 9", "price": 3}, {"name": "tea 9", "price": None}]
    assert [output.value for output in predictor.batch(rows)] == model.predict(rows).tolist()
    with pytest.raises(InvalidInputError, match=r"expected a column 'price' in the table, .* 'prise'"):
        predictor.invoke({"name": "wine 9", "prise": 3})
    model.close()
