"""Evaluators of predictions, as LangSmith's `evaluate` takes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from zeroshot_core.checks import choice, shown, text
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.serving.argument_names import known_keywords

from langchain_zeroshot.schemas import PredictionOutput

__all__ = ["prediction_evaluators"]

Evaluator: TypeAlias = Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]]

_OF = ("labels", "intervals")


@known_keywords
def prediction_evaluators(of: str = "labels", *, reference_key: str = "value") -> list[Evaluator]:
    """Give evaluators of what `ZeroShotPredictor` answers, for ``langsmith.evaluate(evaluators=...)``.

    Of labels they say ``correct`` (0 or 1), ``rejected`` (whether none of the labels was the answer) and
    ``probability`` (that of the true label). Of forecasts ``absolute_error``, ``covered`` (whether the
    interval holds the truth), ``interval_width`` and ``interval_score`` (Gneiting and Raftery 2007; lower is
    better), all in the units of the target; means over a curve.

    Parameters
    ----------
    of
        ``"labels"`` or ``"intervals"``.
    reference_key
        Where in an example's outputs the truth is.

    Raises
    ------
    InvalidInputError
        Of `of` or `reference_key`; and by an evaluator, if an answer is no prediction or an example has no
        truth.
    """
    choice("of", of, _OF)
    text("reference_key", reference_key)
    scores = {"labels": _label_scores, "intervals": _interval_scores}[of]

    def evaluated(outputs: dict[str, Any], reference_outputs: dict[str, Any]) -> dict[str, Any]:
        found = scores(_prediction(outputs), _truth(reference_outputs, reference_key))
        return {"results": [{"key": key, "score": score} for key, score in found.items()]}

    evaluated.__name__ = f"zeroshot_{of}"
    return [evaluated]


def _prediction(outputs: Any) -> PredictionOutput:
    """Give the prediction among the outputs of a run: alone, under one key, or as its fields."""
    found = outputs
    if isinstance(outputs, Mapping) and len(outputs) == 1:
        (found,) = outputs.values()
    if isinstance(found, Mapping) and {"value", "probabilities"} <= found.keys():
        found = PredictionOutput.model_validate(found)
    if not isinstance(found, PredictionOutput):
        raise InvalidInputError(f"expected the output of a ZeroShotPredictor, got {shown(outputs)}")
    return found


def _truth(reference: Any, key: str) -> Any:
    if not isinstance(reference, Mapping) or reference.get(key) is None:
        raise InvalidInputError(
            f"expected the truth under {key!r} of an example's outputs, got {shown(reference)}; "
            "reference_key names where it is"
        )
    return reference[key]


def _label_scores(prediction: PredictionOutput, truth: Any) -> dict[str, float]:
    from zeroshot_core.evaluation.prediction_scores import label_scores

    return label_scores(str(prediction.value), prediction.probabilities, str(truth))


def _interval_scores(prediction: PredictionOutput, truth: Any) -> dict[str, float]:
    # The package opens all that measures, which none but these scores needs.
    from zeroshot_core.evaluation.prediction_scores import interval_scores

    value, interval, nominal = prediction.value, prediction.interval, prediction.coverage
    if interval is None or nominal is None or isinstance(value, str):
        raise InvalidInputError("expected a forecast with an interval, got one without; evaluate its labels")
    return interval_scores(value, interval, nominal, truth)
