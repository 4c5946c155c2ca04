"""New labels and examples of a fitted classifier, without building the index anew."""

import pytest
from zeroshot_core.classification.classifier import ZeroShotClassifier
from zeroshot_core.errors import InvalidInputError, NotFittedError

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
    with pytest.raises(InvalidInputError, match="expected a list of labels, got one: 'toys'"):
        few_shot.partial_fit(labels="toys")
    with pytest.raises(InvalidInputError, match="differ in more than case, got 'Fruit' and 'fruit'"):
        few_shot.partial_fit(["a plum"], ["Fruit"])
    assert few_shot.classes_.tolist() == ["fruit", "tools"]
    assert few_shot.version_.count() == 4
    with pytest.raises(NotFittedError, match=r"call fit"):
        ZeroShotClassifier(hash_encoder).partial_fit(labels=["new"])
