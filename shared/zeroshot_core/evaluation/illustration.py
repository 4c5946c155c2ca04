"""Turn the findings of an evaluation into what the HTML report shows."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from zeroshot_core.evaluation import metrics
from zeroshot_core.evaluation.demand import DemandReport
from zeroshot_core.report import Calibration, Example, MetricColumn, MetricRow, ReportData

__all__ = ["illustrate"]

_COLUMNS = (
    MetricColumn(key="rmsle", label="RMSLE"),
    MetricColumn(key="wape", label="WAPE"),
    MetricColumn(key="spearman", label="Spearman", best="high"),
    MetricColumn(key="pinball_90", label="pinball .9"),
    MetricColumn(key="coverage_90", label="coverage of 90% intervals", best=0.9),
    MetricColumn(key="width_90", label="their width", best=None),
    MetricColumn(key="top_decile_lift", label="top-decile lift", best="high"),
)
_COVERAGES = np.array([0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95])
_MAX_CALIBRATION_ITEMS = 1000


def illustrate(report: DemandReport) -> ReportData:
    """Draw up the page of an evaluation, with intervals at several coverages and one typical forecast."""
    named = {"zero-shot regressor": report.scores, "without the graph": report.no_graph, **report.baselines}
    return ReportData(
        title="Demand of new products",
        facts={
            "split": report.split,
            "seed": str(report.seed),
            "known lines": f"{report.n_train:,}",
            "new lines": f"{report.n_test:,}",
            "seconds": f"{report.seconds:.0f}",
        },
        columns=_COLUMNS,
        rows=tuple(
            MetricRow(name=name.replace("_", " "), values=asdict(scores), is_ours=scores is report.scores)
            for name, scores in named.items()
        ),
        truth=report.truth,
        forecast=report.forecast.mean,
        calibration=_calibration(report),
        example=_typical_example(report),
        notes=(_graph_note(report),),
    )


def _calibration(report: DemandReport) -> Calibration:
    size = min(len(report.items), _MAX_CALIBRATION_ITEMS)
    sample = np.random.default_rng(report.seed).choice(len(report.items), size=size, replace=False)
    items, truth = [report.items[i] for i in sample], report.truth[sample]
    observed = [
        metrics.coverage(truth, np.maximum(report.model.predict_interval(items, coverage=float(nominal)), 0))
        for nominal in _COVERAGES
    ]
    return Calibration(nominal=_COVERAGES, observed=np.array(observed))


def _typical_example(report: DemandReport) -> Example:
    """Explain the new line with the median error, neither the best case nor the worst."""
    errors = metrics.squared_log_errors(report.truth, report.forecast.mean)
    middle = int(np.argsort(errors, kind="stable")[len(errors) // 2])
    item = report.items[middle]
    return Example(
        text=item.text or item.id,
        truth=float(report.truth[middle]),
        prediction=report.model.explain([item])[0],
        values=report.known_units,
    )


def _graph_note(report: DemandReport) -> str:
    found = report.difference
    verdict = "lowers" if found.high < 0 else "raises" if found.low > 0 else "does not measurably change"
    return (
        f"The knowledge graph {verdict} the squared log error: {found.mean:+.4f} "
        f"(95% interval {found.low:+.4f} to {found.high:+.4f}, paired bootstrap)."
    )
