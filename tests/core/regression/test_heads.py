"""A head forecasts what its models do, whether few rows are asked or many."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingRegressor
from threadpoolctl import threadpool_info, threadpool_limits
from zeroshot_core.regression import heads
from zeroshot_core.regression.heads import BoostedTrees, Head, fit_head

RNG = np.random.default_rng(0)
FEATURES = RNG.standard_normal((400, 6))
FEATURES[RNG.random(FEATURES.shape) < 0.1] = np.nan
TARGETS = np.nan_to_num(FEATURES[:, 0]) + np.isnan(FEATURES[:, 1])
VECTORS = RNG.standard_normal((400, 3)).astype(np.float32)


def fitted(n_rows: int) -> Head:
    targets = TARGETS[:n_rows]
    folds = np.arange(n_rows) % 10
    return fit_head(
        FEATURES[:n_rows], VECTORS[:n_rows], targets, folds, lambda levels: (targets - levels)[:, None], 0
    )


@pytest.fixture(scope="module")
def head() -> Head:
    return fitted(400)


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error"])
def test_boosted_trees_forecast_few_rows_as_the_model_does_to_the_last_digit(loss: str) -> None:
    model = HistGradientBoostingRegressor(loss=loss, max_iter=30, random_state=0).fit(FEATURES, TARGETS)
    trees = BoostedTrees.of(model)

    expected = model.predict(FEATURES)

    for start in range(0, 400, 99):
        few = slice(start, start + 99)
        assert trees.predict(FEATURES[few]).tolist() == expected[few].tolist()
    assert trees.predict(FEATURES).tolist() == expected.tolist()
    assert [trees.predict(row[None])[0] for row in FEATURES[:9]] == expected[:9].tolist()
    assert trees.predict(FEATURES[:0]).shape == (0,)


def test_trees_without_a_split_add_their_only_leaf() -> None:
    model = HistGradientBoostingRegressor(min_samples_leaf=5).fit(FEATURES[:8], TARGETS[:8])

    few = FEATURES[:50]
    assert BoostedTrees.of(model).predict(few).tolist() == model.predict(few).tolist()


def test_a_head_forecasts_the_mean_of_its_trees(head: Head) -> None:
    boosted, randomised = head.models
    assert isinstance(boosted, HistGradientBoostingRegressor)
    assert isinstance(randomised, ExtraTreesRegressor)

    expected = (boosted.predict(FEATURES) + randomised.predict(FEATURES)) / 2

    np.testing.assert_allclose(head.level(FEATURES, VECTORS), expected, rtol=1e-12)


def test_forecasts_are_the_same_one_by_one(head: Head) -> None:
    levels = head.level(FEATURES, VECTORS)
    spread = head.spread(FEATURES, levels)

    for row in range(9):
        one = slice(row, row + 1)
        assert head.level(FEATURES[one], VECTORS[one]) == pytest.approx(levels[one], rel=1e-12)
        assert head.spread(FEATURES[one], levels[one]).tolist() == spread[one].tolist()


def test_errors_are_forecast_above_0(head: Head) -> None:
    expected = head.scale.predict(np.column_stack([FEATURES, TARGETS]))

    assert head.spread(FEATURES, TARGETS).tolist() == np.maximum(expected, 0.05).tolist()


@pytest.mark.parametrize(("fewest_to_share", "n_threads"), [(401, 1), (400, 2)])
def test_rows_that_are_not_many_are_forecast_by_one_thread(
    fewest_to_share: int, n_threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    class Spied(HistGradientBoostingRegressor):
        def predict(self, features: np.ndarray) -> np.ndarray:
            seen.append(threads())
            return super().predict(features)

    def threads() -> set[int]:
        return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "openmp"}

    monkeypatch.setattr(heads, "_FEWEST_TO_SHARE", fewest_to_share)
    trees = BoostedTrees.of(Spied(max_iter=3).fit(FEATURES, TARGETS))
    with threadpool_limits(2, user_api="openmp"):
        trees.predict(FEATURES)

        assert seen == [{n_threads}]
        assert threads() == {2}
