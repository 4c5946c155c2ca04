"""Plots as SVG that takes its colours from the page, so that it is readable in light and in dark."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core.errors import require

if TYPE_CHECKING:
    from zeroshot_core.report.report_data import Calibration
    from zeroshot_core.types import Floats

__all__ = ["calibration_plot", "forecast_plot"]

_INK, _ACCENT = "#123456", "#654321"
_RC = {
    "svg.fonttype": "none",
    "svg.hashsalt": "zeroshot",
    "font.family": "sans-serif",
    "font.size": 11,
    "text.color": _INK,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def forecast_plot(truth: Floats, forecast: Floats, unit: str) -> str:
    """Density of forecast against truth on log axes, both plus 1, with the diagonal of perfect forecasts."""
    colors = require("matplotlib.colors", extra="demo")
    ends = [colors.to_rgba(_ACCENT, alpha) for alpha in (0.12, 1.0)]
    shades = colors.LinearSegmentedColormap.from_list("shades", ends)
    top = float(max(truth.max(), forecast.max(), 1)) + 1

    def draw(axes: Any) -> None:
        axes.hexbin(
            truth + 1,
            forecast + 1,
            xscale="log",
            yscale="log",
            bins="log",
            mincnt=1,
            gridsize=42,
            cmap=shades,
            extent=(0, np.log10(top), 0, np.log10(top)),
            linewidths=0,
        )
        axes.plot([1, top], [1, top], color=_INK, linewidth=1, linestyle=(0, (4, 3)))
        axes.set(xlabel=f"true {unit} + 1", ylabel=f"forecast {unit} + 1", xlim=(0.9, top), ylim=(0.9, top))

    return _svg("forecast", "Forecast against truth", draw)


def calibration_plot(calibration: Calibration) -> str:
    """Observed against nominal coverage, with the diagonal of honest intervals."""

    def draw(axes: Any) -> None:
        axes.plot([0, 1], [0, 1], color=_INK, linewidth=1, linestyle=(0, (4, 3)))
        axes.plot(calibration.nominal, calibration.observed, color=_ACCENT, marker="o", linewidth=2)
        axes.set(xlabel="nominal coverage", ylabel="observed coverage", xlim=(0, 1), ylim=(0, 1))
        axes.set_aspect("equal")

    return _svg("calibration", "Observed against nominal coverage", draw)


def _svg(name: str, label: str, draw: Any) -> str:
    """Draw on one square axes and give a labelled inline SVG whose ids don't clash with other figures'."""
    matplotlib = require("matplotlib", extra="demo")
    figure_type = require("matplotlib.figure", extra="demo").Figure
    file = io.StringIO()
    with matplotlib.rc_context(_RC):
        figure = figure_type(figsize=(5, 5), layout="constrained")
        draw(figure.add_subplot())
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    svg = re.sub(r"<metadata>.*?</metadata>", "", file.getvalue(), flags=re.DOTALL)
    svg = svg[svg.index("<svg") :].replace("<svg", f'<svg role="img" aria-label="{label}"', 1)
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    return svg.replace(_INK, "currentColor").replace(_ACCENT, "var(--accent)")
