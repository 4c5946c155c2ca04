"""Predictions and paths in plain words."""

from __future__ import annotations

from collections.abc import Sequence

from zeroshot_core.types import Hit, Prediction, Relation, Value

__all__ = ["path_in_words", "prediction_in_words"]

_SHOWN = 3


def path_in_words(path: Sequence[Relation]) -> str:
    """Write a path as a chain, each step in the direction it was walked: ``query -near-> a <-part of- b``."""
    words, here = "", None
    for step in path:
        if step.tail == here:
            words += f" <-{step.type}- {step.head}"
            here = step.head
            continue
        if step.head != here:
            words += f"{'; ' if words else ''}{step.head}"
        words += f" -{step.type}-> {step.tail}"
        here = step.tail
    return words


def prediction_in_words(prediction: Prediction) -> str:
    """Say the value, its uncertainty, and the nearest items and concepts behind it.

    A language model's reason stands first, as it is written before the rest is known.
    """
    parts = [prediction.reason] if prediction.reason else []
    parts.append(f"Predicted {_value(prediction.value)}{_uncertainty(prediction)}.")
    if prediction.fallback:
        parts.append(f"Not chosen by the language model: {prediction.fallback}.")
    if prediction.evidence.items:
        parts.append(f"Nearest known: {_hits(prediction.evidence.items)}.")
    if prediction.evidence.concepts:
        parts.append(f"Concepts: {_hits(prediction.evidence.concepts)}.")
    paths = [path_in_words(hit.path) for hit in prediction.evidence.items if hit.path]
    if paths:
        parts.append(f"Through the graph: {paths[0]}.")
    return " ".join(parts)


def _uncertainty(prediction: Prediction) -> str:
    if prediction.interval is not None and prediction.coverage is not None:
        low, high = prediction.interval
        return f", with {prediction.coverage:.0%} probability between {_value(low)} and {_value(high)}"
    if prediction.probabilities:
        likely = sorted(prediction.probabilities.items(), key=lambda pair: -pair[1])[:_SHOWN]
        return f" ({', '.join(f'{label} {share:.0%}' for label, share in likely)})"
    return ""


def _value(value: Value) -> str:
    if isinstance(value, str):
        return value or "none of the labels"
    if isinstance(value, tuple):
        return "[" + ", ".join(f"{number:.4g}" for number in value) + "]"
    return f"{value:.4g}"


def _hits(hits: Sequence[Hit]) -> str:
    return ", ".join(f"{hit.text or hit.id} ({hit.score:.2f})" for hit in hits[:_SHOWN])
