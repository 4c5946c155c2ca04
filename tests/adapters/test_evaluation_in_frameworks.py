"""What the frameworks measure by: LlamaIndex's hit rate and MRR of our retriever, LangSmith's evaluators."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from llama_index.core.evaluation import RetrieverEvaluator
from toy_shop import toy_products
from zeroshot_core import InvalidInputError
from zeroshot_core.serving.loading import open_model

from langchain_zeroshot import ZeroShotPredictor, prediction_evaluators
from llama_index_zeroshot import ZeroShotRetriever

WINE = "dry red wine from Calabria, small bottle"


def test_llama_index_measures_our_retriever(saved_model: Path) -> None:
    items = toy_products()[0][::7]
    evaluator = RetrieverEvaluator.from_metric_names(
        ["hit_rate", "mrr"], retriever=ZeroShotRetriever(saved_model, k=3)
    )
    results = [evaluator.evaluate(f"{item.text}!", [item.id]) for item in items]
    for metric in ("hit_rate", "mrr"):
        assert sum(one.metric_vals_dict[metric] for one in results) / len(results) > 0.9


def scores(evaluators: list[Any], output: Any, truth: Any) -> dict[str, float]:
    (evaluate,) = evaluators
    found = evaluate(outputs={"output": output}, reference_outputs={"value": truth})
    return {one["key"]: one["score"] for one in found["results"]}


def test_labels_are_scored(saved_classifier: Path) -> None:
    output = ZeroShotPredictor(saved_classifier).invoke(WINE)
    right = scores(prediction_evaluators(), output, "red wine")
    assert right == {"correct": 1, "rejected": 0, "probability": output.probabilities["red wine"]}
    assert scores(prediction_evaluators(), output.model_dump(), "pasta")["correct"] == 0


def test_intervals_are_scored(saved_model: Path) -> None:
    output = ZeroShotPredictor(saved_model, coverage=0.8).invoke(WINE)
    low, high = output.interval
    inside = scores(prediction_evaluators("intervals"), output, (low + high) / 2)
    assert inside["covered"] == 1
    assert inside["interval_score"] == inside["interval_width"] == pytest.approx(high - low)
    above = scores(prediction_evaluators("intervals"), output, high + 1)
    assert (above["covered"], above["interval_score"]) == (0, pytest.approx(high - low + 10))
    assert above["absolute_error"] == pytest.approx(high + 1 - output.value)


def test_a_curve_is_scored_over_its_steps(saved_model: Path) -> None:
    one = ZeroShotPredictor(saved_model, coverage=0.8).invoke(WINE)
    curve = one.model_copy(update={"value": [1.0, 2.0], "interval": [[0.0, 1.0], [2.0, 3.0]]})
    found = scores(prediction_evaluators("intervals"), curve, [1.0, 4.0])
    assert found == {
        "absolute_error": 1,
        "covered": 0.5,
        "interval_width": 2,
        "interval_score": pytest.approx(7),
    }
    with pytest.raises(InvalidInputError, match="expected a truth of 2 numbers"):
        scores(prediction_evaluators("intervals"), curve, 1.0)


@pytest.mark.filterwarnings("ignore:'upload_results' parameter is in beta")
def test_langsmith_runs_them_offline(saved_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    langsmith = pytest.importorskip("langsmith")
    from uuid import uuid4

    from langsmith.schemas import Example

    monkeypatch.setenv("LANGSMITH_TRACING", "false")
    predictor = ZeroShotPredictor(saved_model)
    data = [Example(id=uuid4(), dataset_id=uuid4(), inputs={"text": WINE}, outputs={"value": 10})]
    results = langsmith.evaluate(
        lambda inputs: {"forecast": predictor.invoke(inputs)},
        data=data,
        evaluators=prediction_evaluators("intervals"),
        upload_results=False,
        client=langsmith.Client(api_url="http://127.0.0.1:1", api_key="none", auto_batch_tracing=False),
    )
    (row,) = results
    keys = {one.key for one in row["evaluation_results"]["results"]}
    assert keys == {"absolute_error", "covered", "interval_width", "interval_score"}


def test_what_cannot_be_scored_is_told(saved_classifier: Path) -> None:
    output = ZeroShotPredictor(open_model(saved_classifier)).invoke(WINE)
    with pytest.raises(InvalidInputError, match="expected of to be one of 'labels', 'intervals'"):
        prediction_evaluators("numbers")
    with pytest.raises(InvalidInputError, match="expected a forecast with an interval"):
        scores(prediction_evaluators("intervals"), output, 3)
    with pytest.raises(InvalidInputError, match="expected the output of a ZeroShotPredictor"):
        scores(prediction_evaluators(), "red wine", "red wine")
    with pytest.raises(InvalidInputError, match="reference_key names where it is"):
        scores(prediction_evaluators(reference_key="label"), output, "x")
