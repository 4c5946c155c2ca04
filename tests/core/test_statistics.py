import numpy as np
import pytest
from zeroshot_core.statistics import percentile_interval, resampled_means


def test_resampled_means_spread_around_the_mean_as_its_standard_error_says() -> None:
    values = np.random.default_rng(0).normal(2.0, 3.0, 400)

    means = resampled_means(values, 2000, np.random.default_rng(1))

    assert means.shape == (2000,)
    assert means.mean() == pytest.approx(values.mean(), abs=0.02)
    assert means.std() == pytest.approx(values.std() / 20, rel=0.05)


def test_resampling_repeats_with_its_generator_and_goes_on_in_it() -> None:
    values = np.arange(50.0)
    first, again, later = (np.random.default_rng(seed) for seed in (3, 3, 3))

    whole = resampled_means(values, 10, first)
    parts = [*resampled_means(values, 4, later), *resampled_means(values, 6, later)]

    assert (whole == resampled_means(values, 10, again)).all()
    assert whole.tolist() == parts


def test_resampled_means_of_truth_values_are_shares() -> None:
    means = resampled_means([True, False, True, True], 100, np.random.default_rng(0))

    assert set(means.tolist()) <= {0.0, 0.25, 0.5, 0.75, 1.0}


def test_percentile_interval_leaves_out_equal_shares_on_both_sides() -> None:
    assert percentile_interval(np.arange(101.0), 0.9) == pytest.approx((5.0, 95.0))
    assert percentile_interval(np.arange(1001.0)) == pytest.approx((25.0, 975.0))
