"""New labels and examples of a fitted classifier, without building the index anew."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Event

import numpy as np
import pytest
from sklearn.base import clone
from zeroshot_core import load_model
from zeroshot_core.classification.classifier import ZeroShotClassifier
from zeroshot_core.errors import InvalidInputError, NotFittedError
from zeroshot_core.types import Item

TEXTS = ["a red apple", "a green pear", "a steel hammer", "an iron saw"]
Y = ["fruit", "fruit", "tools", "tools"]


@pytest.fixture
def few_shot(hash_encoder):
    return ZeroShotClassifier(hash_encoder).fit(TEXTS, Y)


def test_a_new_label_is_predicted_at_once(hash_encoder):
    model = ZeroShotClassifier(hash_encoder).fit(labels=["apple", "hammer"])
    version = model.version_.info.id
    model.partial_fit(labels=["kitten"])
    assert model.predict(["kitten", "apple", "hammer"]).tolist() == ["kitten", "apple", "hammer"]
    assert model.classes_.tolist() == ["apple", "hammer", "kitten"]
    assert model.version_.info.id == version


def test_examples_of_a_new_label_teach_it_and_are_found(few_shot):
    few_shot.partial_fit(["a small kitten", "a kitten sleeps"], ["pets", "pets"])
    assert few_shot.predict(["small kitten", *TEXTS]).tolist() == ["pets", *Y]
    (found,) = few_shot.explain(["a small kitten"], top_k=1)
    assert found.evidence.items[0].text == "a small kitten"
    assert found.evidence.items[0].metadata == {"label": "pets"}


def test_new_examples_move_an_old_label(few_shot):
    before = few_shot.predict_proba(["wooden chisel"])[0, 1]
    few_shot.partial_fit(["wooden chisel"], ["tools"])
    assert few_shot.predict_proba(["wooden chisel"])[0, 1] > before
    assert few_shot.version_.count() == 5
    assert few_shot.predict(TEXTS).tolist() == Y


def test_the_same_texts_given_again_are_there_once(hash_encoder):
    model = ZeroShotClassifier(hash_encoder).fit(["dog", "hammer"], ["animal", "tool"])
    for _ in range(2):
        model.partial_fit(["a cat", "a saw"], ["animal", "tool"])
    assert model.version_.count() == 4
    model.partial_fit(["a cow", "a drill"], ["animal", "tool"])
    assert model.version_.count() == 6


def test_what_is_wrong_changes_nothing(few_shot, hash_encoder):
    with pytest.raises(InvalidInputError, match="labels or examples for partial_fit, got neither"):
        few_shot.partial_fit()
    with pytest.raises(InvalidInputError, match="expected labels as a list of labels, got one: 'toys'"):
        few_shot.partial_fit(labels="toys")
    with pytest.raises(InvalidInputError, match="differ in more than case, got 'Fruit' and 'fruit'"):
        few_shot.partial_fit(["a plum"], ["Fruit"])
    assert few_shot.classes_.tolist() == ["fruit", "tools"]
    assert few_shot.version_.count() == 4
    with pytest.raises(NotFittedError, match=r"call fit"):
        ZeroShotClassifier(hash_encoder).partial_fit(labels=["new"])


KINDS = ("red wine", "cat food", "garden tools", "dental care")
SIZES = ("small", "large", "cheap", "fine", "new", "old", "blue", "green", "big", "best")
KNOWN = [f"{size} {kind}" for kind in KINDS for size in SIZES]
NEW = [f"{size} zebra migration" for size in SIZES]
ASKED = [*NEW[:3], *KNOWN[::7], "quantum chromodynamics", "garden wine"]


def answers(model):
    """All that a model says of some texts."""
    return {
        "labels": model.classes_.tolist(),
        "predict": model.predict(ASKED).tolist(),
        "reject": model.predict(ASKED, reject=True).tolist(),
        "proba": model.predict_proba(ASKED).round(6).tolist(),
        "novelty": model.novelty_score(ASKED).round(4).tolist(),
        "near": [[hit.text for hit in each.evidence.items] for each in model.explain(ASKED, top_k=3)],
        "ids": model.version_.all_ids(),
        "count": model.version_.count(),
    }


def learn_more(model):
    """A new label, and a text of the first fit with another label."""
    model.partial_fit(NEW, ["zebra migration"] * len(NEW))
    model.partial_fit([Item(id="example-0", text="a small hammer of wine")], ["garden tools"])


def test_what_is_not_saved_changes_no_saved_model(hash_encoder, tmp_path):
    index = str(tmp_path / "index.db")
    y = [kind for kind in KINDS for _ in SIZES]
    with closing(ZeroShotClassifier(hash_encoder, index=index).fit(KNOWN, y)) as model:
        model.save(tmp_path / "before")
        before = answers(model)
        learn_more(model)
        after = answers(model)
        assert after["labels"] == [*sorted(KINDS), "zebra migration"]
        assert (after["count"], before["count"]) == (50, 40)
        assert after["reject"] != before["reject"]
        assert model.version_.items(["example-0"])[0].text == "a small hammer of wine"
        with closing(load_model(tmp_path / "before")) as other:  # beside it, as after a kill
            assert answers(other) == before
            learn_more(other)
            assert answers(other) == after
            model.save(tmp_path / "after")
            with (
                closing(load_model(tmp_path / "after")) as saved,
                closing(load_model(tmp_path / "before")) as old,
            ):
                assert answers(saved) == after
                assert answers(old) == before
                saved.partial_fit(["a plum"], ["fruit"])
                assert saved.version_.count() == 51


def test_what_is_saved_over_itself_is_the_model_s_own(hash_encoder, tmp_path):
    with closing(ZeroShotClassifier(hash_encoder).fit(TEXTS, Y)) as model:
        model.partial_fit([Item(id="a", text="a plum", metadata={"price": 1.5})], ["fruit"])
        model.save(tmp_path / "model")
    for number in range(3):
        with closing(load_model(tmp_path / "model")) as model:
            assert model.version_.count() == 5 + number
            assert model.version_.items(["a"])[0].metadata == {"price": 1.5}
            model.partial_fit([f"a saw of size {number}"], ["tools"])
            model.save(tmp_path / "model", overwrite=True)


def test_who_asks_while_others_learn_is_answered_by_one_state(hash_encoder):
    with closing(ZeroShotClassifier(hash_encoder).fit(TEXTS, Y)) as model:
        done, answered, explained, shares = Event(), set(), [], []

        def ask():
            while not done.is_set():
                answered.update(model.predict(TEXTS[:1]).tolist())
                shares.append(model.predict_proba(TEXTS))
                explained.extend(model.explain(TEXTS[:1], top_k=2))

        states = {2: (model.predict(TEXTS[:1])[0], model.predict_proba(TEXTS))}
        with ThreadPoolExecutor(8) as pool:
            asking = [pool.submit(ask) for _ in range(8)]
            try:
                for number in range(30):
                    # Sorted before and between the others: rows of the old head are others' now.
                    model.partial_fit([f"{number} quokkas"], [f"{'aeguz'[number % 5]}-label {number}"])
                    states[number + 3] = (model.predict(TEXTS[:1])[0], model.predict_proba(TEXTS))
            finally:
                done.set()
            for each in asking:
                each.result()
        assert len(model.classes_) == 32
        assert model.version_.count() == 34
        assert answered <= {label for label, _ in states.values()}
        for given in shares:
            np.testing.assert_allclose(given, states[given.shape[1]][1], atol=1e-9)
        for each in explained:
            label, expected = states[len(each.probabilities)]
            assert each.value == label
            np.testing.assert_allclose(list(each.probabilities.values()), expected[0], atol=1e-9)


def test_nothing_is_lost_where_four_learn_at_once(hash_encoder):
    with closing(ZeroShotClassifier(hash_encoder).fit(TEXTS, Y)) as model, ThreadPoolExecutor(4) as pool:
        calls = [(f"thing {number} of a kind", f"label {number}") for number in range(40)]
        list(pool.map(lambda call: model.partial_fit([call[0]], [call[1]]), calls))
        assert set(model.classes_.tolist()) == {"fruit", "tools", *(label for _, label in calls)}
        assert model.version_.count() == 44
        assert {item.text for item in model.version_.items(model.version_.all_ids())} == {
            *TEXTS,
            *(text for text, _ in calls),
        }


def test_a_copy_that_is_not_fitted_learns_apart(hash_encoder):
    model = ZeroShotClassifier(hash_encoder)
    for copied in (clone(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        with closing(copied.fit(TEXTS, Y)) as fitted:
            assert fitted.predict(TEXTS).tolist() == Y
        assert not hasattr(model, "classes_")
