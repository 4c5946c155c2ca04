"""Scores of one prediction against the truth, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.evaluation.metrics import coverage, interval_score, interval_width

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["interval_scores", "label_scores"]


def label_scores(answer: str, probabilities: Mapping[str, float], truth: str) -> dict[str, float]:
    """Score a label.

    Parameters
    ----------
    answer
        ``""`` where it is none of the labels.

    Returns
    -------
    dict
        ``correct`` and ``rejected``, 0 or 1, and ``probability``, that of the true label.
    """
    return {
        "correct": float(answer == truth),
        "rejected": float(answer == ""),
        "probability": probabilities.get(truth, 0.0),
    }


def interval_scores(
    forecast: npt.ArrayLike, interval: npt.ArrayLike, nominal: float, truth: npt.ArrayLike
) -> dict[str, float]:
    """Score a forecast of a number, or of a curve of t steps, in the unit of the truth.

    Parameters
    ----------
    interval
        Lower and upper ends, shape (2,) or (2, t).
    nominal
        Probability with which it is to hold the truth, in (0, 1).

    Returns
    -------
    dict
        ``absolute_error``, ``covered`` (whether the interval holds the truth, or the share of the steps),
        ``interval_width`` and `metrics.interval_score`; means over a curve.

    Raises
    ------
    InvalidInputError
        If the truth has another number of steps.
    """
    ends = np.atleast_2d(np.asarray(interval, dtype=np.float64).T)
    true = np.atleast_1d(np.asarray(truth, dtype=np.float64))
    if true.shape != (len(ends),):
        raise InvalidInputError(f"expected a truth of {len(ends)} numbers, got the shape {true.shape}")
    return {
        "absolute_error": float(np.abs(np.asarray(forecast, dtype=np.float64) - true).mean()),
        "covered": coverage(true, ends),
        "interval_width": interval_width(ends),
        "interval_score": interval_score(true, ends, nominal),
    }
