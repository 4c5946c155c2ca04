import json
import re
from dataclasses import replace

import numpy as np
import pytest
from zeroshot_core.encoders import FunctionEncoder
from zeroshot_core.encoders.wrappers import RememberingEncoder
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.evaluation import evaluate_catalogue, evaluate_demand
from zeroshot_core.evaluation.demand import linked_items
from zeroshot_core.evaluation.illustration import illustrate
from zeroshot_core.prediction import GroupTotal
from zeroshot_core.types import Evidence, Hit, Prediction

SCORES = {
    "rmsle",
    "wape",
    "spearman",
    "pinball_90",
    "coverage_90",
    "width_90",
    "interval_score_90",
    "crps",
    "rmse",
    "total_ratio",
}


class CategoryRegressor:
    """Shrunk mean and quantiles of the category that the graph tells; of all where it tells none."""

    def __init__(self, graph):
        self.graph = graph

    def fit(self, X, y, groups=None):
        if self.graph is not None:
            unknown = {concept for item in X for concept in item.concepts} - set(self.graph.concepts)
            assert not unknown
        self.ids = [item.id for item in X]
        self.known, self.y, self.groups = [self._key(item) for item in X], np.asarray(y), groups
        return self

    def _key(self, item):
        return next((c for c in item.concepts if c.startswith("product_category:")), "")

    def _pools(self, X):
        by_key = {}
        for i, key in enumerate(self.known):
            by_key.setdefault(key, []).append(i)
        return [self.y[by_key.get(self._key(item), slice(None))] for item in X]

    def predict(self, X, *, statistic="expectation"):
        logs, shrinkage = np.log1p(self.y), 10
        return np.array(
            [
                np.expm1(
                    (np.log1p(pool).sum(axis=0) + shrinkage * logs.mean(axis=0)) / (len(pool) + shrinkage)
                )
                for pool in self._pools(X)
            ]
        )

    def predict_quantile(self, X, q):
        return np.array([np.quantile(pool, list(q)) for pool in self._pools(X)])

    def predict_interval(self, X, coverage=0.9):
        ends = [(1 - coverage) / 2, (1 + coverage) / 2]
        return np.array([np.quantile(pool, ends) for pool in self._pools(X)])

    def predict_total(self, X, by, coverage=0.9):
        values, found = self.predict(X), {}
        for group, value in zip(by, values, strict=True):
            found.setdefault(group, []).append(value)
        return [
            GroupTotal(group=group, total=sum(own), interval=(0.0, 2 * sum(own)), coverage=0.9, n=len(own))
            for group, own in found.items()
        ]

    def explain(
        self,
        X,
        *,
        statistic="expectation",
        coverage=0.9,
        quantiles=(),
        evidence=True,
        contributions=False,
    ):
        hit = Hit(id=self.ids[0], kind="item", score=0.5, text="the first one")
        ends, below = self.predict_interval(X, coverage), self.predict_quantile(X, quantiles)
        return [
            Prediction(
                id=item.id,
                value=float(value),
                interval=tuple(ends[row]),
                quantiles=dict(zip(quantiles, below[row], strict=True)),
                evidence=Evidence(items=(hit,)),
            )
            for row, (item, value) in enumerate(zip(X, self.predict(X, statistic=statistic), strict=True))
        ]


@pytest.fixture(scope="module")
def encoder():
    """Letter counts: quick, and alike for like texts."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    return FunctionEncoder(lambda texts: [[text.count(c) for c in letters] for text in texts], name="letters")


@pytest.fixture(scope="module")
def evaluate(product_lines, encoder):
    sample = product_lines.take(np.random.default_rng(0).choice(len(product_lines), 1500, replace=False))

    def run(split, seed=0):
        return evaluate_demand(
            split, seed, encoder=encoder, lines=sample, regressor=lambda _, graph: CategoryRegressor(graph)
        )

    return run


@pytest.fixture(scope="module")
def lines_report(evaluate):
    return evaluate("lines")


def test_report_gives_every_figure_of_ours_the_baselines_and_the_ablation(lines_report):
    figures = json.loads(json.dumps(lines_report.to_dict()))
    assert SCORES | {"split", "seed", "n_train", "n_test", "seconds"} <= set(figures)
    assert set(figures["baselines"]) == {"constant", "type_mean", "knn_vectors", "boosted_trees"}
    assert all(set(scores) >= SCORES for scores in figures["baselines"].values())
    assert set(figures["ablation"]["no_graph"]) >= SCORES | {"difference", "interval"}
    assert (figures["n_train"], figures["n_test"]) == (1200, 300)
    assert all(0.5 < held <= 1 for held in figures["total_coverage_90"].values())
    assert figures["total_coverage_90"].keys() == {"types", "categories", "makers"}


def test_regressor_that_lives_on_concepts_is_better_with_the_graph(lines_report):
    difference = lines_report.difference
    assert difference.mean == pytest.approx(lines_report.scores.rmsle**2 - lines_report.no_graph.rmsle**2)
    assert difference.low < difference.mean < min(difference.high, 0)


def test_regressor_without_concepts_is_the_constant_baseline(lines_report):
    assert lines_report.no_graph.rmsle == pytest.approx(lines_report.baselines["constant"].rmsle)
    assert lines_report.no_graph.pinball_90 == pytest.approx(lines_report.baselines["constant"].pinball_90)


def test_forecasts_stand_beside_the_items_and_what_they_sold(lines_report):
    assert len(lines_report.items) == len(lines_report.truth) == len(lines_report.forecast.mean) == 300
    assert lines_report.forecast.interval.shape == (300, 2)


def test_illustration_shows_calibration_and_every_method(lines_report):
    page = illustrate(lines_report)
    names = [row.name for row in page.rows]
    assert names[:3] == ["zero-shot regressor", "the same without the graph", "constant"]
    assert [row.is_ours for row in page.rows] == [True] + [False] * 5
    held = dict(zip(page.calibration.nominal, page.calibration.observed, strict=True))
    assert held[0.9] == lines_report.scores.coverage_90
    assert held[0.1] < held[0.5] < held[0.9]
    assert {column.key for column in page.columns} <= set(page.rows[0].values)
    assert all(column.meaning for column in page.columns)


def test_illustration_works_out_a_good_a_typical_and_a_bad_forecast(lines_report):
    page = illustrate(lines_report)
    errors = np.abs(np.log1p(lines_report.truth) - np.log1p(lines_report.forecast.expectation))
    by_title = {
        example.title: abs(np.log1p(example.truth) - np.log1p(example.prediction.value))
        for example in page.examples
    }
    assert list(by_title) == ["A good forecast", "A typical forecast", "A bad forecast"]
    assert list(by_title.values()) == sorted(by_title.values())
    assert by_title["A typical forecast"] == pytest.approx(np.median(errors), rel=0.01)
    assert by_title["A bad forecast"] == pytest.approx(np.quantile(errors, 0.98), rel=0.05)
    assert page.examples[0].prediction.evidence.items[0].id in page.examples[0].values


def test_illustration_lists_forecasts_from_the_most_to_the_least_sold(lines_report):
    truth = [example.truth for example in illustrate(lines_report).forecasts]
    assert 100 <= len(truth) <= 300
    assert truth == sorted(truth, reverse=True)
    assert truth[0] == lines_report.truth.max()
    assert truth[-1] == lines_report.truth.min()


def test_illustration_says_what_was_asked_and_how_good_it_is(lines_report):
    summary = illustrate(lines_report, unit="packs").summary
    scores, best = lines_report.scores, min(each.rmsle for each in lines_report.baselines.values())
    assert summary.startswith("Asked for the packs of 300 items drawn at random, having learned from 1,200")
    assert f"its 90% intervals hold {scores.coverage_90:.0%} of the truth" in summary
    gain = 1 - scores.rmsle / best
    assert f"is {abs(gain):.0%} {'below' if gain > 0 else 'above'} that of the best baseline" in summary


def test_illustration_says_what_the_graph_is_worth(lines_report):
    (note,) = illustrate(lines_report).notes
    assert re.search(
        r"lowers the error by \d+%, .* lowers the squared log error by 0\.\d+ \(95% .* 0\.", note
    )
    assert "-" not in note
    turned = replace(lines_report.difference, mean=0.2, low=0.1, high=0.3)
    assert (
        "raises the squared log error by 0.2" in illustrate(replace(lines_report, difference=turned)).notes[0]
    )
    unclear = replace(lines_report.difference, low=-0.1, high=0.3)
    (note,) = illustrate(replace(lines_report, difference=unclear)).notes
    assert "does not measurably change the error" in note


def test_illustration_sums_up_by_the_finest_column_that_a_page_holds(lines_report):
    page = illustrate(lines_report)
    assert page.grouped_by == "department"
    assert 2 <= len(page.totals) <= 40
    assert sum(row.n for row in page.totals) == 300
    assert sum(row.truth for row in page.totals) == pytest.approx(lines_report.truth.sum())
    assert [row.forecast for row in page.totals] == sorted(
        (row.forecast for row in page.totals), reverse=True
    )


def test_illustration_of_a_table_without_a_graph_tells_of_none(lines_report):
    page = illustrate(replace(lines_report, no_graph=lines_report.scores))
    assert page.notes == ()
    assert "the same without the graph" not in [row.name for row in page.rows]


def test_held_out_types_reach_the_regressor_as_groups(evaluate):
    report = evaluate("types")
    seen = set(report.model.groups)
    assert not seen & {item.metadata["product_type"] for item in report.items}


def test_launch_forecasts_the_curve_too(evaluate):
    figures = evaluate("launch").to_dict()
    assert set(figures["curve_wape"]) == {"model", "scaled_mean_curve", "mean_curve"}
    assert 0 < figures["curve_wape"]["model"] < 2
    weekly = figures["curve_wape_by_step"]
    assert all(len(weekly[name]) == 8 for name in figures["curve_wape"])
    assert min(weekly["model"]) < figures["curve_wape"]["model"] < max(weekly["model"])


def test_any_table_is_measured_and_one_without_categories_has_neither_type_means_nor_an_ablation(
    product_lines, encoder
):
    lines = product_lines.take(np.arange(0, 8000, 40)).catalogue()
    bare = replace(lines, graph_columns=(), graph_edges=(), held_out={}, name="shelf")
    report = evaluate_catalogue(bare, encoder=encoder, regressor=lambda _, graph: CategoryRegressor(graph))
    assert (report.data, report.n_train, report.n_test) == ("shelf", 160, 40)
    assert set(report.baselines) == {"constant", "knn_vectors", "boosted_trees"}
    assert report.no_graph == report.scores
    with pytest.raises(InvalidInputError, match=r"a split of \['lines'\], got 'types'"):
        evaluate_catalogue(bare, "types", encoder=encoder)


def test_items_are_linked_to_the_concepts_of_their_attributes(product_lines):
    lines = product_lines.take(np.array([15_000]))
    assert linked_items(lines)[0].concepts == (
        "department:GROCERY",
        "product_category:FLOUR & MEALS",
        "product_type:FLOUR: WHITE & SELF RISING",
        "brand:National",
        "package_size:2 LB",
        "manufacturer_id:5993",
    )


def test_texts_are_encoded_once_and_keep_vectors_and_fingerprint(encoder):
    calls = []
    inner = FunctionEncoder(
        lambda texts: calls.append(texts) or [[len(t), 1.0] for t in texts], name="length"
    )
    reader = RememberingEncoder(inner)
    first = reader.encode(["one", "three", "one"])
    calls.clear()
    assert np.array_equal(reader.encode(["three", "one"]), first[[1, 0]])
    assert calls == []
    assert reader.fingerprint == inner.fingerprint
    assert reader.name == inner.name
    assert reader.encode([]).shape == (0, 2)


def test_a_regressor_or_an_encoder_that_cannot_be_tuned_is_refused_before_anything_is_read(encoder):
    with pytest.raises(InvalidInputError, match="no regressor beside tune='head'"):
        evaluate_demand(encoder=encoder, regressor=lambda _, graph: CategoryRegressor(graph), tune="head")
    with pytest.raises(InvalidInputError, match="TransformerEncoder of texts for tune='full'"):
        evaluate_demand(encoder=encoder, tune="full")


def test_nothing_is_said_of_tuning_that_was_not_asked_for(lines_report):
    assert lines_report.tuned is None
    assert "tuned" not in lines_report.to_dict()
