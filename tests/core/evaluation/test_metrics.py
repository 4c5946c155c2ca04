import numpy as np
import pytest
from scipy.stats import norm, rankdata
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.evaluation import metrics


@pytest.fixture
def sales():
    rng = np.random.default_rng(0)
    y = rng.poisson(rng.gamma(1, 20, size=500)).astype(float)
    return y, y * rng.lognormal(0, 0.5, size=500)


def test_rmsle_is_the_root_of_the_mean_of_the_squared_log_errors(sales):
    assert metrics.rmsle(*sales) == pytest.approx(
        np.sqrt(metrics.squared_log_errors(*sales).mean()), rel=1e-12
    )
    assert metrics.rmsle([0.0, np.e - 1], [0.0, 0.0]) == pytest.approx(np.sqrt(0.5))


def test_spearman_is_the_correlation_of_ranks_with_ties_averaged(sales):
    y, forecast = sales
    ranks = [rankdata(side) for side in (y, np.round(forecast, -1))]
    found = metrics.spearman(y, np.round(forecast, -1))
    assert found == pytest.approx(np.corrcoef(*ranks)[0, 1], rel=1e-12)


@pytest.mark.parametrize("q", [0.1, 0.5, 0.9])
def test_pinball_weighs_what_is_over_by_q_and_what_is_under_by_the_rest(sales, q):
    over = sales[0] - sales[1]
    expected = np.maximum(q * over, (q - 1) * over).mean()
    assert metrics.pinball(*sales, q) == pytest.approx(expected, rel=1e-12)


def test_constant_forecast_has_no_rank_correlation():
    assert metrics.spearman([1, 2, 3], [5, 5, 5]) == 0


def test_wape_and_bias_by_hand():
    assert metrics.wape([10, 0, 30], [5, 5, 30]) == pytest.approx(10 / 40)
    assert metrics.bias([10, 0, 30], [5, 5, 20]) == pytest.approx(-10 / 40)


def test_intervals_are_closed_and_averaged():
    interval = [[1, 3], [0, 1], [5, 9]]
    assert metrics.coverage([3, 2, 5], interval) == pytest.approx(2 / 3)
    assert metrics.interval_width(interval) == pytest.approx(7 / 3)


def test_an_interval_pays_for_its_width_and_for_the_distance_of_what_misses_it():
    assert metrics.interval_score([5], [[2, 8]], 0.9) == pytest.approx(6)
    assert metrics.interval_score([1], [[2, 8]], 0.9) == pytest.approx(6 + 20 * 1)
    assert metrics.interval_score([5, 10], [[2, 8], [2, 8]], 0.5) == pytest.approx(6 + 4 * 2 / 2)


def test_the_true_quantiles_have_the_best_interval_score_and_crps():
    rng = np.random.default_rng(0)
    y, grid = rng.normal(size=20_000), np.arange(0.025, 1, 0.05)

    def scores(width):
        quantiles = np.tile(width * norm.ppf(grid), (len(y), 1))
        return metrics.interval_score(y, quantiles[:, [1, -2]], 0.85), metrics.crps(y, quantiles, grid)

    narrow, true, wide = scores(0.7), scores(1.0), scores(1.4)
    assert np.all(np.less(true, narrow))
    assert np.all(np.less(true, wide))
    assert true[1] == pytest.approx(1 / np.sqrt(np.pi), rel=0.02)  # of the standard normal


def test_crps_of_one_number_is_its_absolute_error():
    grid = [0.1, 0.3, 0.7]
    assert metrics.crps([5, 5], np.tile([[3], [9]], 3), grid) == pytest.approx(3, rel=0.05)
    assert metrics.crps([5], [[4]], [0.5]) == pytest.approx(1)


def test_top_decile_lift_is_one_for_equal_sales_and_finds_hits():
    assert metrics.top_decile_lift(np.ones(20), np.arange(20)) == pytest.approx(1)
    hits = np.r_[np.full(2, 50.0), np.zeros(18)]
    assert metrics.top_decile_lift(hits, hits) == pytest.approx(10)
    assert metrics.top_decile_lift(hits, np.ones(20)) == pytest.approx(1)
    assert metrics.top_decile_lift(hits, np.r_[2, 1, np.ones(18)]) == pytest.approx((50 + 50 / 19) / 2 / 5)


def test_bootstrap_interval_holds_the_difference_and_excludes_zero_when_one_is_better():
    rng = np.random.default_rng(1)
    b = rng.exponential(size=1000)
    result = metrics.paired_bootstrap(b - 0.1 + rng.normal(0, 0.1, 1000), b, seed=0)
    assert result.low < result.mean < result.high < 0
    assert result.high - result.low == pytest.approx(2 * 1.96 * 0.1 / np.sqrt(1000), rel=0.1)


def test_bootstrap_cannot_tell_equal_losses_apart_and_repeats_with_its_seed():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(2, 300))
    first, again = (metrics.paired_bootstrap(a, b, seed=3) for _ in range(2))
    assert first == again
    assert first.low < 0 < first.high


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.wape([1, 2], [1]), r"got shapes \(2,\) and \(1,\)"),
        (lambda: metrics.wape([], []), "length above 0"),
        (lambda: metrics.wape([0, 0], [1, 1]), "got zeros alone"),
        (lambda: metrics.wape([1, np.nan], [1, 1]), "drop those cases"),
        (lambda: metrics.rmsle([1], [-2]), "got -2; clip forecasts at 0"),
        (lambda: metrics.pinball([1], [1], 1), "expected quantile as a number above 0 and below 1, got 1"),
        (lambda: metrics.coverage([1], [1]), r"shape \(n, 2\), got \(1,\)"),
        (lambda: metrics.coverage([1], [[2, 1]]), "crossed intervals"),
        (
            lambda: metrics.interval_score([1], [[1, 2]], 1),
            "expected coverage as a number above 0 and below 1",
        ),
        (
            lambda: metrics.crps([1], [[1, 2]], [0.5]),
            r"shape \(n, 1\), one column a probability, got \(1, 2\)",
        ),
        (lambda: metrics.crps([1], [[1, 2]], [0.5, 0.5]), r"rising probabilities, got \[0.5, 0.5\]; sort"),
        (lambda: metrics.crps([1], [[1]], [1]), r"probabilities of shape \(k,\) in \(0, 1\), got \[1\]"),
    ],
)
def test_wrong_input_says_what_was_expected(call, message):
    with pytest.raises(InvalidInputError, match=message):
        call()


def test_equal_scores_share_the_middle_rank():
    assert metrics.tied_rank(0.5, [0.9, 0.1, 0.2]) == 2.0
    assert metrics.tied_rank(0.5, [0.9, 0.5, 0.5, 0.1]) == 3.0
    assert metrics.tied_rank(0.5, []) == 1.0


def test_accuracy_counts_the_first_k():
    ranked = [["a", "b"], ["b", "a"], []]
    assert metrics.accuracy_at(ranked, ["a", "a", "a"], 1) == pytest.approx(1 / 3)
    assert metrics.accuracy_at(ranked, ["a", "a", "a"], 2) == pytest.approx(2 / 3)
    with pytest.raises(InvalidInputError, match="one ranking for each truth, got 3 and 1"):
        metrics.accuracy_at(ranked, ["a"], 1)


def test_calibration_error_is_the_gap_between_stated_and_true():
    assert metrics.expected_calibration_error([0.75] * 4, [1, 1, 1, 0]) == pytest.approx(0.0)
    assert metrics.expected_calibration_error([0.95, 0.95, 0.05, 0.05], [0, 0, 0, 0]) == pytest.approx(0.5)
    assert metrics.expected_calibration_error([1.0], [True]) == 0.0
    with pytest.raises(InvalidInputError, match="two arrays of shape"):
        metrics.expected_calibration_error([0.5, 0.5], [1])
