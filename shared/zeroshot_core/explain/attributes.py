"""Hits and predictions as attributes that every adapter hands on: values that JSON can hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from zeroshot_core.explain.wording import path_in_words

if TYPE_CHECKING:
    from zeroshot_core.types import Evidence, Hit, Prediction, Value

__all__ = [
    "CONCEPTS",
    "IMAGE",
    "evidence_attributes",
    "hit_reasons",
    "own_attributes",
    "prediction_attributes",
]

CONCEPTS: Final = "zeroshot_concepts"
IMAGE: Final = "zeroshot_image"
_ADDED = frozenset({"zeroshot_score", "zeroshot_parts", "zeroshot_path", CONCEPTS, IMAGE})


def hit_reasons(hit: Hit) -> dict[str, Any]:
    """Score, parts, path in words, concepts and image of a hit, JSON-able, by names that no item has."""
    image = {IMAGE: hit.image} if hit.image else {}
    return {
        **image,
        "zeroshot_score": float(hit.score),
        "zeroshot_parts": {name: float(part) for name, part in hit.parts.items()},
        "zeroshot_path": path_in_words(hit.path),
        CONCEPTS: list(hit.concepts),
    }


def own_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Give the attributes of an item without those of `hit_reasons`."""
    return {key: value for key, value in attributes.items() if key not in _ADDED}


def prediction_attributes(prediction: Prediction) -> dict[str, Any]:
    """Give value, uncertainty and reasons of a prediction as JSON-able values, without its evidence.

    What moved a forecast is there where it was asked for.
    """
    interval, moved = prediction.interval, [asdict(each) for each in prediction.contributions]
    return {
        "value": _json_value(prediction.value),
        "interval": None if interval is None else [_json_value(end) for end in interval],
        "coverage": prediction.coverage,
        "probabilities": dict(prediction.probabilities),
        "quantiles": {str(level): _json_value(value) for level, value in prediction.quantiles.items()},
        "reason": prediction.reason,
        "fallback": prediction.fallback,
        **({"contributions": moved, "typical": prediction.typical} if moved else {}),
    }


def evidence_attributes(evidence: Evidence) -> dict[str, Any]:
    """Give the paths to known items in words, by the items' ids."""
    return {"paths": {hit.id: path_in_words(hit.path) for hit in evidence.items if hit.path}}


def _json_value(value: Value) -> float | str | list[float]:
    return list(value) if isinstance(value, tuple) else value
