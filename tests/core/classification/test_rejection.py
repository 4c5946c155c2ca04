import json
from collections.abc import Callable
from contextlib import closing

import numpy as np
import pytest
from zeroshot_core import NoveltyDetector, ZeroShotClassifier, ZeroShotRanker
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.estimators.calibration_split import calibration_split
from zeroshot_core.estimators.indexing import as_items
from zeroshot_core.explain.wording import prediction_in_words
from zeroshot_core.prediction import PromptedClassifier, Prompting, label_questions
from zeroshot_core.serving.predictions import PredictionSettings, questions

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
    with pytest.raises(InvalidInputError, match="expected false_alarm_rate as a number above 0 and below 1"):
        ZeroShotClassifier(HashEncoder(), false_alarm_rate=rate).fit(KNOWN, LABELS)


def test_without_known_texts_nothing_can_be_rejected():
    with (
        closing(ZeroShotClassifier(HashEncoder()).fit(labels=["wine", "toys"])) as model,
        pytest.raises(InvalidInputError, match="10 texts to learn what is in-distribution from, got 0"),
    ):
        model.predict(["red wine"], reject=True)


def test_labels_held_out_say_at_which_rate_to_reject(model):
    with closing(ZeroShotClassifier(HashEncoder(), false_alarm_rate="auto").fit(KNOWN, LABELS)) as learned:
        rejected = learned.predict([*NEW, *KNOWN], reject=True)

    assert (rejected[: len(NEW)] == "").all()
    assert (rejected[len(NEW) :] == "").mean() < 0.1


def test_what_a_new_label_brings_is_in_distribution_from_then_on():
    zebras = [f"{size} zebra migration" for size in SIZES]
    with closing(ZeroShotClassifier(HashEncoder(), false_alarm_rate=0.1).fit(KNOWN, LABELS)) as model:
        before = model.predict(zebras, reject=True)
        model.partial_fit(zebras, ["zebra migration"] * len(zebras))
        after = model.predict(zebras, reject=True)

    assert (before == "").all()
    assert (after == "zebra migration").mean() > 0.8


def test_of_many_examples_a_tenth_is_calibration_split():
    texts = [f"{size} {kind} number {n}" for kind in KINDS for size in SIZES for n in range(30)]
    labels = [kind for kind in KINDS for _ in range(10 * 30)]
    with closing(ZeroShotClassifier(HashEncoder(), tune="head", budget_s=0.1).fit(texts, labels)) as model:
        n_read = model.tuning_.n_training + model.tuning_.n_held_out - len(KINDS)

    assert 0.85 * len(texts) < n_read < 0.95 * len(texts)


def test_examples_are_calibration_split_by_their_ids_and_of_few_none():
    ids = [f"x-{n}" for n in range(3000)]
    is_kept = calibration_split(ids)

    assert is_kept.mean() == pytest.approx(0.1, abs=0.02)
    np.testing.assert_array_equal(calibration_split(ids[::-1]), is_kept[::-1])
    assert not calibration_split(ids[:500]).any()


def test_an_explanation_rejects_as_a_prediction_does(model):
    new, known = model.explain([NEW[0], "fine red wine"], reject=True)

    assert (new.value, known.value) == ("", "red wine")
    assert sum(new.probabilities.values()) == pytest.approx(1)
    assert prediction_in_words(new).startswith("Predicted none of the labels (")
    assert model.explain([NEW[0]])[0].value in KINDS


def answering(label: str) -> Callable[..., str]:
    return lambda prompt, schema: json.dumps({"reason": "a reason", "label": label})


def test_a_language_model_may_answer_none_of_these_where_that_is_asked_for(model):
    prompted = PromptedClassifier(model, answering("none of these"))

    (rejected,) = prompted.explain(["fine red wine"], reject=True)
    (kept,) = prompted.explain(["fine red wine"])

    assert (rejected.value, rejected.reason, rejected.fallback) == ("", "a reason", "")
    assert kept.value == "red wine"
    assert "answered badly" in kept.fallback
    assert prompted.predict(["fine red wine"], reject=True).tolist() == [""]


def test_none_of_these_is_the_last_candidate_of_prompt_and_schema(model):
    (question,) = label_questions(model, ["fine red wine"], reject=True)

    assert question.schema["properties"]["label"]["enum"] == [*question.labels]
    assert [*question.labels][-1] == "none of these"
    assert "\n- none of these: " in question.prompt
    assert "none of these" not in label_questions(model, ["fine red wine"])[0].prompt


def test_a_language_model_can_keep_what_the_classifier_would_reject(model):
    (found,) = PromptedClassifier(model, answering("cat food")).explain(NEW[:1], reject=True)

    assert (found.value, found.fallback) == ("cat food", "")


def test_where_no_language_model_answers_the_classifier_rejects(model):
    def down(prompt: str, schema: dict) -> str:
        raise ConnectionError("refused")

    new, known = PromptedClassifier(model, down).explain([NEW[0], "fine red wine"], reject=True)

    assert (new.value, known.value) == ("", "red wine")
    assert new.fallback == known.fallback == "it failed with ConnectionError: refused"


def test_without_known_texts_only_the_language_model_can_reject():
    with closing(ZeroShotClassifier(HashEncoder()).fit(labels=["wine", "toys"])) as model:
        chosen = PromptedClassifier(model, answering("none of these")).predict(["red wine"], reject=True)
        left = PromptedClassifier(model, answering("beer")).predict(["red wine"], reject=True)

    assert chosen.tolist() == [""]
    assert left.tolist() == ["wine"]


def test_a_label_that_is_called_none_of_these_is_told_apart():
    with closing(ZeroShotClassifier(HashEncoder()).fit(labels=["wine", "None of these"])) as model:
        (question,) = label_questions(model, ["red wine"], reject=True)

    assert set(question.labels) == {"wine", "None of these (None of these)", "none of these"}
    assert question.settle({"reason": "", "label": "none of these"}).value == ""


def test_adapters_ask_for_rejection_with_a_language_model_and_without(model):
    settings = PredictionSettings(coverage=0.9, top_k=3, reject=True)
    items = as_items([NEW[0], "fine red wine"], prefix="q")

    plain = [one.prediction.value for one in questions(model, items, settings, is_prompted=False)]
    asked = questions(model, items, settings, is_prompted=True)

    assert plain == ["", "red wine"]
    assert [one.settle({"reason": "", "label": "none of these"}).value for one in asked] == ["", ""]
    detector = NoveltyDetector(HashEncoder()).fit([f"text {number}" for number in range(10)])
    with closing(detector), pytest.raises(InvalidInputError, match="got a NoveltyDetector; call its own"):
        questions(detector, items, settings, is_prompted=False)
    ranker = ZeroShotRanker(HashEncoder())
    with pytest.raises(InvalidInputError, match="labels a text can be none of, got ZeroShotRanker; leave"):
        questions(ranker, items, settings, is_prompted=False)


@pytest.mark.slow
def test_a_real_language_model_rejects_or_chooses_a_candidate(model):
    from small_llm import small_model

    def ask(prompt: str, schema: dict) -> str:
        return small_model().answer([("user", prompt)], schema=schema)

    prompting = Prompting(n_candidates=2, max_prompt_tokens=250)
    (found,) = PromptedClassifier(model, ask, prompting=prompting).explain(NEW[:1], reject=True)

    assert found.fallback == ""
    assert found.reason
    assert found.value in {"", *KINDS}
