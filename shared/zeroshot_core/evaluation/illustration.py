"""Turn the findings of an evaluation into what the HTML report shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.evaluation import metrics
from zeroshot_core.evaluation.demand import DemandReport, Scores
from zeroshot_core.report import Calibration, Example, MetricColumn, MetricRow, ReportData, TotalRow

if TYPE_CHECKING:
    from zeroshot_core.types import Item

__all__ = ["illustrate"]

_COLUMNS = (
    MetricColumn(
        key="rmsle",
        label="RMSLE",
        meaning="root mean squared error of log(1 + value): relative errors count; 0.7 is a factor of 2.",
    ),
    MetricColumn(
        key="wape",
        label="WAPE",
        meaning="sum of all absolute errors over the true sum: at 0.5 half of it is misplaced.",
    ),
    MetricColumn(
        key="spearman",
        label="Spearman",
        best="high",
        meaning="whether what comes to more is forecast to: 1 is the right order, 0 none.",
    ),
    MetricColumn(
        key="total_ratio",
        label="total",
        best=1.0,
        meaning="sum of all forecasts over the true sum; 1 is right.",
    ),
    MetricColumn(
        key="coverage_90",
        label="coverage",
        best=0.9,
        meaning="share of the truth that the 90% intervals hold; 0.9 is right.",
    ),
    MetricColumn(
        key="interval_score_90",
        label="interval score",
        meaning="mean width of the 90% intervals, plus 20 times by how much the truth lies outside of them.",
    ),
    MetricColumn(
        key="crps",
        label="CRPS",
        meaning="how far the whole distribution that is forecast lies from the truth, in its unit.",
    ),
)
_NAMES = {
    "type_mean": "mean of the kind",
    "knn_vectors": "nearest by vectors alone",
    "catboost": "CatBoost",
    "catboost_text": "CatBoost with text",
}
_NEW = {
    "lines": "drawn at random",
    "launch": "launched later",
    "types": "of product types never sold before",
    "categories": "of product categories never sold before",
    "makers": "of makers never seen before",
}
_COVERAGES = np.array([0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95])
_MAX_CALIBRATION_ITEMS = 1000
_N_LISTED = 120
_MOST_GROUPS = 40
# Rank of the error, from the smallest to the largest, of what each example stands for.
_EXAMPLES = {"A good forecast": 0.1, "A typical forecast": 0.5, "A bad forecast": 0.98}


def illustrate(report: DemandReport, *, unit: str = "units") -> ReportData:
    """Draw up the page of an evaluation.

    Parameters
    ----------
    unit
        What was forecast.
    """
    named = {"zero-shot regressor": report.scores, **_without_graph(report), **report.baselines}
    examples, forecasts = _examples(report)
    grouped_by, totals = _totals(report)
    return ReportData(
        title=f"New items of {report.data}: {unit}",
        summary=_summary(report, unit),
        facts={
            "data": report.data,
            "split": report.split,
            "seed": str(report.seed),
            "known items": f"{report.n_train:,}",
            "new items": f"{report.n_test:,}",
            "seconds to learn and forecast": f"{report.seconds:.0f}",
        },
        columns=_COLUMNS,
        rows=tuple(
            MetricRow(
                name=_NAMES.get(name, name.replace("_", " ")),
                values=asdict(scores),
                is_ours=scores is report.scores,
            )
            for name, scores in named.items()
        ),
        truth=report.truth,
        forecast=report.forecast.mean,
        calibration=_calibration(report),
        examples=examples,
        forecasts=forecasts,
        totals=totals,
        grouped_by=grouped_by,
        notes=tuple(_graph_note(report)),
        unit=unit,
    )


def _summary(report: DemandReport, unit: str) -> str:
    """Say what was asked, what was learned, and how good it is."""
    new = _NEW.get(report.split, f"whose {report.split} is new")
    off = np.median(np.abs(np.log1p(report.truth) - np.log1p(report.forecast.mean)))
    name, best = min(report.baselines.items(), key=lambda pair: pair[1].rmsle)
    gain = 1 - report.scores.rmsle / best.rmsle
    against = f"{abs(gain):.0%} {'below' if gain > 0 else 'above'} that of the best baseline"
    scores, named = report.scores, _NAMES.get(name, name.replace("_", " "))
    return (
        f"Asked for the {unit} of {report.n_test:,} items {new}, having learned from {report.n_train:,} "
        f"known ones, the model is off by less than a factor of {np.exp(off):.1f} for half of them; its 90% "
        f"intervals hold {scores.coverage_90:.0%} of the truth, and all its forecasts add up to "
        f"{scores.total_ratio:.2f} times what there was. Its error (RMSLE) is {against}, {named}."
    )


def _without_graph(report: DemandReport) -> dict[str, Scores]:
    """Give the scores without the graph, where there is one."""
    return {} if report.no_graph == report.scores else {"the same without the graph": report.no_graph}


def _graph_note(report: DemandReport) -> list[str]:
    """Say what the graph is worth, where there is one."""
    found, with_, without = report.difference, report.scores.rmsle, report.no_graph.rmsle
    if report.no_graph == report.scores:
        return []
    low, high = sorted((abs(found.low), abs(found.high)))
    if found.low <= 0 <= found.high:
        return [
            "The knowledge graph does not measurably change the error: the squared log error differs by "
            f"{found.mean:+.3f} (95% interval {found.low:+.3f} to {found.high:+.3f}, paired bootstrap)."
        ]
    verb = "lowers" if found.high < 0 else "raises"
    return [
        f"The knowledge graph {verb} the error by {abs(1 - with_ / without):.0%}, from an RMSLE of "
        f"{without:.3f} without it to {with_:.3f} with it; it {verb} the squared log error by "
        f"{abs(found.mean):.3f} (95% interval {low:.3f} to {high:.3f}, paired bootstrap)."
    ]


def _calibration(report: DemandReport) -> Calibration:
    size = min(len(report.items), _MAX_CALIBRATION_ITEMS)
    sample = np.random.default_rng(report.seed).choice(len(report.items), size=size, replace=False)
    items, truth = [report.items[i] for i in sample], report.truth[sample]
    observed = [
        metrics.coverage(truth, np.maximum(report.model.predict_interval(items, coverage=float(nominal)), 0))
        for nominal in _COVERAGES
    ]
    return Calibration(nominal=_COVERAGES, observed=np.array(observed))


def _examples(report: DemandReport) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """Explain a good, a typical and a bad forecast, and list items spread over the range of the truth."""
    last = len(report.items) - 1
    by_error = np.argsort(
        metrics.squared_log_errors(report.truth, report.forecast.expectation), kind="stable"
    )
    by_truth = np.argsort(-report.truth, kind="stable")
    shown = {title: int(by_error[round(rank * last)]) for title, rank in _EXAMPLES.items()}
    listed = [
        int(by_truth[place]) for place in np.unique(np.linspace(0, last, _N_LISTED).round().astype(int))
    ]
    rows = list(dict.fromkeys([*shown.values(), *listed]))
    told = report.model.explain([report.items[row] for row in rows], contributions=True)
    explained = {
        row: Example(
            text=report.items[row].text or report.items[row].id,
            truth=float(report.truth[row]),
            prediction=prediction,
        )
        for row, prediction in zip(rows, told, strict=True)
    }
    worked = tuple(_worked(explained[row], title, report.known_units) for title, row in shown.items())
    return worked, tuple(explained[row] for row in listed)


def _worked(example: Example, title: str, known: Mapping[str, float]) -> Example:
    near = {hit.id for hit in example.prediction.evidence.items}
    values = {id_: value for id_, value in known.items() if id_ in near}
    return Example(
        text=example.text, truth=example.truth, prediction=example.prediction, title=title, values=values
    )


def _totals(report: DemandReport) -> tuple[str, tuple[TotalRow, ...]]:
    """Sum up by the finest column of categories that has no more groups than a page holds."""
    column, groups = _grouping(report.items)
    if not column:
        return "", ()
    sums: dict[str, float] = {}
    for group, truth in zip(groups, report.truth.tolist(), strict=True):
        sums[group] = sums.get(group, 0.0) + truth
    found = report.model.predict_total(report.items, by=groups)
    rows = [
        TotalRow(
            group=str(each.group),
            n=each.n,
            forecast=float(np.sum(each.total)),
            interval=(float(np.sum(each.interval[0])), float(np.sum(each.interval[1]))),
            truth=sums[str(each.group)],
        )
        for each in (found if isinstance(found, list) else [found])
    ]
    return column.replace("_", " "), tuple(sorted(rows, key=lambda row: -row.forecast))


def _grouping(items: Sequence[Item]) -> tuple[str, list[str]]:
    """Choose a column of the concepts, ``column:value``, with each item's value; ``""`` if none will do."""
    values: dict[str, list[str]] = {}
    for row, item in enumerate(items):
        for concept in item.concepts:
            column, _, value = concept.partition(":")
            values.setdefault(column, ["none"] * len(items))[row] = value
    counts = {column: len(set(of_items)) for column, of_items in values.items()}
    fitting = [column for column, count in counts.items() if 2 <= count <= _MOST_GROUPS]
    column = max(fitting, key=lambda name: counts[name], default="")
    return column, values.get(column, [])
