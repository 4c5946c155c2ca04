from contextlib import closing

import numpy as np
import pytest
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.errors import InvalidInputError, NotFittedError
from zeroshot_core.prediction import NoveltyDetector, load_model, open_retriever
from zeroshot_core.types import Item

KINDS = ("red wine", "cat food", "garden tools", "dental care")
SIZES = ("small", "large", "cheap", "fine", "new", "old", "blue", "green", "big", "best")
KNOWN = [f"{size} {kind}" for kind in KINDS for size in SIZES]
NEW = ["quantum chromodynamics", "xylophone jazz", "zebra migration"]


@pytest.fixture(scope="module")
def detector():
    with closing(NoveltyDetector(HashEncoder()).fit(KNOWN)) as fitted:
        yield fitted


def test_texts_unlike_the_known_ones_are_found_without_any_label(detector):
    scores = detector.novelty_score([*NEW, "fine red wine", "odd cat food"])

    assert scores[:3].min() > scores[3:].max()
    assert detector.predict([*NEW, "fine red wine"]).tolist() == [-1, -1, -1, 1]
    assert detector.predict([Item(id="one", text="xylophone jazz")]).tolist() == [-1]


def test_an_odd_one_is_found_among_the_texts_that_it_came_with():
    with closing(NoveltyDetector(HashEncoder(), false_alarm_rate=0.1)) as detector:
        told = detector.fit_predict([*KNOWN, NEW[0]])

    assert told.shape == (41,)
    assert told[-1] == -1
    assert (told == -1).mean() <= 0.1


def test_a_saved_detector_tells_alike(detector, tmp_path):
    detector.save(tmp_path / "model")
    for load in (NoveltyDetector.load, load_model):
        with closing(load(tmp_path / "model", encoder=HashEncoder())) as loaded:
            np.testing.assert_allclose(loaded.novelty_score(NEW), detector.novelty_score(NEW), rtol=1e-5)
            # The known texts are searched as those of other models are.
            assert open_retriever(loaded).retrieve(["fine red wine"], top_k=1)[0][0].text == "fine red wine"


@pytest.mark.parametrize(
    ("rate", "texts", "message"),
    [
        (0.05, KNOWN[:9], "expected at least 10 texts to learn what is in-distribution from, got 9"),
        (1.5, KNOWN, "expected false_alarm_rate as a number above 0 and below 1, got 1.5"),
        ("often", KNOWN, "expected false_alarm_rate as a number above 0 and below 1, got 'often'"),
        (0.05, "a text", "expected X as a list of items or texts, got one"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(rate, texts, message):
    with pytest.raises(InvalidInputError, match=message):
        NoveltyDetector(HashEncoder(), false_alarm_rate=rate).fit(texts)


def test_numbers_of_numpy_count_as_those_of_python(tmp_path):
    detector = NoveltyDetector(HashEncoder(), false_alarm_rate=np.float32(0.25), random_state=np.int64(3))
    with closing(detector.fit(KNOWN)):
        detector.save(tmp_path / "model")
    with closing(NoveltyDetector.load(tmp_path / "model", encoder=HashEncoder())) as loaded:
        assert (loaded.false_alarm_rate, loaded.random_state) == (0.25, 3)


def test_texts_may_be_given_one_by_one():
    with closing(NoveltyDetector(HashEncoder())) as detector:
        assert detector.fit_predict(iter(KNOWN)).shape == (40,)


def test_a_detector_before_fit_is_refused():
    with pytest.raises(NotFittedError, match=r"call fit\(X\)"):
        NoveltyDetector(HashEncoder()).predict(NEW)
