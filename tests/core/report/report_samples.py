"""A report of a shop that was never asked, with all that a page can show."""

from __future__ import annotations

import numpy as np
from zeroshot_core.report import Calibration, Example, MetricColumn, MetricRow, ReportData, TotalRow
from zeroshot_core.types import Contribution, Evidence, Hit, Prediction, Relation

PATH = (
    Relation(head="query", type="mentions", tail="product_type:LAGER"),
    Relation(head="product_type:LAGER", type="product_category", tail="product_category:BEER"),
    Relation(head="ale", type="product_category", tail="product_category:BEER"),
)
NEAR = (Relation(head="query", type="mentions", tail="product_type:STOUT", weight=0.4),)
ODD = (Relation(head="query", type="mentions", tail='"><b>'),)
SCRIPT = "<script>alert(1)</script>"
KINDS = ("lager", "stout", "pale ale", "alcohol-free wheat beer", "cider with a name that goes on and on")


def evidence() -> Evidence:
    return Evidence(
        items=(
            Hit(
                id="ale",
                kind="item",
                score=0.83,
                text="ale, beer & $ales$",
                parts={"graph": 0.3, "vector": -0.0},
                path=PATH,
            ),
            Hit(id="stout", kind="item", score=0.71, text="stout <b>dark</b>", parts={"vector": 0.71}),
        ),
        concepts=(
            Hit(id="product_type:LAGER", kind="concept", score=0.9, text="LAGER", path=PATH[:1]),
            Hit(id="product_type:STOUT", kind="concept", score=0.4, text="STOUT", path=NEAR),
            Hit(id='"><b>', kind="concept", score=0.3, text='"><b>', path=ODD),
            Hit(id="pets", kind="concept", score=0.0, text="PETS", path=NEAR),
        ),
    )


def contributions() -> tuple[Contribution, ...]:
    return (
        Contribution(kind="neighbours", amount=1.5, is_relative=True),
        Contribution(kind="concepts", name="product_type", said="LAGER <3", amount=0.337, is_relative=True),
        Contribution(kind="column", name="price", said="3.99", amount=-0.128, is_relative=True),
        Contribution(kind="text", amount=-0.0001, is_relative=True),
    )


def forecast(place: int) -> Example:
    value = float(2 ** (place % 12)) * (1 + place % 3)
    return Example(
        text=f"{KINDS[place % len(KINDS)]} number {place}, a bottle of {place % 7} litres",
        truth=float((place * 37) % 101),
        prediction=Prediction(
            id=str(place),
            value=value,
            interval=(value / 5, value * 5),
            coverage=0.9,
            evidence=evidence(),
            contributions=contributions()[1:3],
            typical=20.0,
        ),
    )


def report_data(n_forecasts: int = 2) -> ReportData:
    """A page of two methods, an example of each kind, and some forecasts."""
    rng = np.random.default_rng(0)
    truth = np.round(rng.lognormal(2, 1.5, size=2000))
    told = Prediction(
        id="new",
        value=12.4,
        interval=(2.0, 96.0),
        coverage=0.9,
        evidence=evidence(),
        contributions=contributions(),
        typical=20.0,
    )
    example = Example(
        text="lager 日本 & more", truth=9.0, prediction=told, title="A good forecast", values={"ale": 14.0}
    )
    odd = Example(text=f"{SCRIPT} stout", truth=0.0, prediction=told, title="A bad forecast")
    return ReportData(
        title=f"Demand of new products {SCRIPT}",
        summary=f"Asked for the units of {n_forecasts} items never sold, the model is off by a factor of 2.",
        facts={"split": "lines & types", "seed": "0"},
        notes=("The graph lowers the error by 3 < 5 points.",),
        columns=(
            MetricColumn(key="rmsle", label="RMSLE", meaning="root mean squared error of logs."),
            MetricColumn(key="wape", label="WAPE"),
            MetricColumn(key="spearman", label="Spearman", best="high"),
            MetricColumn(key="coverage_90", label="coverage", best=0.9),
            MetricColumn(key="width_90", label="interval score", best=None),
        ),
        rows=(
            MetricRow(
                name="ours",
                values={"rmsle": 1.3, "wape": -0.0, "spearman": 0.55, "coverage_90": 0.91, "width_90": 250.0},
                is_ours=True,
            ),
            MetricRow(name="constant", values={"rmsle": 1.6, "spearman": 0.0, "coverage_90": 0.99}),
        ),
        truth=truth,
        forecast=truth * rng.lognormal(0, 0.7, size=2000),
        calibration=Calibration(nominal=np.array([0.5, 0.8, 0.9]), observed=np.array([0.52, 0.79, 0.88])),
        examples=(example, odd),
        forecasts=(odd, *(forecast(place) for place in range(1, n_forecasts))),
        totals=(
            TotalRow(group="DRUG GM", n=412, forecast=12345.6, interval=(9000.0, 16000.0), truth=11000.0),
            TotalRow(group="a & b", n=3, forecast=-0.0, interval=(0.0, 1.0), truth=7.0),
        ),
        grouped_by="department",
    )
