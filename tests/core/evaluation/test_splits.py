import numpy as np
import pytest
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.evaluation.splits import HELD_OUT_COLUMNS, SPLITS, split_groups, split_product_lines


@pytest.mark.parametrize("name", SPLITS)
def test_known_and_new_lines_are_disjoint_and_repeat_with_the_seed(product_lines, name):
    split, again = (split_product_lines(product_lines, name, 3) for _ in range(2))
    assert not np.intersect1d(split.train, split.test).size
    assert np.array_equal(split.test, again.test)
    assert np.array_equal(split.train, again.train)


@pytest.mark.parametrize("name", ["lines", *HELD_OUT_COLUMNS])
def test_another_seed_holds_out_other_lines(product_lines, name):
    first, second = (split_product_lines(product_lines, name, seed) for seed in (0, 1))
    assert not np.array_equal(first.test, second.test)


def test_a_fifth_of_the_lines_is_new(product_lines):
    split = split_product_lines(product_lines, "lines", 0)
    assert len(split.test) == 5208
    assert len(split.train) + len(split.test) == len(product_lines)
    assert split.groups is None


@pytest.mark.parametrize("name", HELD_OUT_COLUMNS)
def test_no_held_out_value_was_ever_seen(product_lines, name):
    split = split_product_lines(product_lines, name, 0)
    labels = np.array(product_lines.column(HELD_OUT_COLUMNS[name]))
    assert not set(labels[split.train]) & set(labels[split.test])
    assert split.groups == tuple(labels[split.train])
    assert len(set(labels[split.test])) == round(0.2 * len(set(labels)))


def test_launches_to_forecast_come_after_all_that_was_learnt_from(product_lines):
    split = split_product_lines(product_lines, "launch", 0)
    last_week_seen = product_lines.first_week[split.train].max() + 7
    assert last_week_seen < product_lines.first_week[split.test].min()
    assert np.array_equal(split.target, product_lines.launch_units.sum(axis=1))
    assert (len(split.train), len(split.test)) == (7046, 1615)


def test_one_group_alone_cannot_be_split():
    with pytest.raises(InvalidInputError, match="got 3 known and 0 new; give more lines"):
        split_groups(["soap"] * 3, 0)


def test_unknown_split_names_those_there_are(product_lines):
    with pytest.raises(InvalidInputError, match=r"\['lines', 'launch', .*got 'weeks'"):
        split_product_lines(product_lines, "weeks")
