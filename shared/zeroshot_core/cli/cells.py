"""Cells of the tables that people read."""

from __future__ import annotations

from zeroshot_core.explain.wording import contributions_in_words, path_in_words
from zeroshot_core.types import Prediction, Value

__all__ = [
    "because",
    "curve_cells",
    "interval_in_words",
    "nearest",
    "number_cells",
    "shares_in_words",
    "shortened",
    "value_in_words",
    "values_by_step",
]

_MAX_LENGTH = 48
_N_NEAREST = 2
_N_LIKELY = 3


def value_in_words(value: Value) -> str:
    """Write a number with one decimal below 100 and none above, a curve as its numbers."""
    if isinstance(value, str):
        return value or "none"
    if isinstance(value, tuple):
        return " ".join(map(value_in_words, value))
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}"


def interval_in_words(prediction: Prediction) -> str:
    """Write both ends; for a curve, those of each step."""
    if prediction.interval is None:
        return ""
    return ", ".join(_ends_in_words(low, high) for _, low, high in values_by_step(prediction))


def values_by_step(prediction: Prediction) -> list[tuple[Value, Value, Value]]:
    """Give value and ends of the interval of each step of a curve; a number is one step."""
    value, (low, high) = prediction.value, prediction.interval or ((), ())
    if isinstance(value, tuple) and isinstance(low, tuple) and isinstance(high, tuple):
        return list(zip(value, low, high, strict=True))
    return [(value, low, high)]


def number_cells(prediction: Prediction) -> list[str]:
    """Write a number and its interval, a cell each."""
    return [value_in_words(prediction.value), interval_in_words(prediction)]


def curve_cells(prediction: Prediction) -> list[str]:
    """Write a cell for each step of a curve: its value, and below it its interval."""
    return [
        f"{value_in_words(value)}\n{_ends_in_words(low, high)}"
        for value, low, high in values_by_step(prediction)
    ]


def _ends_in_words(low: Value, high: Value) -> str:
    return f"{value_in_words(low)} - {value_in_words(high)}"


def shares_in_words(prediction: Prediction) -> str:
    """Name the most probable answers, each with its probability."""
    likely = sorted(prediction.probabilities.items(), key=lambda pair: -pair[1])[:_N_LIKELY]
    return "; ".join(f"{shortened(name)} {share:.2f}" for name, share in likely)


def nearest(prediction: Prediction) -> str:
    """Name the nearest known items."""
    return "; ".join(shortened(hit.text or hit.id) for hit in prediction.evidence.items[:_N_NEAREST])


def because(prediction: Prediction) -> str:
    """Say what moved the forecast, where that is known; else what leads to the best item or concept."""
    if prediction.contributions:
        return contributions_in_words(prediction.contributions)
    evidence = prediction.evidence
    paths = (hit.path for hit in (*evidence.items, *evidence.concepts) if hit.path)
    return path_in_words(next(paths, ()))


def shortened(text: str) -> str:
    """Cut a text to what a cell of a table holds."""
    return text if len(text) <= _MAX_LENGTH else f"{text[: _MAX_LENGTH - 1].rstrip()}…"
