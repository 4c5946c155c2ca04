"""Dates as numbers that go round: December is next to January."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import numpy as np

from zeroshot_core.checks import is_missing, shown
from zeroshot_core.errors import InvalidInputError

__all__ = ["DATE_CYCLES", "date_features", "dated_column", "month_in_words"]

DATE_CYCLES = {"season": 4, "month": 12, "week": 53, "weekday": 7}
"""What is read of a date, with the number of its values: the seasons begin in December, March, June and
September; the week is that of ISO 8601, and the weekday begins on Monday."""
_FEATURE = re.compile(rf"_(?:{'|'.join(DATE_CYCLES)})_(?:sin|cos)$")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)


def date_features(column: str, values: Sequence[Any]) -> dict[str, list[float]]:
    """Read season, month, week and weekday of dates as sine and cosine, NaN where a date is missing.

    The v-th of n values, counted from 0, becomes ``sin(2 pi v / n)`` and ``cos(2 pi v / n)``.

    Parameters
    ----------
    values
        Dates, times, or texts as ISO 8601 writes them, such as ``2024-03-31``.

    Returns
    -------
    dict of str to list of float
        ``<column>_<season|month|week|weekday>_<sin|cos>``, each of the length of `values`.

    Raises
    ------
    InvalidInputError
        If a value is no date.
    """
    days = [_day(column, row, value) for row, value in enumerate(values)]
    parts = {day: _parts(day) for day in set(days) if day is not None}
    nothing = (np.nan,) * len(DATE_CYCLES)
    table = np.array([nothing if day is None else parts[day] for day in days]).reshape(len(days), -1)
    angles = 2 * np.pi * table / list(DATE_CYCLES.values())
    return {
        f"{column}_{name}_{function.__name__}": function(angles[:, place]).tolist()
        for place, name in enumerate(DATE_CYCLES)
        for function in (np.sin, np.cos)
    }


def dated_column(feature: str) -> str:
    """Name of the column of dates that a feature is of; another name stays as it is."""
    return _FEATURE.sub("", feature)


def month_in_words(column: str, features: Mapping[str, Any]) -> str:
    """Name the month of a column's date by its features; ``""`` where there is none."""
    sine, cosine = (features.get(f"{column}_month_{name}") for name in ("sin", "cos"))
    if not isinstance(sine, float) or not isinstance(cosine, float):
        return ""
    return _MONTHS[round(math.atan2(sine, cosine) / (2 * math.pi) * 12) % 12]


def _parts(day: date) -> tuple[float, ...]:
    """Season, month, week and weekday, each counted from 0."""
    return (day.month % 12 // 3, day.month - 1, day.isocalendar()[1] - 1, day.weekday())


def _day(column: str, row: int, value: Any) -> date | None:
    """Day of a value, None where it is missing."""
    if is_missing(value) or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, np.datetime64):
        value = value.astype("datetime64[D]").item()
    try:
        day = datetime.fromisoformat(value.strip()) if isinstance(value, str) else value
    except ValueError:
        day = value
    if isinstance(day, datetime):
        return day.date()
    if isinstance(day, date):
        return day
    raise InvalidInputError(
        f"expected dates in column {shown(column)}, got {shown(value)} in row {row}; convert the column, as "
        "with pandas.to_datetime or polars' str.to_date"
    )
