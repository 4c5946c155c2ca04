"""Trees as arrays forecast what the fitted model does, and no array leads them astray."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingRegressor
from zeroshot_core.errors import ArtifactError, InvalidInputError
from zeroshot_core.estimators.model_state import ModelState
from zeroshot_core.estimators.trees import Forest

RNG = np.random.default_rng(0)
ROWS = RNG.standard_normal((4000, 6))
ROWS[RNG.random(ROWS.shape) < 0.1] = np.nan
TARGETS = np.nan_to_num(ROWS[:, 0]) + np.isnan(ROWS[:, 1]) + 0.1 * RNG.standard_normal(4000)
MODELS = {
    "boosted": HistGradientBoostingRegressor(max_iter=30, early_stopping=False, random_state=0),
    "absolute": HistGradientBoostingRegressor(loss="absolute_error", max_iter=30, random_state=0),
    "averaged": ExtraTreesRegressor(9, min_samples_leaf=3, random_state=0),
    "without splits": HistGradientBoostingRegressor(min_samples_leaf=300, max_iter=3),
}


@pytest.fixture(scope="module", params=MODELS)
def model(request: pytest.FixtureRequest) -> Any:
    return MODELS[request.param].fit(ROWS[:500], TARGETS[:500])


def state(arrays: dict[str, Any]) -> ModelState:
    return ModelState(kind="regressor", config={}, arrays=arrays)


@pytest.mark.parametrize("n_rows", [1, 7, 99, 100, 4000])
def test_forecasts_are_those_of_the_model_to_the_last_digit(model: Any, n_rows: int) -> None:
    forest = Forest.of(model)
    again = Forest.restored(state(forest.arrays("trees")), "trees")

    expected = model.predict(ROWS[:n_rows]).tolist()

    assert forest.predict(ROWS[:n_rows]).tolist() == expected
    assert again.predict(ROWS[:n_rows]).tolist() == expected


def test_rows_one_by_one_get_what_they_get_together(model: Any) -> None:
    forest = Forest.of(model)

    together = forest.predict(ROWS[:300])

    assert [forest.predict(row[None])[0] for row in ROWS[:300]] == together.tolist()
    assert forest.predict(ROWS[:0]).shape == (0,)


def test_rows_of_other_features_are_refused(model: Any) -> None:
    with pytest.raises(ArtifactError, match="expected trees over 5 features, got some over 6"):
        Forest.of(model).predict(ROWS[:3, :5])


def put(name: str, place: int, value: float) -> Callable[[dict[str, Any]], None]:
    def act(arrays: dict[str, Any]) -> None:
        arrays[f"trees.{name}"] = arrays[f"trees.{name}"].copy()
        arrays[f"trees.{name}"][place] = value

    return act


def chain(arrays: dict[str, Any]) -> None:
    """One tree of 30,001 nodes, 15,000 deep."""
    n = 30_001
    inner = np.arange(n) % 2 == 0
    inner[-1] = False
    own = np.arange(n)
    arrays |= {
        "trees.sizes": np.array([n]),
        "trees.left": np.where(inner, own + 1, 0).astype(np.int32),
        "trees.right": np.where(inner, own + 2, 0).astype(np.int32),
        "trees.feature": np.zeros(n, np.int32),
        "trees.threshold": np.zeros(n),
        "trees.takes_gaps": np.zeros(n, bool),
        "trees.value": np.zeros(n),
    }


@pytest.mark.parametrize(
    "harm",
    [
        put("left", 0, 0),
        put("left", 0, -5),
        put("left", 0, 2**31 - 1),
        put("right", 0, 1),
        put("right", -1, 1),
        put("right", 0, 2**31 - 1),
        put("left", 1, 0),
        put("feature", 0, 6),
        put("feature", 0, -1),
        put("threshold", 0, np.nan),
        put("value", -1, np.inf),
        put("sizes", 0, 0),
        put("sizes", 0, -1),
        put("sizes", 0, 2**62),
        put("form", 0, 2),
        put("form", 1, 0),
        put("form", 1, 2.5),
        put("form", 1, 1e300),
        put("form", 2, np.nan),
        lambda arrays: arrays.update({"trees.sizes": np.zeros(0, np.int64)}),
        lambda arrays: arrays.update({"trees.left": arrays["trees.left"][:-1]}),
        lambda arrays: arrays.update({"trees.left": arrays["trees.left"].astype(np.int64)}),
        lambda arrays: arrays.pop("trees.value"),
        chain,
    ],
)
def test_arrays_that_are_no_trees_are_refused(harm: Callable[[dict[str, Any]], None]) -> None:
    arrays = Forest.of(MODELS["averaged"].fit(ROWS[:500], TARGETS[:500])).arrays("trees")
    harm(arrays)

    with pytest.raises(InvalidInputError, match=r"expected .*'trees"):
        Forest.restored(state(arrays), "trees")
