"""Calls on tables, and of all that a regressor forecasts, each right as it stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, NamedTuple

import numpy as np
from zeroshot_core import (
    NoveltyDetector,
    TableSchema,
    ZeroShotClassifier,
    ZeroShotRegressor,
    items_from_frame,
)
from zeroshot_core.types import predictions_frame

from scripts.stability.samples import ENCODER, GRAPH, KINDS, PLACES, stock

__all__ = ["Call", "frame_calls"]

_N = 24
_SCHEMA = TableSchema(
    text=["name", "place"],
    concepts=["kind", "place"],
    numeric="price",
    dates="since",
    id="sku",
    target=["units"],
)


class Call(NamedTuple):
    """A call that is right as it stands."""

    function: Callable[..., Any]
    arguments: Mapping[str, Any]


def frame_calls() -> dict[str, Call]:
    """Fit what is called on a table."""
    import pandas as pd

    table = pd.DataFrame(list(map(_row, range(_N))))
    new = table.drop(columns="units").tail(3)
    regressor = ZeroShotRegressor(ENCODER, top_k=5).fit(table, schema=_SCHEMA)
    curves = ZeroShotRegressor(ENCODER, GRAPH, top_k=5).fit(
        stock(range(_N)), np.arange(_N * 3.0).reshape(_N, 3) % 7
    )
    asked = {name: cell for name, cell in _row(30).items() if name != "units"}
    return {
        **_reading(table),
        **_forecasts("table", regressor, new),
        **_forecasts("curves", curves, stock([3, 30])),
        "cells.predict_frame": Call(lambda **row: regressor.predict_frame([row]), asked),
        "cells.explain": Call(lambda **row: regressor.explain([row]), asked),
    }


def _row(n: int) -> dict[str, Any]:
    return {
        "sku": n,
        "name": f"article {n}",
        "kind": KINDS[n % len(KINDS)],
        "place": PLACES[n % len(PLACES)],
        "price": n / 4,
        "since": date(2020, 1 + n % 12, 3),
        "units": float(n % 5),
    }


def _reading(table: Any) -> dict[str, Call]:
    """Read tables, and rows of which one has cells of another kind."""
    schema = {
        "text": ["name"],
        "concepts": ["kind", "place"],
        "numeric": ["price"],
        "dates": ["since"],
        "id": "sku",
        "target": "units",
        "edges": [("kind", "place")],
    }

    def fit_regressor(**arguments: Any) -> Any:
        return ZeroShotRegressor(ENCODER, top_k=5).fit(arguments.pop("X"), **arguments)

    def fit_classifier(**arguments: Any) -> Any:
        return ZeroShotClassifier(ENCODER).fit(arguments.pop("X"), **arguments)

    def fit_cells(**cells: Any) -> Any:
        rows = [{**_row(n), **(cells if n == 3 else {})} for n in range(_N)]
        return ZeroShotRegressor(ENCODER, top_k=5).fit(rows, schema=_SCHEMA)

    return {
        "TableSchema": Call(TableSchema, schema),
        "items_from_frame": Call(items_from_frame, {"frame": table, "schema": _SCHEMA, "graph": None}),
        "table.regressor.fit": Call(
            fit_regressor,
            {"X": table, "y": None, "groups": "kind", "missing": "raise", "schema": None, **schema},
        ),
        "table.classifier.fit": Call(
            fit_classifier, {"X": table, "text": ["name"], "concepts": ["place"], "target": "kind"}
        ),
        "table.detector.fit": Call(
            lambda X, **columns: NoveltyDetector(ENCODER).fit(X, **columns), {"X": table, "text": ["name"]}
        ),
        "cells.fit": Call(fit_cells, _row(3)),
        "targets.fit": Call(
            lambda y, missing: ZeroShotRegressor(ENCODER, GRAPH, top_k=5).fit(
                stock(range(6)), y, missing=missing
            ),
            {"y": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], "missing": "drop"},
        ),
    }


def _few(X: Any) -> Any:
    """Cut a list: to say what moved forecasts takes fifty times as long as to forecast."""
    return X[:20] if isinstance(X, list) else X


def _forecasts(prefix: str, regressor: ZeroShotRegressor, new: Any) -> dict[str, Call]:
    """All that a regressor forecasts."""
    told = regressor.explain(new)
    values: list[Any] = [1.0, 2.5]
    calls = {
        "predict": Call(regressor.predict, {"X": new, "statistic": "median"}),
        "predict_quantile": Call(regressor.predict_quantile, {"X": new, "q": [0.1, 0.9]}),
        "predict_interval": Call(regressor.predict_interval, {"X": new, "coverage": 0.8}),
        "predict_frame": Call(regressor.predict_frame, {"X": new, "coverage": 0.9, "quantiles": [0.1]}),
        "predict_total": Call(
            regressor.predict_total, {"X": new, "by": ["a", "b", "a"][: len(new)], "coverage": 0.9}
        ),
        "order_quantity": Call(regressor.order_quantity, {"X": new, "cost_under": 3.0, "cost_over": 1.0}),
        "whatif": Call(regressor.whatif, {"X": new, "column": "price", "values": values, "coverage": 0.9}),
        "contributions": Call(lambda X: regressor.contributions(_few(X)), {"X": new}),
        "explain": Call(
            lambda X, **options: regressor.explain(_few(X), **options),
            {
                "X": new,
                "statistic": "geometric",
                "contributions": True,
                "quantiles": [0.5],
                "evidence": False,
            },
        ),
        "predictions_frame": Call(predictions_frame, {"predictions": told, "like": None}),
    }
    return {f"{prefix}.{name}": call for name, call in calls.items()}
