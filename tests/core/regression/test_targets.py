from __future__ import annotations

import datetime
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from zeroshot_core import InvalidInputError
from zeroshot_core.regression.targets import Targets, check_targets, known_targets


@pytest.mark.parametrize(
    ("y", "kind"),
    [([0, 3, 12], "count"), ([0.5, 3, 12], "nonnegative"), ([-1, 3, 12], "real"), ([[1, 2]] * 3, "count")],
)
def test_the_kind_is_told_by_the_values(y: list[float], kind: str) -> None:
    assert check_targets(y, 3, "auto").kind == kind


def test_a_given_kind_is_kept() -> None:
    assert check_targets([1, 2, 3], 3, "real").kind == "real"


@pytest.mark.parametrize(
    ("y", "kind", "message"),
    [
        ([1, float("nan")], "auto", r"expected finite targets, got \[nan\] in row 1 \(1 such rows\)"),
        ([1, float("inf")], "real", "expected finite targets"),
        ([[1, 2], [1e308, 1e308]], "real", r"expected finite targets, got \[1e\+308, 1e\+308\] in row 1"),
        ([1, -2], "count", "expected targets of at least 0 for target='count', got -2.0 in row 1"),
        ([1, -2], "nonnegative", "use target='real'"),
        ([1, 2.5], "count", r"expected whole numbers for target='count', got \[2.5\] in row 1"),
        ([1], "auto", r"expected targets of shape \(2,\) or \(2, horizon\), one for each item, got \(1,\)"),
        ([[[1]], [[2]]], "auto", r"got \(2, 1, 1\)"),
        ([[], []], "auto", r"got \(2, 0\)"),
        (["many", "few"], "auto", "expected targets that are numbers"),
        ([1, 2], "counts", "expected target to be one of 'auto', .* got 'counts'; did you mean 'count'?"),
    ],
)
def test_wrong_targets_are_refused(y: list[object], kind: str, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        check_targets(y, 2, kind)


@pytest.mark.parametrize("kind", ["count", "nonnegative", "real"])
def test_the_sum_of_a_curve_is_its_level(kind: str) -> None:
    targets = Targets(values=np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]]), kind=kind, is_curve=True)  # type: ignore[arg-type]
    profile = np.array([[1.0, 1.0, 2.0], [0.0, 0.0, 0.0]])

    curves = targets.restore(targets.curves(targets.levels, profile))

    together = curves.mean(axis=1) if kind == "real" else np.log1p(curves.sum(axis=1))
    np.testing.assert_allclose(together, targets.levels)


def test_a_curve_has_the_shape_of_its_profile() -> None:
    targets = Targets(values=np.ones((2, 3)), kind="count", is_curve=True)

    scaled = targets.restore(targets.curves(np.log1p([8.0]), np.array([[1.0, 1.0, 2.0]])))

    np.testing.assert_allclose(scaled, [[2.0, 2.0, 4.0]])


def test_ends_of_counts_are_whole_and_ordered_even_where_no_count_lies_between() -> None:
    targets = Targets(values=np.ones((1, 1)), kind="count", is_curve=False)
    low, high = np.array([1.2, 3.1, 2.0, 0.1]), np.array([4.9, 3.4, 2.0, 0.3])

    ends = targets.whole_interval(low, high)

    assert [end.tolist() for end in ends] == [[2.0, 3.0, 2.0, 0.0], [4.0, 3.0, 2.0, 0.0]]


def test_ends_of_other_targets_are_not_rounded() -> None:
    signed = Targets(values=np.ones((1, 1)), kind="real", is_curve=False)

    assert [end.tolist() for end in signed.whole_interval(np.array([-1.5]), np.array([0.25]))] == [
        [-1.5],
        [0.25],
    ]


def test_gaps_of_curves_are_filled_in_by_the_mean_curve_and_the_other_steps() -> None:
    gap, curves = np.nan, [[1, 2, 3], [10, 20, 30], [100, np.nan, 300], [np.nan] * 3, [np.nan, 4, np.nan]]

    with pytest.warns(UserWarning, match="^1 of 5 items have no target and are left out; 2 have gaps, which"):
        values, rows = known_targets(curves, 5, "auto")

    assert rows.tolist() == [0, 1, 2, 4]
    known = np.delete(np.array(curves), 3, axis=0)
    np.testing.assert_array_equal(values[~np.isnan(known)], known[~np.isnan(known)])
    assert values[2, 1] == np.rint(400 / (37 + 111) * (26 / 3))
    assert (values == np.floor(values)).all()
    with pytest.warns(UserWarning, match="^1 have gaps"):
        signed, _ = known_targets([[-1.5, 0.0], [gap, 1.0]], 2, "auto")
    assert signed[1, 0] == -1.5 + (1.0 - 0.5)


def test_no_warning_where_no_target_is_missing() -> None:
    values, rows = known_targets([1, 2.5], 2, "auto")

    assert (values.tolist(), rows.tolist()) == ([1, 2.5], [0, 1])


@pytest.mark.parametrize(
    ("strange", "shown"),
    [
        (np.array(["2026-01-01"], dtype="datetime64[D]"), "datetime64"),
        ([datetime.date(2026, 1, 1)], "of type date"),
        (np.array([True]), "of type bool"),
        ([True], "of type bool"),
        (pd.Series([True], dtype="boolean"), "of type bool"),
        (pd.Series(pd.to_datetime(["2026-01-01"])), "datetime64"),
        ([pd.Timestamp("2026-01-01")], "of type Timestamp"),
        (np.array([1 + 2j]), "of type complex128"),
        ([1 + 2j], "of type complex"),
        (np.ma.masked_array([1.0], mask=[True]), "1 masked entries"),
    ],
)
def test_what_is_no_number_is_refused_by_name_missing_or_not(strange: object, shown: str) -> None:
    for ask in (check_targets, known_targets):
        with pytest.raises(InvalidInputError, match=f"expected targets that are numbers, got .*{shown}"):
            ask(strange, 1, "auto")  # type: ignore[operator]


def test_what_is_to_be_reckoned_with_lies_a_little_beyond_what_few_items_had() -> None:
    few, many = (check_targets(np.linspace(0, 99, n).round(), n, "auto") for n in (16, 3000))

    (low,), (high,) = few.bounds
    assert low == pytest.approx(-3 / 16 * np.log(100))
    assert np.expm1(high) == pytest.approx(100 * 100 ** (3 / 16) - 1)
    assert np.expm1(many.bounds[1]) == pytest.approx(99, rel=0.01)
    assert np.isinf(replace(few, is_bounded=False).bounds).all()
