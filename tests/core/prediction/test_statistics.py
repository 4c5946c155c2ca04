from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from zeroshot_core.regression.target_encoding import fold_sums, outside, shrink

# Five items in two groups; the last belongs half to each.
MEMBERS = sparse.csr_matrix([[1, 0], [1, 0], [0, 1], [0, 1], [0.5, 0.5]])
TARGETS = np.array([2.0, 4.0, 10.0, 20.0, 6.0])
FOLDS = np.array([0, 1, 0, 1, 1])


def test_sums_by_group_and_fold_are_those_done_by_hand() -> None:
    sums = fold_sums(MEMBERS, TARGETS, FOLDS)

    assert sums.totals.tolist() == [[2.0, 4.0 + 3.0], [10.0, 20.0 + 3.0]]
    assert sums.counts.tolist() == [[1.0, 1.5], [1.0, 1.5]]


def test_outside_a_fold_only_other_folds_count() -> None:
    left = outside(fold_sums(MEMBERS, TARGETS, FOLDS))

    assert left.totals.tolist() == [[7.0, 2.0], [23.0, 10.0]]
    assert left.counts.tolist() == [[1.5, 1.0], [1.5, 1.0]]


def test_a_target_never_enters_the_sums_outside_its_own_fold() -> None:
    changed = TARGETS.copy()
    changed[0] = 1e9

    before = outside(fold_sums(MEMBERS, TARGETS, FOLDS)).totals
    after = outside(fold_sums(MEMBERS, changed, FOLDS)).totals

    assert after[:, 0].tolist() == before[:, 0].tolist()
    assert after[0, 1] == pytest.approx(1e9)


def test_means_are_drawn_towards_the_prior_and_an_empty_group_is_the_prior() -> None:
    means = shrink(np.array([0.0, 30.0, 3e6]), np.array([0.0, 3.0, 3e5]), prior=4.0, strength=3.0)

    assert means[:2].tolist() == [4.0, (30.0 + 12.0) / 6.0]
    assert means[2] == pytest.approx(10.0, abs=1e-3)
