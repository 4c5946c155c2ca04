"""Fill the page: every text is escaped, nothing is loaded from elsewhere."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Literal

from zeroshot_core.explain.wording import contributions_in_words, path_in_words
from zeroshot_core.files import write_text
from zeroshot_core.report.figures import calibration_plot, forecast_plot
from zeroshot_core.report.filled_page import filled_page
from zeroshot_core.report.reasons import contribution_bars, evidence_paths
from zeroshot_core.report.report_data import Example, MetricColumn, MetricRow, ReportData, TotalRow
from zeroshot_core.types import Hit, Prediction, Value

__all__ = ["render_report", "write_report"]

_N_NEAREST = 2
_N_NEIGHBOURS = 8


def write_report(path: str | Path, data: ReportData) -> None:
    """Write one self-contained HTML file; it appears whole or not at all.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    """
    write_text(Path(path), render_report(data))


def render_report(data: ReportData) -> str:
    """Give the page as a string."""
    return filled_page(
        "page.html",
        title=data.title,
        summary=data.summary,
        facts=data.facts,
        notes="".join(f"<p>{escape(note)}</p>" for note in data.notes),
        metrics=_metrics_table(data.columns, data.rows),
        meanings="".join(
            f"<li><b>{escape(column.label)}</b>: {escape(column.meaning)}</li>"
            for column in data.columns
            if column.meaning
        ),
        forecasts=_forecasts(data.forecasts, data.unit),
        examples="".join(_example(example, data.unit) for example in data.examples),
        totals=_totals(data.totals, data.grouped_by, data.unit),
        forecast_plot=forecast_plot(data.truth, data.forecast, data.unit),
        calibration_plot=calibration_plot(data.calibration),
    )


def _metrics_table(columns: Sequence[MetricColumn], rows: Sequence[MetricRow]) -> str:
    best = {column.key: _best(column, rows) for column in columns}
    heads = ["Method", *(column.label for column in columns)]
    body = (
        _row(
            heads,
            [escape(row.name), *(_figure(row.values.get(key), bold=row.name in best[key]) for key in best)],
            css="ours" if row.is_ours else "",
        )
        for row in rows
    )
    return _table(heads, body)


def _best(column: MetricColumn, rows: Sequence[MetricRow]) -> set[str]:
    """Names of the methods that are best in a column, ties included."""
    if column.best is None:
        return set()
    losses = {
        row.name: _loss(row.values[column.key], column.best) for row in rows if column.key in row.values
    }
    return {name for name, loss in losses.items() if loss == min(losses.values())}


def _loss(value: float, best: Literal["low", "high"] | float) -> float:
    if best == "low":
        return value
    return -value if best == "high" else abs(value - best)


def _forecasts(examples: Sequence[Example], unit: str) -> str:
    """List forecasts in a table that the page's script lets one search and sort."""
    if not examples:
        return ""
    heads = ["new item", f"forecast {unit}", "interval", "truth", "nearest known", "because"]
    rows = (_forecast_row(heads, example) for example in examples)
    because = (
        '<p class="soft">Forecasts are means, which add up. The reasons say what moved the geometric mean, '
        "set against a typical known item.</p>"
        if any(example.prediction.contributions for example in examples)
        else ""
    )
    buttons = "".join(f'<th aria-sort="none"><button>{escape(head)}</button></th>' for head in heads)
    return (
        "<h2>The forecasts</h2>"
        f"{because}"
        '<p class="find"><label>Search <input type="search" id="search"></label> '
        f'<span id="count" aria-live="polite">{len(examples)} of {len(examples)}</span></p>'
        f'<table id="forecasts"><thead><tr>{buttons}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
    )


def _forecast_row(heads: Sequence[str], example: Example) -> str:
    prediction = example.prediction
    nearest = (hit.text or hit.id for hit in prediction.evidence.items[:_N_NEAREST])
    low = prediction.interval[0] if prediction.interval else None
    cells = [
        escape(example.text),
        _value(prediction.value),
        _interval(prediction),
        _amount(example.truth),
        escape("; ".join(nearest)),
        escape(_because(prediction)),
    ]
    keys = [None, _sort_key(prediction.value), _sort_key(low), example.truth, None, None]
    return _row(heads, cells, sort_keys=keys)


def _sort_key(value: Value | None) -> float | None:
    """Give the number by which a cell is sorted: a curve by its sum."""
    if isinstance(value, tuple):
        return float(sum(value))
    return value if isinstance(value, int | float) else None


def _because(prediction: Prediction) -> str:
    if prediction.contributions:
        return contributions_in_words(prediction.contributions)
    return path_in_words(next((hit.path for hit in prediction.evidence.items if hit.path), ()))


def _interval(prediction: Prediction) -> str:
    if prediction.interval is None:
        return ""
    return " to ".join(map(_value, prediction.interval))


def _example(example: Example, unit: str) -> str:
    prediction = example.prediction
    sentence = f"<b>{escape(example.text)}</b>: forecast {_value(prediction.value)} {escape(unit)}"
    if prediction.interval is not None and prediction.coverage is not None:
        low, high = map(_value, prediction.interval)
        sentence += f", with {prediction.coverage:.0%} probability between {low} and {high}"
    parts = [f"<h3>{escape(example.title)}</h3>", f"<p>{sentence}; true were {_value(example.truth)}.</p>"]
    bars, ways = (
        contribution_bars(prediction.contributions),
        evidence_paths(prediction.evidence),
    )
    if bars:
        parts += [f'<p class="soft">{_led(prediction, unit)}</p>', bars]
    if ways:
        parts += ['<p class="soft">Through the graph:</p>', ways]
    if prediction.evidence.items:
        parts += [_neighbours_table(example, unit)]
    return f"<section>{''.join(parts)}</section>"


def _led(prediction: Prediction, unit: str) -> str:
    """Say what contributions lead from and to, which is not the mean that is forecast."""
    moved = prediction.contributions
    if prediction.typical is None or not moved[0].is_relative:
        return "What moved it, set against a typical known item:"
    factor = math.exp(min(sum(each.amount for each in moved), 700.0))
    return (
        f"These lead from the {_amount(prediction.typical)} {escape(unit)} of a typical known item to "
        f"{_amount((1.0 + prediction.typical) * factor - 1.0)}, the geometric mean of what may come; the "
        "forecast is the arithmetic mean, which rare large amounts raise:"
    )


def _neighbours_table(example: Example, unit: str) -> str:
    hits = example.prediction.evidence.items[:_N_NEIGHBOURS]
    parts = list(dict.fromkeys(part for hit in hits for part in hit.parts))
    heads = ["Nearest known", "score", *parts, unit]
    return _table(
        heads, (_row(heads, _neighbour_cells(hit, parts, example.values.get(hit.id))) for hit in hits)
    )


def _neighbour_cells(hit: Hit, parts: Sequence[str], value: float | None) -> list[str]:
    scores = [hit.score, *(hit.parts.get(part) for part in parts)]
    return [escape(hit.text or hit.id), *map(_figure, scores), "" if value is None else _amount(value)]


def _totals(totals: Sequence[TotalRow], grouped_by: str, unit: str) -> str:
    """Show sums by group beside what they came to, and say how many intervals held it."""
    if not totals:
        return ""
    heads = [grouped_by, "items", f"forecast {unit}", "interval", "truth"]
    rows = (
        _row(
            heads,
            [
                escape(row.group),
                f"{row.n:,}",
                _amount(row.forecast),
                " to ".join(map(_amount, row.interval)),
                _amount(row.truth),
            ],
            css="" if row.interval[0] <= row.truth <= row.interval[1] else "missed",
        )
        for row in totals
    )
    held = sum(row.interval[0] <= row.truth <= row.interval[1] for row in totals)
    return (
        f"<h2>Totals by {escape(grouped_by)}</h2>"
        f"<p>The intervals hold the true sum of {held} of {len(totals)} groups; those missed are marked.</p>"
        f"{_table(heads, rows)}"
    )


def _value(value: Value) -> str:
    if isinstance(value, str):
        return escape(value)
    return ", ".join(map(_amount, value)) if isinstance(value, tuple) else _amount(value)


def _amount(value: float) -> str:
    """Write a number with one decimal below 100 and none above, and never a negative 0."""
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def _figure(value: float | None, *, bold: bool = False) -> str:
    if value is None:
        return ""
    text = f"{value:,.3f}" if abs(value) < 10 else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.1f}"
    text = text.removeprefix("-") if not text.strip("-0.") else text
    return f"<b>{text}</b>" if bold else text


def _table(heads: Iterable[str], rows: Iterable[str]) -> str:
    head = "".join(f"<th>{escape(head)}</th>" for head in heads)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _row(
    heads: Sequence[str],
    cells: Sequence[str],
    *,
    css: str = "",
    sort_keys: Sequence[float | None] | None = None,
) -> str:
    """Write a row; its cells know their column's head, which a narrow window shows beside them."""
    keys = sort_keys or [None] * len(cells)
    written = (
        f'<td data-head="{escape(head)}"{"" if key is None else f" data-key={chr(34)}{key!r}{chr(34)}"}>'
        f"<span>{cell}</span></td>"
        for head, cell, key in zip(heads, cells, keys, strict=True)
    )
    return f'<tr class="{css}">{"".join(written)}</tr>'
