"""What a report shows: plain records, no estimators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.types import Prediction

if TYPE_CHECKING:
    from zeroshot_core.types import Floats

__all__ = ["Calibration", "Example", "MetricColumn", "MetricRow", "ReportData", "TotalRow"]


@dataclass(frozen=True, kw_only=True)
class MetricColumn:
    """A column of the table of metrics.

    Parameters
    ----------
    key
        Name of the metric in `MetricRow.values`.
    label
        What the column's head says.
    best
        ``low``, ``high``, or the value nearest to which is best; the best of each column is set in bold,
        unless this is None.
    meaning
        What it measures, in a line; ``""`` leaves it unexplained.
    """

    key: str
    label: str
    best: Literal["low", "high"] | float | None = "low"
    meaning: str = ""


@dataclass(frozen=True, kw_only=True)
class MetricRow:
    """A method and its metrics; `is_ours` sets the row apart."""

    name: str
    values: Mapping[str, float]
    is_ours: bool = False


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Coverage that intervals claim and the share of the truth that they held, both shape (n,), in 0..1."""

    nominal: Floats
    observed: Floats


@dataclass(frozen=True, kw_only=True)
class Example:
    """One forecast with its evidence.

    Parameters
    ----------
    text
        What was known of the new item.
    truth
        What it turned out to be.
    prediction
        Forecast, interval, evidence, and what moved it.
    title
        What it is an example of; ``""`` for a row among others.
    values
        Known values of the neighbours, by item id.
    """

    text: str
    truth: float
    prediction: Prediction
    title: str = ""
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TotalRow:
    """What the `n` items of a group were forecast to come to, with an interval, and what they came to."""

    group: str
    n: int
    forecast: float
    interval: tuple[float, float]
    truth: float


@dataclass(frozen=True, kw_only=True)
class ReportData:
    """All that a report shows.

    Parameters
    ----------
    summary
        What was asked, what was learned, and how good it is, in a sentence or two.
    facts
        Label and value of what was done: data, split, seed, sizes.
    notes
        Findings in full sentences.
    unit
        What `truth` and `forecast` count, for the axes.
    truth, forecast
        Shape (n,), n > 0, values >= 0.
    examples
        The forecasts that are explained one by one.
    forecasts
        Those that are listed, to be searched and sorted.
    totals, grouped_by
        Sums by group, and what the groups are; empty for none.

    Raises
    ------
    InvalidInputError
        If truth and forecast are not two vectors of one length above 0, with values of at least 0.
    """

    title: str
    summary: str = ""
    facts: Mapping[str, str]
    columns: tuple[MetricColumn, ...]
    rows: tuple[MetricRow, ...]
    truth: Floats
    forecast: Floats
    calibration: Calibration
    examples: tuple[Example, ...]
    forecasts: tuple[Example, ...] = ()
    totals: tuple[TotalRow, ...] = ()
    grouped_by: str = ""
    notes: tuple[str, ...] = ()
    unit: str = "units"

    def __post_init__(self) -> None:
        if self.truth.ndim != 1 or self.truth.shape != self.forecast.shape or not self.truth.size:
            raise InvalidInputError(
                "expected truth and forecast of one length above 0, "
                f"got shapes {self.truth.shape} and {self.forecast.shape}"
            )
        lowest = min(self.truth.min(), self.forecast.min())
        if not lowest >= 0:
            raise InvalidInputError(f"expected values of at least 0 for log axes, got {lowest}; clip them")
