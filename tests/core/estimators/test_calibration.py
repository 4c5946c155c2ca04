from __future__ import annotations

import numpy as np
import pytest
from zeroshot_core.estimators.calibration import calibrate, group_weights


def test_quantiles_take_the_wide_rank() -> None:
    rows = np.arange(1.0, 20.0)[:, None]  # 19 residuals: ranks of 20

    quantile = calibrate(np.zeros(19), rows).quantile

    for q, rank in ((0.9, 18), (0.91, 19), (0.1, 2), (0.09, 1)):
        assert quantile(np.zeros(1), q).tolist() == [[rank]]
    assert quantile(np.zeros(3), np.array([0.1, 0.9, 0.91])).tolist() == [[2], [18], [19]]


def test_quantiles_stay_among_few_residuals() -> None:
    rows = np.array([[1.0], [2.0]])

    quantile = calibrate(np.zeros(2), rows).quantile

    assert quantile(np.zeros(1), 0.999).tolist() == [[2.0]]
    assert quantile(np.zeros(1), 0.001).tolist() == [[1.0]]


def test_intervals_hold_what_they_promise_where_noise_grows_with_the_level() -> None:
    rng = np.random.default_rng(0)
    levels, new_levels = rng.uniform(0, 10, 6000), rng.uniform(0, 10, 20000)
    noise, new_noise = ((0.1 + x)[:, None] * rng.standard_t(4, (len(x), 2)) for x in (levels, new_levels))
    calibration = calibrate(levels, noise)
    for coverage in (0.5, 0.9):
        low, high = (calibration.quantile(new_levels, (1 + side * coverage) / 2) for side in (-1, 1))
        held = (low <= new_noise) & (new_noise <= high)

        assert np.abs(held.mean(axis=0) - coverage).max() < 0.02
        for quarter in np.split(np.argsort(new_levels), 4):
            assert np.abs(held[quarter].mean(axis=0) - coverage).max() < 0.05


def test_few_residuals_err_on_the_wide_side() -> None:
    rng = np.random.default_rng(1)
    held = []
    for _ in range(400):
        known, new = rng.normal(size=(30, 1)), rng.normal(size=(20, 1))
        calibration = calibrate(np.zeros(30), known)
        low, high = (calibration.quantile(np.zeros(20), q) for q in (0.05, 0.95))
        held.append(((low <= new) & (new <= high)).mean())

    assert 0.9 <= np.mean(held) < 0.96


def test_equal_levels_share_one_bin() -> None:
    calibration = calibrate(np.ones(1000), np.arange(1000.0)[:, None])

    assert len(calibration.edges) == 0
    assert calibration.quantile(np.array([-5.0, 1.0, 5.0]), 0.5).tolist() == [[500.0]] * 3


def test_groups_that_are_new_as_a_whole_count_alike_however_many_items_they_have() -> None:
    groups = np.repeat([0, 1, 2], [900, 90, 10])
    residuals = np.where(groups == 0, -1.0, np.where(groups == 1, 0.0, 1.0))[:, None]

    by_item = calibrate(np.zeros(1000), residuals).quantile(np.zeros(1), 0.5)
    by_group = [
        calibrate(np.zeros(1000), residuals, groups).quantile(np.zeros(1), q) for q in (0.3, 0.5, 0.7)
    ]

    assert by_item.tolist() == [[-1.0]]
    np.testing.assert_allclose(np.ravel(by_group), [-1.0, 0.0, 1.0], atol=0.05)
    weights = group_weights(groups)
    assert weights.mean() == pytest.approx(1)
    np.testing.assert_allclose(np.bincount(groups, weights), 1000 / 3)


def test_few_groups_have_few_bins() -> None:
    rng = np.random.default_rng(0)
    levels, residuals = rng.normal(size=2000), rng.normal(size=(2000, 1))

    n_bins = [len(calibrate(levels, residuals, np.arange(2000) % n).starts) - 1 for n in (15, 60, 2000)]

    assert n_bins == [1, 3, 5]
