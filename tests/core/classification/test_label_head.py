"""Blending label vectors with examples, on vectors whose right answer is known."""

from dataclasses import replace

import numpy as np
import pytest
from zeroshot_core.classification.label_head import fit_label_head
from zeroshot_core.estimators.stacking import Stacking, harmonic_mean


def cloud(n_labels=12, per_label=30, dimension=24, noise=0.12):
    """Unit vectors around random directions; label vectors lie at some distance from these."""
    rng = np.random.default_rng(0)
    centres = unit(rng.normal(size=(n_labels, dimension)))
    labels = unit(centres + 0.25 * rng.normal(size=centres.shape))
    codes = np.repeat(np.arange(n_labels), per_label)
    vectors = unit(centres[codes] + noise * 2 * rng.normal(size=(len(codes), dimension)))
    return labels.astype(np.float32), vectors.astype(np.float32), codes


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def accuracy(head, vectors, codes):
    return (head.probabilities(vectors).argmax(axis=1) == codes).mean()


def test_without_examples_only_nearness_counts():
    labels, vectors, codes = cloud()
    head = fit_label_head(labels, vectors[:0], codes[:0], 0)
    found = np.log(head.probabilities(vectors))
    cosines = (vectors @ labels.T).astype(np.float64)
    sharpness = (found[0, 0] - found[0, 1]) / (cosines[0, 0] - cosines[0, 1])
    np.testing.assert_allclose(
        found - found[:, :1], sharpness * (cosines - cosines[:, :1]), rtol=1e-3, atol=1e-4
    )


def test_labels_that_differ_less_are_told_apart_more_sharply():
    labels, vectors, codes = cloud()
    close = unit(labels + 3 * labels.mean(axis=0)).astype(np.float32)
    wide, narrow = (fit_label_head(each, vectors[:0], codes[:0], 0).stacking for each in (labels, close))
    assert narrow.unseen_weights[0] > 1.2 * wide.unseen_weights[0]
    assert np.isfinite(fit_label_head(labels[:2], vectors[:0], codes[:0], 0).stacking.unseen_weights).all()


def test_examples_make_better_predictions_and_better_probabilities():
    labels, vectors, codes = cloud()
    train, test = np.arange(len(codes)) % 3 > 0, np.arange(len(codes)) % 3 == 0
    bare = fit_label_head(labels, vectors[:0], codes[:0], 0)
    head = fit_label_head(labels, vectors[train], codes[train], 0)
    assert accuracy(head, vectors[test], codes[test]) > accuracy(bare, vectors[test], codes[test]) + 0.02

    def log_loss(each):
        return -np.log(each.probabilities(vectors[test])[np.arange(test.sum()), codes[test]]).mean()

    assert log_loss(head) < log_loss(bare)


def test_labels_without_examples_hold_their_own_beside_labels_with_many():
    labels, vectors, codes = cloud(n_labels=30, noise=0.16)
    unseen = codes >= 20
    train = ~unseen & (np.arange(len(codes)) % 2 == 0)
    test = np.arange(len(codes)) % 2 == 1
    head = fit_label_head(labels, vectors[train], codes[train], 0)
    assert head.has_examples.tolist() == [True] * 20 + [False] * 10
    alike = Stacking(
        seen_weights=head.stacking.seen_weights,
        unseen_weights=head.stacking.seen_weights,
        offset=0.0,
        penalty=0.0,
    )

    def both(each):
        return [accuracy(each, vectors[part], codes[part]) for part in (test & ~unseen, test & unseen)]

    stacked, uncalibrated = both(head), both(replace(head, stacking=alike))
    assert harmonic_mean(*stacked) > harmonic_mean(*uncalibrated) + 0.03
    assert stacked[0] > uncalibrated[0] - 0.1


def test_no_penalty_where_every_label_has_examples():
    labels, vectors, codes = cloud()
    assert fit_label_head(labels, vectors, codes, 0).stacking.penalty == 0


@pytest.mark.parametrize("n", [1, 2, 3])
def test_one_example_is_enough(n):
    labels, vectors, codes = cloud(n_labels=3)
    head = fit_label_head(labels, vectors[:n], codes[:n], 0)
    probabilities = head.probabilities(vectors)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    assert np.isfinite(probabilities).all()
    assert set(probabilities.argmax(axis=1).tolist()) == {0, 1, 2}


@pytest.mark.parametrize("n_known", [12, 9])
@pytest.mark.parametrize("per_label", [1, 2])
def test_one_or_two_examples_of_a_label_do_not_harm(n_known, per_label):
    labels, vectors, codes = cloud(noise=0.2)
    train = (np.arange(len(codes)) % 30 < per_label) & (codes < n_known)
    bare = fit_label_head(labels, vectors[:0], codes[:0], 0)
    head = fit_label_head(labels, vectors[train], codes[train], 0)
    assert accuracy(head, vectors[~train], codes[~train]) > accuracy(bare, vectors[~train], codes[~train])


def test_probabilities_of_few_examples_are_as_sure_as_they_are_right():
    labels, vectors, codes = cloud(per_label=60, noise=0.2)
    train, test = np.arange(len(codes)) % 60 < 6, np.arange(len(codes)) % 60 >= 6
    head = fit_label_head(labels, vectors[train], codes[train], 0)
    assert head.probabilities(vectors[test]).max(axis=1).mean() == pytest.approx(
        accuracy(head, vectors[test], codes[test]), abs=0.06
    )


def test_a_tuned_encoder_is_not_taken_at_its_word():
    labels, vectors, codes = cloud(noise=0.2)
    train, test = np.arange(len(codes)) % 3 > 0, np.arange(len(codes)) % 3 == 0
    # To a tuned encoder its own examples all look alike; new ones don't.
    tuned = np.where(train[:, None], unit(labels[codes] + 0.3 * vectors), vectors).astype(np.float32)
    untuned = labels, vectors[train]
    sure = fit_label_head(labels, tuned[train], codes[train], 0).probabilities(tuned[test]).max(axis=1)
    head = fit_label_head(labels, tuned[train], codes[train], 0, untuned=untuned)
    modest = head.probabilities(tuned[test]).max(axis=1)
    assert modest.mean() < sure.mean()
    assert modest.mean() == pytest.approx(accuracy(head, tuned[test], codes[test]), abs=0.1)


def test_two_labels_have_probabilities_of_both():
    labels, vectors, codes = cloud(n_labels=2)
    head = fit_label_head(labels, vectors, codes, 0)
    assert accuracy(head, vectors, codes) > 0.95
