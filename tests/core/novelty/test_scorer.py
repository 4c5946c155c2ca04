import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.index import VectorIndex
from zeroshot_core.novelty.class_gaussians import fit_class_gaussians
from zeroshot_core.novelty.ood_scores import energy
from zeroshot_core.novelty.scorer import check_false_alarm_rate, fit_novelty_scorer, nearest_similarities
from zeroshot_core.types import Item

N_LABELS, N_EACH = 20, 40


@pytest.fixture(scope="module")
def texts() -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors about 24 points, of which the last four are new; and the number of each one's point."""
    rng = np.random.default_rng(0)
    codes = np.repeat(np.arange(N_LABELS + 4), N_EACH)
    rows = rng.normal(size=(N_LABELS + 4, 24))[codes] + 0.8 * rng.normal(size=(len(codes), 24))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), codes


@pytest.fixture(scope="module")
def split(texts):
    vectors, codes = texts
    known = (codes < N_LABELS) & (np.arange(len(codes)) % 2 == 0)
    asked = ~known
    near = np.sort(vectors[asked] @ vectors[known].T, axis=1)[:, -5:]
    return vectors[known], codes[known], vectors[asked], near, codes[asked] >= N_LABELS


def test_texts_of_new_kinds_score_above_known_ones(split):
    vectors, codes, asked, near, is_new = split

    scores = fit_novelty_scorer(vectors, codes).score(asked, near)

    assert roc_auc_score(is_new, scores) > 0.95


def test_without_labels_clusters_do_nearly_as_well(split):
    vectors, _, asked, near, is_new = split

    scorer = fit_novelty_scorer(vectors)

    assert roc_auc_score(is_new, scorer.score(asked, near)) > 0.9
    assert len(scorer.ood_scores.gaussians.means) == 20


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.3])
def test_the_stated_share_of_known_texts_is_called_new(split, rate):
    vectors, codes, asked, near, is_new = split
    scorer = fit_novelty_scorer(vectors, codes)

    alarms = (scorer.score(asked, near) > scorer.threshold(rate))[~is_new].mean()

    assert alarms == pytest.approx(rate, abs=0.02 + rate / 4)


def test_texts_that_the_encoder_was_not_tuned_on_set_the_threshold(texts):
    """Of 40 texts of a label 30 are known; tuning has drawn 20 of these halfway to their label."""
    vectors, codes = texts
    place = np.arange(len(codes)) % N_EACH
    means = np.array([vectors[codes == code].mean(axis=0) for code in range(N_LABELS + 4)])
    drawn = np.where(place[:, None] < 20, vectors + means[codes], vectors)
    drawn = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
    known, asked = (codes < N_LABELS) & (place < 30), (codes < N_LABELS) & (place >= 30)
    near = np.sort(drawn[asked] @ drawn[known].T, axis=1)[:, -5:]

    def alarms(calibration):
        scorer = fit_novelty_scorer(drawn[known], codes[known], calibration=calibration)
        return (scorer.score(drawn[asked], near) > scorer.threshold(0.1)).mean()

    assert alarms(None) > 0.2
    assert 0.03 < alarms(place[known] >= 20) < 0.13
    # Fewer than 100 say too little.
    assert alarms(place[known] >= 28) == alarms(None)


def test_weights_are_shares_and_a_seed_repeats_them(split):
    vectors, codes, asked, near, _ = split
    scorer, again = (
        fit_novelty_scorer(vectors, codes, random_state=3),
        fit_novelty_scorer(vectors, codes, random_state=3),
    )

    assert (scorer.weights >= 0).all()
    assert scorer.weights.sum() == pytest.approx(1)
    np.testing.assert_array_equal(scorer.score(asked, near), again.score(asked, near))


def test_one_label_or_single_examples_are_taken_without_labels(split):
    vectors, _, asked, near, _ = split
    plain = fit_novelty_scorer(vectors).score(asked, near)

    for codes in (np.zeros(len(vectors), dtype=int), np.arange(len(vectors))):
        np.testing.assert_array_equal(fit_novelty_scorer(vectors, codes).score(asked, near), plain)


@pytest.mark.parametrize("rate", [0, 1, -0.1, 1.5, True, "0.1", None, float("nan")])
def test_a_rate_that_is_no_share_is_refused(rate):
    with pytest.raises(InvalidInputError, match="false_alarm_rate as a number above 0 and below 1, got"):
        check_false_alarm_rate(rate)


def test_too_few_texts_are_refused(split):
    with pytest.raises(InvalidInputError, match="10 texts to learn what is in-distribution from, got 9"):
        fit_novelty_scorer(split[0][:9])


def test_neighbours_come_from_the_live_index(tmp_path):
    encoder = HashEncoder()
    with VectorIndex.connect(str(tmp_path / "n.db")) as index:
        items = [Item(id=f"i{n}", text=text) for n, text in enumerate(["red wine", "white wine", "cat food"])]
        version = index.open(index.build(items, encoder), fingerprint=encoder.fingerprint)
        queries = encoder.encode(["rose wine", "garden hose"])
        before = nearest_similarities(version, queries, 2)
        version.upsert([Item(id="i3", text="rose wine")], encoder)
        after = nearest_similarities(version, queries, 2)
        assert nearest_similarities(version, queries).shape == (2, 4)

    expected = -np.sort(-queries @ encoder.encode([item.text for item in items]).T, axis=1)[:, :2]
    np.testing.assert_allclose(before, expected, atol=1e-5)
    assert after[0, 0] == pytest.approx(1, abs=1e-5)


def test_energy_is_minus_the_soft_maximum():
    scores = np.array([[0.2, 0.9], [0.1, 0.1]])

    assert energy(scores, 1e-3) == pytest.approx([-0.9, -0.1], abs=1e-3)
    assert energy(scores, 1.0)[1] == pytest.approx(-0.1 - np.log(2))


def test_gaussians_give_the_distances_of_their_definition():
    rng = np.random.default_rng(0)
    vectors, codes = rng.normal(size=(60, 4)), np.arange(60) % 3
    gaussians = fit_class_gaussians(vectors, codes)
    asked = rng.normal(size=(5, 4))

    means = np.array([vectors[codes == code].mean(axis=0) for code in range(3)])
    gaps = asked[:, None] - means
    expected = np.einsum("qmd,de,qme->qm", gaps, gaussians.within, gaps)
    centred = asked - vectors.mean(axis=0)
    total = np.einsum("qd,de,qe->q", centred, gaussians.total, centred)
    np.testing.assert_allclose(gaussians.distances(asked), expected, rtol=1e-9)
    np.testing.assert_allclose(gaussians.relative_distance(asked), expected.min(axis=1) - total, rtol=1e-9)
