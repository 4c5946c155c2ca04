import numpy as np
import pytest
from zeroshot_core.classification.label_head import fit_label_head
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.estimators.stacking import (
    choose_penalty,
    fit_stacking,
    harmonic_mean,
    hold_out_labels,
    seen_unseen_curve,
    stacked,
)

# Labels 0 and 1 have examples, 2 and 3 have none; each text's own label leads its kind by a little.
SCORES = np.array([[5.0, 1, 3, 0], [1, 5, 2, 0], [4, 1, 3, 0], [4, 1, 0, 2], [1, 0, 4, 0]])
CODES = np.array([0, 1, 2, 3, 2])
IS_SEEN = np.array([True, True, False, False])


def worlds(rng: np.random.Generator, n_labels: int, n_each: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Label vectors, and texts scattered about points near them."""
    labels = rng.normal(size=(n_labels, 32))
    points = labels + 1.2 * rng.normal(size=labels.shape)
    codes = np.repeat(np.arange(n_labels), n_each)
    texts = points[codes] + 1.2 * rng.normal(size=(len(codes), 32))
    return unit(labels), unit(texts), codes


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_every_penalty_gives_the_accuracies_that_the_curve_says():
    curve = seen_unseen_curve(SCORES, CODES, IS_SEEN)

    for penalty, seen, unseen in zip(curve.penalties, curve.seen, curve.unseen, strict=True):
        right = stacked(SCORES, IS_SEEN, penalty).argmax(axis=1) == CODES
        assert (right[:2].mean(), right[2:].mean()) == (seen, unseen)
    assert (curve.seen[0], curve.unseen[0], curve.seen[-1], curve.unseen[-1]) == (1, 0, 0, 1)
    assert 0 < curve.area <= 1


def test_the_penalty_is_the_best_that_costs_seen_labels_no_more_than_is_said():
    free, strict = (choose_penalty(SCORES, CODES, IS_SEEN, most_given_up=loss) for loss in (1.0, 0.0))

    assert (stacked(SCORES, IS_SEEN, free).argmax(axis=1) == CODES).sum() == 4
    right = stacked(SCORES, IS_SEEN, strict).argmax(axis=1) == CODES
    assert right[:2].all()


def test_the_harmonic_mean_of_nothing_right_is_nothing():
    assert harmonic_mean(0.0, 0.0) == 0.0
    assert harmonic_mean(0.9, 0.6) == pytest.approx(0.72)


def test_a_curve_without_texts_of_unseen_labels_is_refused():
    with pytest.raises(InvalidInputError, match="texts of labels with and without examples, got 2 with of 2"):
        seen_unseen_curve(SCORES[:2], CODES[:2], IS_SEEN)
    with pytest.raises(InvalidInputError, match=r"expected scores \(n, m\), n codes"):
        seen_unseen_curve(SCORES, CODES[:2], IS_SEEN)


def test_every_example_is_asked_once_and_never_learned_from_at_the_same_time():
    codes = np.repeat(np.arange(10), 6)

    parts = list(hold_out_labels(codes, random_state=0))

    assert (sum(held.astype(int) for _, held in parts) == 1).all()
    for training, held in parts:
        assert not (training & held).any()
        assert len(set(codes[held]) - set(codes[training])) == 4


def test_a_head_with_stacking_finds_unseen_labels_and_keeps_seen_ones():
    labels, texts, codes = worlds(np.random.default_rng(0), 30, 30)
    is_seen = np.arange(30) < 20
    place = np.arange(len(codes)) % 30
    known, asked = np.flatnonzero(is_seen[codes] & (place < 8)), np.flatnonzero(place >= 8)
    nearest = texts[asked] @ labels.T
    for code in range(20):
        own = texts[known][codes[known] == code]
        nearest[:, code] = np.maximum(nearest[:, code], (texts[asked] @ own.T).max(axis=1))

    scores = fit_label_head(labels, texts[known], codes[known], 0).scores(texts[asked])

    def accuracies(scores: np.ndarray) -> tuple[float, float]:
        right, of_seen = scores.argmax(axis=1) == codes[asked], is_seen[codes[asked]]
        return right[of_seen].mean(), right[~of_seen].mean()

    (seen, unseen), (seen_before, unseen_before) = accuracies(scores), accuracies(nearest)
    assert unseen > unseen_before + 0.05
    assert seen > seen_before - 0.04
    assert harmonic_mean(seen, unseen) > harmonic_mean(seen_before, unseen_before) + 0.05


def test_weights_without_unseen_labels_bring_no_penalty():
    evidence = np.eye(3)[[0, 1, 2, 0]][:, :, None]

    stacking = fit_stacking(evidence, np.array([0, 1, 2, 0]), np.ones((4, 3), dtype=bool))

    assert stacking.penalty == 0
    assert stacking.seen_weights[0] > 0
