from __future__ import annotations

import asyncio
import copy
from pathlib import Path
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.load import dumps, loads
from langchain_core.runnables import ConfigurableField
from toy_shop import toy_products
from zeroshot_core import InvalidInputError, Item
from zeroshot_core.serving.loading import open_model

from langchain_zeroshot import PredictionOutput, ZeroShotPredictor, ZeroShotRetriever
from langchain_zeroshot._convert import to_items

WINE = "dry red wine from Calabria, small bottle"


class Events(BaseCallbackHandler):
    def __init__(self) -> None:
        self.seen: list[str] = []

    def on_chain_start(self, serialized: Any, inputs: Any, **kwargs: Any) -> None:
        self.seen.append("start")

    def on_chain_end(self, outputs: Any, **kwargs: Any) -> None:
        self.seen.append("end")

    def on_chain_error(self, error: BaseException, **kwargs: Any) -> None:
        self.seen.append("error")


def told(output: PredictionOutput) -> tuple[Any, ...]:
    """All that is told; trees that vote in parallel may differ in the last digits of the numbers."""
    numbers = tuple(round(number, 6) for number in (output.value, *output.interval))
    return output.id, numbers, output.coverage, output.explanation, [d.id for d in output.documents]


@pytest.fixture
def predictor(saved_model: Path) -> ZeroShotPredictor:
    return ZeroShotPredictor(model=saved_model)


@pytest.fixture
def explained(saved_model: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of the calls that reach the model."""
    model, sizes = open_model(saved_model), []
    whole = model.explain

    def counted(X: Any, **options: Any) -> Any:
        sizes.append(len(X))
        return whole(X, **options)

    monkeypatch.setattr(model, "explain", counted)
    return sizes


def test_predicts_what_the_model_predicts_with_its_reasons(
    predictor: ZeroShotPredictor, saved_model: Path
) -> None:
    output = predictor.invoke(WINE)
    assert isinstance(output, PredictionOutput)
    assert output.value == pytest.approx(float(open_model(saved_model).predict([WINE])[0]))
    low, high = output.interval
    assert low <= high
    assert output.coverage == 0.9
    assert output.documents[0].metadata["aisle"] == "drinks"
    assert "Nearest known" in output.explanation
    assert str(output) == output.explanation


def test_all_kinds_of_input_say_the_same(predictor: ZeroShotPredictor) -> None:
    concepts, metadata = ["kind:red wine"], {"aisle": "drinks", "size": "small", "rank": 1}
    kinds = [
        {"id": "new", "text": WINE, "concepts": concepts, "metadata": metadata},
        Document(id="new", page_content=WINE, metadata={**metadata, "concepts": concepts, "score": 0.5}),
        Item(id="new", text=WINE, concepts=tuple(concepts), metadata=metadata),
    ]
    before = copy.deepcopy(kinds)
    outputs = predictor.batch(kinds)
    assert told(outputs[0]) == told(outputs[1]) == told(outputs[2])
    assert kinds == before


def test_a_retrieved_document_is_the_item_that_it_came_from(saved_model: Path) -> None:
    document = ZeroShotRetriever(model=saved_model, k=1).invoke(WINE)[0]
    assert to_items([document]) == [item for item in toy_products()[0] if item.id == document.id]


def test_batch_is_one_call_of_the_model(predictor: ZeroShotPredictor, explained: list[int]) -> None:
    texts = [WINE, "cat food", "pasta"]
    single = [predictor.invoke(text).value for text in texts]
    events = Events()
    assert [output.value for output in predictor.batch(texts, {"callbacks": [events]})] == pytest.approx(
        single
    )
    assert [output.value for output in asyncio.run(predictor.abatch(texts))] == pytest.approx(single)
    assert explained == [1, 1, 1, 3, 3]
    assert sorted(events.seen) == ["end"] * 3 + ["start"] * 3


def test_batch_may_return_the_errors_in_their_places(predictor: ZeroShotPredictor) -> None:
    inputs = [WINE, {"concepts": []}, {"text": "wine", "concepts": ["kind:unheard of"]}, 7]
    outputs = predictor.batch(inputs, return_exceptions=True)
    assert outputs[0].value == pytest.approx(predictor.invoke(WINE).value)
    assert all(isinstance(output, InvalidInputError) for output in outputs[1:])
    assert "got no text" in str(outputs[1])
    assert "or an item, got int" in str(outputs[3])
    with pytest.raises(InvalidInputError):
        predictor.batch(inputs)
    assert isinstance(asyncio.run(predictor.abatch(inputs, return_exceptions=True))[3], InvalidInputError)


def test_errors_reach_the_callbacks(predictor: ZeroShotPredictor) -> None:
    events = Events()
    with pytest.raises(InvalidInputError):
        predictor.invoke(" ", {"callbacks": [events]})
    assert events.seen == ["start", "error"]


def test_coverage_and_top_k_may_be_given_per_call_or_configured(predictor: ZeroShotPredictor) -> None:
    output = predictor.invoke(WINE, coverage=0.5, top_k=2)
    assert output.coverage == 0.5
    assert len(output.documents) == 2
    assert told(predictor.bind(coverage=0.5, top_k=2).invoke(WINE)) == told(output)
    open_to_change = predictor.configurable_fields(
        coverage=ConfigurableField(id="coverage"), top_k=ConfigurableField(id="top_k")
    )
    configured = open_to_change.invoke(WINE, {"configurable": {"coverage": 0.5, "top_k": 2}})
    assert told(configured) == told(output)


def test_the_loop_keeps_turning_while_a_prediction_runs(
    predictor: ZeroShotPredictor, saved_model: Path, monkeypatch: pytest.MonkeyPatch, ticks_during: Any
) -> None:
    assert ticks_during(open_model(saved_model), "explain", lambda: predictor.ainvoke(WINE)) >= 5
    assert ticks_during(open_model(saved_model), "explain", lambda: predictor.abatch([WINE, WINE])) >= 5


def test_schemas_come_from_the_types(predictor: ZeroShotPredictor) -> None:
    assert set(predictor.get_output_jsonschema()["properties"]) >= {"value", "interval", "explanation"}


def test_as_tool_takes_what_an_agent_sends(predictor: ZeroShotPredictor) -> None:
    tool = predictor.as_tool(name="demand", description="Predict demand")
    assert "text" in tool.args
    call = {"name": "demand", "args": {"text": WINE}, "id": "1", "type": "tool_call"}
    assert tool.invoke(call).content == predictor.invoke(WINE).explanation


@pytest.mark.filterwarnings("ignore:The function `loads` is in beta")
def test_round_trip_predicts_the_same(predictor: ZeroShotPredictor) -> None:
    again = loads(
        dumps(predictor), allowed_objects=[ZeroShotPredictor], valid_namespaces=["langchain_zeroshot"]
    )
    assert told(again.invoke(WINE)) == told(predictor.invoke(WINE))


def test_a_loaded_model_serves_as_well_as_its_folder(saved_model: Path, predictor: ZeroShotPredictor) -> None:
    loaded = ZeroShotPredictor(model=open_model(saved_model))
    assert told(loaded.invoke(WINE)) == told(predictor.invoke(WINE))


def test_something_that_is_no_model_is_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"expected the folder of a saved model, .* got int"):
        ZeroShotPredictor(model=3).invoke(WINE)
