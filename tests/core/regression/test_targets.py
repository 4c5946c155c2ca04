from __future__ import annotations

import numpy as np
import pytest
from zeroshot_core import InvalidInputError
from zeroshot_core.regression.targets import Targets, check_targets


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
