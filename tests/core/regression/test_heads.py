"""A head forecasts what its models do, whether few rows are asked or many."""

from __future__ import annotations

import numpy as np
import pytest
from zeroshot_core.regression.heads import Head, fit_head, n_steps

RNG = np.random.default_rng(0)
FEATURES = RNG.standard_normal((400, 6))
FEATURES[RNG.random(FEATURES.shape) < 0.1] = np.nan
TARGETS = np.nan_to_num(FEATURES[:, 0]) + np.isnan(FEATURES[:, 1])
VECTORS = RNG.standard_normal((400, 3)).astype(np.float32)


def fitted(n_rows: int) -> Head:
    targets = TARGETS[:n_rows]
    folds = np.arange(n_rows) % 10
    head, _ = fit_head(
        FEATURES[:n_rows], VECTORS[:n_rows], targets, folds, lambda levels: (targets - levels)[:, None], 0
    )
    return head


@pytest.fixture(scope="module")
def head() -> Head:
    return fitted(400)


def test_a_head_forecasts_the_mean_of_its_trees(head: Head) -> None:
    boosted, randomised = head.models
    assert boosted.is_boosted
    assert not randomised.is_boosted

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


def test_learning_says_so_after_each_model_that_is_fitted() -> None:
    steps: list[int] = []
    targets, folds = TARGETS[:60], np.arange(60) % 10

    fit_head(
        FEATURES[:60],
        VECTORS[:60],
        targets,
        folds,
        lambda levels: (targets - levels)[:, None],
        0,
        lambda: steps.append(1),
    )

    assert len(steps) == n_steps(60) >= 7
    # Networks, which need many rows, are told of epoch by epoch.
    assert n_steps(5000) >= n_steps(60) + 10


def test_of_a_thousand_rows_the_error_is_that_of_the_mean_which_forecasts() -> None:
    rng = np.random.default_rng(1)
    features = rng.standard_normal((1000, 4))
    targets = features[:, 0] + np.abs(features[:, 1])

    head, held_out = fit_head(
        features,
        features[:, :3].astype(np.float32),
        targets,
        np.arange(1000) % 10,
        lambda levels: (targets - levels)[:, None],
        0,
    )

    assert head.error == pytest.approx(np.square(targets - held_out.levels).mean())
    new = rng.standard_normal((500, 4))
    errors = head.level(new, new[:, :3].astype(np.float32)) - new[:, 0] - np.abs(new[:, 1])
    assert 0.5 * head.error < np.square(errors).mean() < 1.2 * head.error
