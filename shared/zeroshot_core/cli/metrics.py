"""The table of metrics that `evaluate` and `demo` print."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from zeroshot_core.cli.console import write_line, write_table

if TYPE_CHECKING:
    from zeroshot_core.evaluation import DemandReport

__all__ = ["write_metrics"]

_HEADS = {
    "rmsle": "RMSLE",
    "wape": "WAPE",
    "spearman": "Spearman",
    "rmse": "RMSE",
    "total_ratio": "total",
    "coverage_90": "coverage .9",
    "interval_score_90": "interval score .9",
    "crps": "CRPS",
}
_METHODS = {
    "constant": "constant",
    "type_mean": "type mean",
    "knn_vectors": "vector-only kNN",
    "boosted_trees": "boosted trees",
    "catboost": "CatBoost",
    "catboost_text": "CatBoost with text",
}


def write_metrics(report: DemandReport) -> None:
    """Print the scores of the regressor (tuned too, and without the graph) and of every baseline."""
    methods = {
        "zero-shot regressor": report.scores,
        **({f"with a tuned encoder ({report.tuned.tune})": report.tuned.scores} if report.tuned else {}),
        "the same without the graph": report.no_graph,
        **{_METHODS.get(name, name): scores for name, scores in report.baselines.items()},
    }
    rows = []
    for name, scores in methods.items():
        figures = asdict(scores)
        rows.append((name, *(f"{figures[key]:,.3f}" for key in _HEADS)))
    title = f"New items of {report.data}: split {report.split}, seed {report.seed}"
    write_table(title, ("method", *_HEADS.values()), rows, numbers=range(1, len(_HEADS) + 1))
    if report.tuned:
        gain = report.tuned.difference
        write_line(
            f"Tuning changes the squared log error by {gain.mean:+.3f} "
            f"(95%: {gain.low:+.3f} to {gain.high:+.3f}); "
            f"{report.tuned.verdict}; {report.tuned.seconds:.0f} s"
        )
