"""What is held out, how vectors order it, and what is gained, each checked by hand."""

import numpy as np
import pytest
from zeroshot_core.training.examples import check_examples, with_label_texts
from zeroshot_core.training.guard import (
    Guard,
    average_precisions,
    hold_out,
    neighbour_errors,
    paired_gain,
    unseen_labels,
)

TEXTS = [f"text {n}" for n in range(48)]
LABELS = [f"label {n % 12:02}" for n in range(48)]


def guard_of(texts, values, held_out, seed=0):
    return Guard(check_examples(texts, values), np.array(held_out), np.random.default_rng(seed))


def on_the_circle(*angles):
    return np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)


def test_a_tenth_of_many_labels_is_held_out_as_a_whole():
    labels = [f"label {i % 12}" for i in range(120)]
    examples = check_examples([f"text {i}" for i in range(120)], labels)
    held_out = hold_out(examples, np.random.default_rng(0))
    whole = [code for code in range(12) if held_out[examples.values == code].all()]
    assert len(whole) == 1


def test_without_ten_labels_no_label_is_unseen():
    held_out = np.arange(48) % 5 == 0
    assert not unseen_labels(check_examples(TEXTS, ["x", "y"] * 24), held_out).any()
    examples = check_examples(TEXTS, LABELS)
    whole = held_out | (examples.values == 3)
    assert (unseen_labels(examples, whole) == (examples.values == 3)).all()


def test_the_text_of_a_label_does_not_make_it_seen():
    examples = with_label_texts(check_examples(list("abcd"), ["x", "y", "x", "y"]), {"x": "ex", "y": "why"})
    held_out = np.array([True, False, True, False, False, False])
    assert unseen_labels(examples, held_out).tolist() == [True, False, True, False, True, False]


def test_average_precision_is_as_worked_out_by_hand():
    # From the first text, its own label comes second and third of three.
    scores = average_precisions(
        on_the_circle(0.0, 0.1, 0.2, 0.3), np.array([0, 1, 0, 0]), np.array([True, False, False, False])
    )
    assert scores == pytest.approx([(1 / 2 + 2 / 3) / 2])


def test_average_precision_of_each_held_out_text_is_as_worked_out_by_hand():
    guard = guard_of(["a", "b", "c", "d"], ["x", "y", "x", "x"], [True, True, False, False])
    scores = guard.text_scores(on_the_circle(0.0, 0.1, 0.2, 0.3))
    # From the first text its own label comes second and third; the second has no other of its label.
    np.testing.assert_allclose(scores, [(1 / 2 + 2 / 3) / 2, np.nan])


def test_both_parts_count_alike_however_many_texts_they_have():
    guard = guard_of(list("abcdef"), ["x", "x", "x", "y", "y", "z"], [True, False, False, True, True, False])
    # Equally near texts come in their order: x first, y fourth.
    vectors = np.eye(6, dtype=np.float32)
    assert guard.part_scores(vectors) == (1.0, 0.25)
    assert guard.score(vectors) == pytest.approx(0.625)


def test_a_part_in_which_no_text_has_another_of_its_label_scores_nothing():
    guard = guard_of(list("abc"), ["x", "y", "y"], [True, False, False])
    assert guard.part_scores(np.eye(3, dtype=np.float32)) == (None, 0.0)


def test_neighbours_that_know_no_more_than_the_mean_explain_nothing():
    # Two known texts are both among the ten nearest.
    guard = guard_of(list("abcd"), [0.0, 1.0, 0.5, 1.5], [False, False, True, True])
    vectors = np.eye(4, dtype=np.float32)[[0, 1, 0, 1]]
    assert guard.part_scores(vectors) == (pytest.approx(0.0), None)
    targets = np.array([[0.0], [1.0], [0.0], [3.0]])
    errors = neighbour_errors(vectors, targets, np.array([False, False, True, True]))
    assert errors.tolist() == [[0.25], [6.25]]


def test_one_held_out_text_is_scored_too():
    vectors = np.eye(3, dtype=np.float32)
    assert guard_of(list("abc"), [0.0, 2.0, 3.0], [False, False, True]).score(vectors) == pytest.approx(0.0)
    # The mean of the others makes no error, so that there is none to take away.
    assert guard_of(list("abc"), [0.0, 2.0, 1.0], [False, False, True]).score(vectors) == 0.0


def test_of_many_texts_a_sample_is_compared_and_all_label_texts():
    examples = check_examples([f"text {n}" for n in range(6000)], ["x", "y"] * 3000)
    examples = with_label_texts(examples, {"x": "ex", "y": "why"})
    held_out = hold_out(examples, np.random.default_rng(0))
    guard = Guard(examples, held_out, np.random.default_rng(0))
    assert len(guard.rows) == len(guard.texts) == 5002
    assert guard.texts[-2:] == ["ex", "why"]
    assert (np.diff(guard.rows) > 0).all()


def test_seen_and_unseen_labels_count_alike_and_texts_without_a_score_do_not():
    before = np.zeros(5)
    after = np.array([0.1, 0.3, np.nan, 0.1, 0.5])
    is_unseen = np.array([True, True, True, False, False])
    gain = paired_gain(before, after, is_unseen, np.random.default_rng(0))
    assert gain.mean == pytest.approx((0.2 + 0.3) / 2)
    assert gain.unseen == pytest.approx(0.2)
    assert 0.1 <= gain.interval[0] < 0.25 < gain.interval[1] <= 0.4
    nothing = paired_gain(before, np.full(5, np.nan), is_unseen, np.random.default_rng(0))
    assert (nothing.mean, nothing.interval, nothing.unseen) == (0.0, (0.0, 0.0), None)


def test_vectors_are_compared_text_by_text_and_refused_where_they_collapse():
    guard = guard_of(list("abcdef"), list("xxxyyy"), [True, False, False, True, False, False])
    apart, mixed = on_the_circle(0, 0.1, 0.2, 3, 3.1, 3.2), on_the_circle(0, 3.1, 0.2, 3, 0.1, 3.2)
    gain = guard.gain(mixed, apart, np.random.default_rng(0))
    assert gain.mean == pytest.approx(guard.score(apart) - guard.score(mixed))
    assert gain.interval[0] <= gain.mean <= gain.interval[1]
    assert guard.verdict(mixed, apart) == ""
    assert guard.verdict(apart, mixed).startswith("base kept: held-out texts do not gain, 1.000 before")
    alike = on_the_circle(0, 1e-3, 2e-3, 0.03, 0.031, 0.032)
    assert guard.verdict(mixed, alike).startswith("base kept: vectors collapsed, their spread fell from")
