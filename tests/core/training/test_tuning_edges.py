"""Input at the edge of what can be learned from: a clear error, or a stated, sensible behaviour."""

import numpy as np
import pytest
from zeroshot_core.encoders import FunctionEncoder, HashEncoder
from zeroshot_core.errors import InvalidInputError, TooLittleError
from zeroshot_core.training import TrainingPlan, tune_head
from zeroshot_core.training.guard import spread

ENCODER = HashEncoder(32)
TREES = ("oak", "elm", "ash", "fir")
TEXTS = [f"{TREES[i % 4]} {i}" for i in range(40)]
LABELS = [text.split()[0] for text in TEXTS]
PLAN = TrainingPlan(epochs=2, learning_rate=1e-3, batch_size=32)


def tuned(texts, values, **settings):
    return tune_head(ENCODER, texts, values, plan=PLAN, **settings)[1]


def test_one_label_alone_or_equal_targets_are_too_little():
    with pytest.raises(TooLittleError, match="expected at least 2 labels to tell apart, got \\['oak'\\]"):
        tuned(TEXTS, ["oak"] * 40)
    with pytest.raises(TooLittleError, match="targets that vary"):
        tuned(TEXTS, np.ones(40))


def test_a_label_with_one_example_only_pushes_others_away():
    report = tuned([*TEXTS, "birch bark"], [*LABELS, "birch"])
    assert report.n_training + report.n_held_out == 41
    assert np.isfinite([report.score, *report.epoch_scores]).all()


def test_a_text_with_two_labels_is_refused_and_one_told_twice_counts_once():
    with pytest.raises(InvalidInputError, match="expected one label for each text, got 'elm' and 'oak'"):
        tuned(["oak 0", *TEXTS], ["elm", *LABELS])
    report = tuned([*TEXTS, TEXTS[0]], [*LABELS, LABELS[0]])
    assert report.n_training + report.n_held_out == 40


def test_few_labels_leave_none_unseen_and_that_is_said():
    assert tuned(TEXTS, LABELS).unseen_scores is None


def test_one_group_cannot_be_held_out_but_one_of_two_can():
    targets = np.arange(40.0)
    with pytest.raises(TooLittleError, match="at least 2 groups"):
        tuned(TEXTS, targets, groups=["all"] * 40)
    report = tuned(TEXTS, targets, groups=["most"] * 39 + ["last"])
    assert np.isfinite([report.score, *report.epoch_scores]).all()
    assert abs(report.score) < 100


def test_a_function_whose_vectors_changed_their_length_is_named():
    length = [32]
    service = FunctionEncoder(
        lambda texts: [row[: length[0]] for row in ENCODER.encode(texts)], name="service", dimension=32
    )
    length[0] = 16
    with pytest.raises(InvalidInputError, match="expected vectors of length 32 from 'service', got 16"):
        tune_head(service, TEXTS, LABELS, plan=PLAN)


def test_targets_that_are_mostly_noise_do_not_bring_all_vectors_together():
    rng = np.random.default_rng(0)
    texts = [f"{TREES[i % 4]} {TREES[i // 4 % 4]} {i}" for i in range(400)]
    targets = np.arange(400) % 4 + 2.0 * rng.normal(size=400)
    plan = TrainingPlan(epochs=15, learning_rate=3e-3, batch_size=128, patience=15)
    tuned, report = tune_head(ENCODER, texts, targets, plan=plan)
    assert report.is_improved
    assert spread(tuned.encode(texts)) > 0.2 * spread(ENCODER.encode(texts))
