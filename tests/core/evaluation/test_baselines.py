from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.evaluation import demand_baselines as baselines
from zeroshot_core.evaluation import metrics
from zeroshot_core.evaluation.demand_baselines import BASELINES, LineFeatures

TYPES = {
    "cola": ("drinks", 5.0),
    "juice": ("drinks", 4.0),
    "bread": ("bakery", 2.0),
    "rolls": ("bakery", 1.0),
}
COLUMNS = ("product_type", "product_category", "brand")


def shelf(n, seed, types=tuple(TYPES)):
    """Lines whose log units are their type's level plus noise, with vectors that tell the types apart."""
    rng = np.random.default_rng(seed)
    names = rng.choice(types, size=n)
    rows = [{"product_type": name, "product_category": TYPES[name][0], "brand": "National"} for name in names]
    vectors = np.array([np.eye(4)[list(TYPES).index(name)] for name in names], dtype=np.float32)
    units = np.round(np.expm1(np.array([TYPES[name][1] for name in names]) + rng.normal(0, 0.3, n)))
    return LineFeatures(rows=rows, vectors=vectors, columns=COLUMNS, nested=COLUMNS[:2]), units


@pytest.fixture(scope="module")
def known():
    return shelf(600, 0)


@pytest.fixture(scope="module")
def new():
    return shelf(300, 1)


@pytest.mark.parametrize("name", BASELINES)
def test_intervals_hold_nine_tenths_and_quantile_lies_inside(known, new, name):
    forecast = getattr(baselines, name)(*known, new[0])
    assert forecast.mean.shape == forecast.quantile_90.shape == (300,)
    assert metrics.coverage(new[1], forecast.interval) == pytest.approx(0.9, abs=0.06)
    assert (new[1] <= forecast.quantile_90).mean() == pytest.approx(0.9, abs=0.08)
    assert (forecast.quantile_90 <= forecast.interval[:, 1]).all()
    assert (forecast.interval >= 0).all()
    assert (np.diff(forecast.quantiles, axis=1) >= 0).all()


@pytest.mark.parametrize("name", BASELINES)
def test_expectations_add_up_to_what_comes_where_the_mean_of_logs_is_far_below(known, new, name):
    units = known[1] * np.where(np.arange(600) % 5 == 0, 20.0, 1.0)
    forecast = getattr(baselines, name)(known[0], units, new[0])
    assert forecast.expectation.sum() / 300 == pytest.approx(units.mean(), rel=0.15)
    assert forecast.mean.sum() / 300 < 0.7 * units.mean()


@pytest.mark.parametrize("name", ["type_mean", "knn_vectors", "boosted_trees"])
def test_everything_that_sees_the_type_beats_the_constant(known, new, name):
    loss = metrics.rmsle(new[1], getattr(baselines, name)(*known, new[0]).mean)
    assert loss < 0.4 * metrics.rmsle(new[1], baselines.constant(*known, new[0]).mean)


def test_catboost_beats_the_constant_and_its_quantile_exceeds_its_mean(known, new):
    forecast = baselines.catboost(*known, new[0], n_trees=60)
    loss = metrics.rmsle(new[1], forecast.mean)
    assert loss < 0.4 * metrics.rmsle(new[1], baselines.constant(*known, new[0]).mean)
    assert (forecast.quantile_90 > forecast.mean).all()


@pytest.mark.parametrize(
    "baseline",
    [baselines.boosted_trees, partial(baselines.catboost, n_trees=60)],
    ids=["boosted", "catboost"],
)
def test_trees_read_numbers_and_what_is_missing_among_them(known, new, baseline):
    def numbered(features, seed):
        rng = np.random.default_rng(seed)
        big = rng.random(len(features.rows)) < 0.5
        numbers = np.where(rng.random(len(big)) < 0.1, np.nan, 10.0 + 5.0 * big)
        return replace(features, numeric=numbers[:, None]), np.where(big, 3.0, 0.0)

    (features, shift), (asked, its_shift) = numbered(known[0], 5), numbered(new[0], 6)
    units, truth = np.expm1(np.log1p(known[1]) + shift), np.expm1(np.log1p(new[1]) + its_shift)
    told = metrics.rmsle(truth, baseline(features, units, asked).mean)
    assert told < 0.6 * metrics.rmsle(truth, baseline(known[0], units, new[0]).mean)


def test_catboost_reads_the_text_if_asked_for(known, new):
    def worded(features, units):
        return replace(
            features,
            rows=[{}] * len(features.rows),
            columns=(),
            nested=None,
            texts=[f"article {row['product_type']}" for row in features.rows],
        )

    features, asked = worded(*known), worded(*new)
    loss = metrics.rmsle(
        new[1], baselines.catboost(features, known[1], asked, n_trees=60, reads_text=True).mean
    )
    assert loss < 0.4 * metrics.rmsle(new[1], baselines.constant(*known, new[0]).mean)


def test_type_never_sold_gets_the_mean_of_its_category():
    features, units = shelf(400, 2, types=("juice", "bread"))
    cola, _ = shelf(1, 3, types=("cola",))
    expected = np.log1p(units[[row["product_type"] == "juice" for row in features.rows]]).mean()
    assert np.log1p(baselines.type_mean(features, units, cola).mean) == pytest.approx(expected, abs=0.1)


def test_rare_type_is_shrunk_towards_its_category():
    features, units = shelf(400, 4, types=("juice",))
    one = {"product_type": "cola", "product_category": "drinks"}
    vectors = np.vstack([features.vectors, np.eye(4)[:1]])
    features = replace(features, rows=[*features.rows, one], vectors=vectors)
    forecast = baselines.type_mean(features, np.append(units, 1000.0), shelf(1, 5, types=("cola",))[0])
    level = np.log1p(units).mean()
    assert np.log1p(forecast.mean[0]) == pytest.approx(level + (np.log1p(1000) - level) / 6, abs=0.05)


def test_neighbours_are_counted_even_when_fewer_are_known(new):
    features, units = shelf(7, 6)
    forecast = baselines.knn_vectors(features, units, new[0])
    assert np.log1p(forecast.mean) == pytest.approx(np.log1p(units).mean())


def test_rows_without_vectors_are_refused():
    with pytest.raises(InvalidInputError, match="one vector a row, got 2 for 1"):
        LineFeatures(rows=[{}], columns=(), vectors=np.eye(2, dtype=np.float32))
