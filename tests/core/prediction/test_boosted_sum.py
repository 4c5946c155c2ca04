import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from zeroshot_core.regression.boosted_sum import BoostedSum

RNG = np.random.default_rng(0)
FEATURES = RNG.standard_normal((400, 6))
FEATURES[RNG.random(FEATURES.shape) < 0.1] = np.nan
TARGETS = np.nan_to_num(FEATURES[:, 0]) + np.isnan(FEATURES[:, 1])


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error"])
def test_boosted_trees_forecast_the_same_to_the_last_digit(loss: str) -> None:
    model = HistGradientBoostingRegressor(loss=loss, max_iter=30, random_state=0).fit(FEATURES, TARGETS)
    trees = BoostedSum.of(model)

    together = trees.predict(FEATURES)

    np.testing.assert_array_equal(together, model.predict(FEATURES))
    np.testing.assert_array_equal(together[:9], [trees.predict(row[None])[0] for row in FEATURES[:9]])
    assert trees.predict(FEATURES[:0]).shape == (0,)


def test_trees_without_a_split_add_their_only_leaf() -> None:
    model = HistGradientBoostingRegressor(min_samples_leaf=5).fit(FEATURES[:8], TARGETS[:8])

    np.testing.assert_array_equal(BoostedSum.of(model).predict(FEATURES), model.predict(FEATURES))
