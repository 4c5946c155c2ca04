from contextlib import closing

import numpy as np
import pytest
from zeroshot_core import ZeroShotClassifier
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.errors import InvalidInputError

KINDS = ("red wine", "cat food", "garden tools", "dental care")
SIZES = ("small", "large", "cheap", "fine", "new", "old", "blue", "green", "big", "best")
KNOWN = [f"{size} {kind}" for kind in KINDS for size in SIZES]
LABELS = [kind for kind in KINDS for _ in SIZES]
NEW = ["quantum chromodynamics", "xylophone jazz", "zebra migration", "mountain bike hubs"]


@pytest.fixture(scope="module")
def model():
    with closing(ZeroShotClassifier(HashEncoder(), false_alarm_rate=0.1).fit(KNOWN, LABELS)) as fitted:
        yield fitted


def test_what_is_none_of_the_labels_is_answered_so(model):
    rejected = model.predict([*NEW, "fine red wine", "big cat food"], reject=True)

    assert rejected.tolist() == ["", "", "", "", "red wine", "cat food"]
    assert "" not in model.predict(NEW)


def test_new_texts_score_above_known_ones(model):
    scores = model.novelty_score([*NEW, *KNOWN])

    assert scores.shape == (len(NEW) + len(KNOWN),)
    assert scores[: len(NEW)].min() > scores[len(NEW) :].max()


def test_a_saved_model_scores_alike(model, tmp_path):
    model.save(tmp_path / "model")
    with closing(ZeroShotClassifier.load(tmp_path / "model", encoder=HashEncoder())) as loaded:
        assert loaded.false_alarm_rate == 0.1
        np.testing.assert_allclose(loaded.novelty_score(NEW), model.novelty_score(NEW), rtol=1e-5)


@pytest.mark.parametrize("rate", [0, 1, 1.5])
def test_a_rate_outside_0_and_1_is_refused_before_anything_is_learned(rate):
    with pytest.raises(InvalidInputError, match="expected a false_alarm_rate above 0 and below 1"):
        ZeroShotClassifier(HashEncoder(), false_alarm_rate=rate).fit(KNOWN, LABELS)


def test_without_known_texts_nothing_can_be_rejected():
    with (
        closing(ZeroShotClassifier(HashEncoder()).fit(labels=["wine", "toys"])) as model,
        pytest.raises(InvalidInputError, match="at least 10 texts to learn what is usual from, got 0"),
    ):
        model.predict(["red wine"], reject=True)
