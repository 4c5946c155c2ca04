import numpy as np
import pytest
from zeroshot_core.datasets import LabelledTexts
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.evaluation.generalised_zero_shot import (
    evaluate_generalised,
    score_generalised,
    split_generalised,
)
from zeroshot_core.evaluation.novelty_detection import (
    detection,
    evaluate_novelty,
    false_positive_rate,
    open_set_scores,
    split_novelty,
)
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.types import Concept

KINDS = ("red wine", "cat food", "garden tools", "dental care", "jazz music", "zebra hides")
WORDS = ("small", "large", "cheap", "fine", "new", "old", "blue", "green", "big", "best", "odd", "tiny")


def texts_of(outside: tuple[str, ...] = ()) -> LabelledTexts:
    train, test = WORDS[:8], WORDS[8:]
    return LabelledTexts(
        name="shelf",
        graph=KnowledgeGraph([Concept(id=kind, name=kind, type="label") for kind in KINDS]),
        train_texts=tuple(f"{word} {kind}" for kind in KINDS for word in train),
        train_labels=tuple(kind for kind in KINDS for _ in train),
        test_texts=tuple(f"{word} {kind}" for kind in KINDS for word in test),
        test_labels=tuple(kind for kind in KINDS for _ in test),
        outside_texts=outside,
    )


def test_known_labels_are_drawn_by_seed_and_the_rest_is_new():
    data = texts_of()
    split = split_novelty(data, 1, known=0.5)

    assert len(split.labels) == 3
    assert {data.train_labels[row] for row in split.rows} == set(split.labels)
    for text, code in zip(split.test_texts, split.test_codes, strict=True):
        label = data.test_labels[data.test_texts.index(text)]
        assert (label not in split.labels) if code == -1 else split.labels[code] == label
    assert {split_novelty(data, seed, known=0.5).labels for seed in range(5)} != {split.labels}


def test_without_a_share_all_labels_are_known_where_texts_lie_outside():
    split = split_novelty(texts_of(("quantum physics",)), 0)

    assert split.labels == tuple(sorted(KINDS))
    assert (split.test_codes == -1).sum() == 1
    assert len(split_novelty(texts_of(), 0).labels) == 3
    with pytest.raises(InvalidInputError, match="leaves 2 labels known and something new"):
        split_novelty(texts_of(), 0, known=1.0)


def test_novelty_is_measured_from_the_index_to_the_figures():
    data = texts_of()
    report = evaluate_novelty(data, split_novelty(data, 0, known=0.5), encoder=HashEncoder())

    assert (report.n_known_labels, report.n_training, report.n_test, report.n_new) == (3, 24, 24, 12)
    assert report.detection.auroc > 0.95
    assert report.detection.auroc_interval[0] <= report.detection.auroc <= report.detection.auroc_interval[1]
    assert report.open_set.accuracy > 0.8
    assert sum(report.weights.values()) == pytest.approx(1)
    assert report.to_dict()["detection"]["fpr95"] == report.detection.fpr95
    with pytest.raises(InvalidInputError, match="false_alarm_rate as a number above 0 and below 1"):
        evaluate_novelty(data, split_novelty(data, 0), encoder=HashEncoder(), false_alarm_rate=1.0)


def test_detection_figures_are_those_of_their_definitions():
    scores, is_new = np.r_[np.arange(100.0), 94.5, 98.5, 200.0], np.r_[np.zeros(100), np.ones(3)]

    assert false_positive_rate(scores, is_new) == pytest.approx(0)
    assert false_positive_rate(scores, is_new, accepted=0.98) == pytest.approx(1 / 3)
    assert detection(scores, is_new).auroc == pytest.approx((95 + 99 + 100) / 300)
    with pytest.raises(InvalidInputError, match="both known and new texts"):
        detection(scores, np.zeros(103))


def test_new_counts_as_one_more_label():
    found = open_set_scores(np.array([0, -1, 1, -1, 0]), np.array([0, 0, 1, -1, -1]))

    assert (found.accuracy, found.false_alarm_rate, found.detection_rate) == (0.6, 1 / 3, 0.5)
    assert found.macro_f1 == pytest.approx((0.5 + 1 + 0.5) / 3)


def test_seen_labels_get_as_many_examples_each_and_unseen_ones_none():
    data = texts_of()
    split = split_generalised(data, 0, n_seen=4, n_per_label=5)

    assert split.is_seen.sum() == 4
    assert np.bincount(split.codes, minlength=6).tolist() == np.where(split.is_seen, 5, 0).tolist()
    labels = sorted(KINDS)
    assert [data.train_labels[row] for row in split.rows] == [labels[code] for code in split.codes]
    with pytest.raises(InvalidInputError, match="9 training texts of each label"):
        split_generalised(data, 0, n_seen=4, n_per_label=9)
    with pytest.raises(InvalidInputError, match="n_seen above 1 and below 6, got 6"):
        split_generalised(data, 0, n_seen=6)


def test_seen_and_unseen_labels_are_predicted_together_and_scored_apart():
    report = evaluate_generalised(texts_of(), 0, encoder=HashEncoder(), n_seen=4, n_per_label=8)

    assert (report.n_seen, report.n_unseen, report.seen_only) == (4, 2, 1.0)
    assert report.scores.harmonic_mean > 0.9
    assert set(report.baselines) == {"knn_and_label_vectors", "label_vectors"}
    scores = score_generalised(np.eye(3)[[0, 1, 1]], np.array([0, 1, 2]), np.array([True, True, False]))
    assert (scores.seen, scores.unseen, scores.harmonic_mean) == (1, 0, 0)
