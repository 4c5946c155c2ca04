"""Forecasts as the columns of a table: a row an item, a column a statistic of a step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core.explain.wording import neighbours_in_words, shortened_text

if TYPE_CHECKING:
    from zeroshot_core.graph import KnowledgeGraph
    from zeroshot_core.regression.neighbour_features import Neighbours
    from zeroshot_core.regression.predictive_distribution import MixedForecast
    from zeroshot_core.regression.targets import Targets
    from zeroshot_core.types import Floats, Item

__all__ = ["evidence_columns", "forecast_columns", "nearest_ids"]

_N_NEAREST = 5
_N_NAMED = 3


def forecast_columns(
    forecast: MixedForecast, coverage: float, quantiles: Sequence[float], steps: Sequence[str]
) -> dict[str, list[float]]:
    """Take expectation, median, ends of the interval and quantiles out of one forecast of q items.

    Parameters
    ----------
    steps
        Names of a curve's steps; none for a number.

    Returns
    -------
    dict of str to list of float
        ``expected``, ``median``, ``low``, ``high``, and ``q10`` for a quantile of .1, each of length q; of a
        curve one for each step, as ``expected_<step>``.
    """
    low, high = forecast.interval(coverage)
    found: dict[str, Floats] = {
        "expected": forecast.expectation,
        "median": forecast.median,
        "low": low,
        "high": high,
        **{f"q{100 * q:g}": forecast.quantile(q) for q in quantiles},
    }
    if not steps:
        return {name: values[:, 0].tolist() for name, values in found.items()}
    return {
        f"{name}_{step}": values[:, place].tolist()
        for name, values in found.items()
        for place, step in enumerate(steps)
    }


def evidence_columns(
    items: Sequence[Item],
    found: Neighbours,
    ids: Sequence[str],
    known: Mapping[str, Item],
    targets: Targets,
    graph: KnowledgeGraph | None,
) -> dict[str, list[Any]]:
    """Say which known items are nearest, and what speaks for the forecast in words, from what was found.

    Parameters
    ----------
    found
        Known items near each of q, best first.
    ids
        Of the training items, by their rows.
    known
        Known items by id, as far as they are named in `found`.

    Returns
    -------
    dict of str to list of str
        ``nearest`` and ``reason``, each of length q.
    """
    totals = targets.values.mean(axis=1) if targets.kind == "real" else targets.values.sum(axis=1)
    nearest, reasons = [], []
    for item, rows, scores in zip(items, found.rows[:, :_N_NEAREST], found.scores, strict=True):
        rows = rows[rows >= 0]
        near = [known[ids[row]] for row in rows]
        named = zip(near[:_N_NAMED], scores.tolist(), strict=False)
        nearest.append("; ".join(f"{shortened_text(_name(one))} ({score:.2f})" for one, score in named))
        shared = _shared(item, near, graph)
        reasons.append(neighbours_in_words(totals[rows].tolist(), shared))
    return {"nearest": nearest, "reason": reasons}


def nearest_ids(found: Neighbours, ids: Sequence[str]) -> list[str]:
    """Ids of the known items that `evidence_columns` names, each once."""
    rows = np.unique(found.rows[:, :_N_NEAREST])
    return [ids[row] for row in rows[rows >= 0]]


def _name(item: Item) -> str:
    return item.text or item.id


def _shared(item: Item, near: Sequence[Item], graph: KnowledgeGraph | None) -> tuple[str, int]:
    """Type and name of the concept that an item shares with most of those near it, and with how many."""
    counts = Counter(concept for one in near for concept in one.concepts)
    best = max(item.concepts, key=lambda concept: counts[concept], default="")
    if graph is None or not counts[best]:
        return "", 0
    concept = graph.concepts[best]
    return f"{concept.type} {concept.name!r}", counts[best]
