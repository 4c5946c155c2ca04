"""Fill the page: every text is escaped, nothing is loaded from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Literal

from zeroshot_core.files import write_text
from zeroshot_core.report.evidence import evidence_graph
from zeroshot_core.report.figures import calibration_plot, forecast_plot
from zeroshot_core.report.report_data import Example, MetricColumn, MetricRow, ReportData
from zeroshot_core.types import Hit, Value

__all__ = ["render_report", "write_report"]


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
    template = Template(files("zeroshot_core.report").joinpath("page.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=escape(data.title),
        facts="".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in data.facts.items()),
        notes="".join(f"<p>{escape(note)}</p>" for note in data.notes),
        metrics=_metrics_table(data.columns, data.rows),
        forecast_plot=forecast_plot(data.truth, data.forecast, data.unit),
        calibration_plot=calibration_plot(data.calibration),
        example=_example(data.example, data.unit),
        evidence_graph=evidence_graph(data.example.text, data.example.prediction.evidence),
        neighbours=_neighbours_table(data.example, data.unit),
    )


def _metrics_table(columns: Sequence[MetricColumn], rows: Sequence[MetricRow]) -> str:
    best = {column.key: _best(column, rows) for column in columns}
    body = (
        _row(
            [escape(row.name), *(_figure(row.values.get(key), bold=row.name in best[key]) for key in best)],
            css="ours" if row.is_ours else "",
        )
        for row in rows
    )
    return _table(["Method", *(column.label for column in columns)], body)


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


def _neighbours_table(example: Example, unit: str) -> str:
    hits = example.prediction.evidence.items
    parts = list(dict.fromkeys(part for hit in hits for part in hit.parts))
    body = (_row(_neighbour_cells(hit, parts, example.values.get(hit.id))) for hit in hits[:12])
    return _table(["Neighbour", "score", *parts, unit], body)


def _neighbour_cells(hit: Hit, parts: Sequence[str], value: float | None) -> list[str]:
    scores = [hit.score, *(hit.parts.get(part) for part in parts)]
    return [escape(hit.text or hit.id), *map(_figure, scores), "" if value is None else _amount(value)]


def _example(example: Example, unit: str) -> str:
    prediction = example.prediction
    sentence = f"<b>{escape(example.text)}</b>: forecast {_value(prediction.value)} {escape(unit)}"
    if prediction.interval is not None and prediction.coverage is not None:
        low, high = map(_value, prediction.interval)
        sentence += f", with {prediction.coverage:.0%} probability between {low} and {high}"
    return f"{sentence}; true were {_value(example.truth)}."


def _value(value: Value) -> str:
    if isinstance(value, str):
        return escape(value)
    return ", ".join(map(_amount, value)) if isinstance(value, tuple) else _amount(value)


def _amount(value: float) -> str:
    return f"{value:,.1f}".removesuffix(".0")


def _figure(value: float | None, *, bold: bool = False) -> str:
    if value is None:
        return ""
    text = f"{value:,.3f}" if abs(value) < 10 else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.1f}"
    return f"<b>{text}</b>" if bold else text


def _table(heads: Iterable[str], rows: Iterable[str]) -> str:
    head = "".join(f"<th>{escape(head)}</th>" for head in heads)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _row(cells: Iterable[str], *, css: str = "") -> str:
    return f'<tr class="{css}">' + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
