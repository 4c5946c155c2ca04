"""Labels of any type, given back as they were."""

import numpy as np
import pandas as pd
import pytest
from zeroshot_core import Concept, Item, KnowledgeGraph, PromptedClassifier, ZeroShotClassifier
from zeroshot_core.classification.class_labels import ClassLabels, read_labels
from zeroshot_core.errors import ArtifactError, InvalidInputError

TEXTS = [
    "a red apple",
    "a green pear",
    "a steel hammer",
    "an iron saw",
    "a small kitten",
    "a cat and a kitten",
]
NUMBERS = np.array([10, 10, 9, 9, 2, 2], dtype=np.int16)


@pytest.fixture(scope="module")
def numbered(hash_encoder):
    return ZeroShotClassifier(hash_encoder).fit(TEXTS, NUMBERS)


@pytest.mark.parametrize(
    ("labels", "ids", "dtype"),
    [
        (["b", "a"], ["b", "a"], ""),
        (np.array(["b", "a"], dtype=object), ["b", "a"], ""),
        ([3, 1], ["3", "1"], "<i8"),
        (np.array([3, 1], dtype=np.uint8), ["3", "1"], "|u1"),
        (pd.Series([3, 1], index=[1, 0]), ["3", "1"], "<i8"),
        ([True, False], ["True", "False"], "|b1"),
        ([1.0, 2.0], ["1.0", "2.0"], "<f8"),
        ([], [], ""),
    ],
)
def test_labels_are_read_as_ids_and_their_type(labels, ids, dtype):
    assert read_labels(labels, None) == (ids, None, dtype)
    assert read_labels(None, labels) == (None, ids, dtype)


def test_labels_are_in_their_own_order_and_come_back_in_their_type():
    labels = ClassLabels(ids=("-1", "10", "9"), dtype="<i8")
    assert labels.values.tolist() == [-1, 9, 10]
    assert labels.columns(np.array([[0.1, 0.2, 0.7]])).tolist() == [[0.1, 0.7, 0.2]]
    assert labels.of_ids(np.array(["9", "-1"])).dtype == np.int64
    assert labels.of_ids(np.array([], dtype=np.str_)).dtype == np.int64
    assert labels.of_ids(np.array(["9", ""])).tolist() == [9, ""]
    assert ClassLabels(ids=("False", "True"), dtype="|b1").of_ids(np.array(["False"])).tolist() == [False]


@pytest.mark.parametrize("dtype", ["<i8", "O", "no type", "<M8[D]"])
def test_saved_labels_that_are_not_of_their_type_are_refused(dtype):
    with pytest.raises(ArtifactError, match="expected labels of the type"):
        ClassLabels.saved(["a", "b"], dtype)


def test_labels_of_another_type_than_the_known_ones_are_refused():
    with pytest.raises(InvalidInputError, match="expected labels of one type, got texts and whole numbers"):
        read_labels(None, ["a"], ClassLabels(ids=("1", "2"), dtype="<i8"))


def test_lone_surrogates_in_labels_are_repaired():
    with pytest.warns(UserWarning, match="1 of 2 labels hold lone surrogates"):
        assert read_labels(["a\ud800", "b"], None)[0] == ["a\ufffd", "b"]


def test_numbers_are_predicted_as_numbers_in_their_order(numbered):
    assert numbered.classes_.tolist() == [2, 9, 10]
    found = numbered.predict(TEXTS)
    assert found.dtype == np.int16
    assert found.tolist() == NUMBERS.tolist()
    shares = numbered.predict_proba(TEXTS)
    assert (numbered.classes_[shares.argmax(axis=1)] == NUMBERS).all()
    assert numbered.score(TEXTS, NUMBERS) == 1.0
    (explained,) = numbered.explain(TEXTS[:1])
    assert explained.value == "10"
    assert explained.probabilities["10"] == pytest.approx(shares[0, 2])


def test_a_language_model_chooses_among_numbers_too(numbered):
    prompted = PromptedClassifier(numbered, lambda prompt, schema: '{"label": "9", "reason": "so"}')
    assert prompted.predict(TEXTS[:1]).tolist() == [9]
    assert prompted.predict([]).dtype == np.int16


def test_types_of_labels_are_saved_and_partial_fit_keeps_them(hash_encoder, tmp_path):
    model = ZeroShotClassifier(hash_encoder).fit(TEXTS, NUMBERS == 2)
    model.save(tmp_path / "model")
    loaded = ZeroShotClassifier.load(tmp_path / "model")
    assert loaded.predict(TEXTS).tolist() == [False, False, False, False, True, True]
    with pytest.raises(InvalidInputError, match="expected labels of one type, got booleans and texts"):
        loaded.partial_fit(["a dog"], ["dog"])
    loaded.close()
    grown = ZeroShotClassifier(hash_encoder).fit(TEXTS, NUMBERS).partial_fit(["a yellow banana"], [3])
    assert grown.classes_.tolist() == [2, 3, 9, 10]
    assert grown.predict(["a yellow banana"]).tolist() == [3]


def test_descriptions_of_labels_count(hash_encoder):
    told = ZeroShotClassifier(hash_encoder).fit(labels={0: "a kitten or a cat", 1: "a hammer of steel"})
    assert told.predict(["a small kitten", "a steel hammer"]).tolist() == [0, 1]
    assert told.graph_.concepts["0"].description == "a kitten or a cat"


def test_a_description_goes_to_the_concept_of_the_graph_that_has_none(hash_encoder):
    graph = KnowledgeGraph([Concept(id="k:1", name="pets", type="kind"), Concept(id="k:2", name="tools")])
    labels = {"k:1": "a kitten or a cat", "k:2": "a hammer"}
    model = ZeroShotClassifier(hash_encoder, graph).fit(labels=labels)
    assert model.graph_.concepts["k:1"] == Concept(
        id="k:1", name="pets", type="kind", description="a kitten or a cat"
    )
    with pytest.raises(InvalidInputError, match="the graph's own concept 'k:1'"):
        ZeroShotClassifier(hash_encoder, model.graph_).fit(labels={"k:1": "a saw", "k:2": "a hammer"})


def test_lone_surrogates_in_items_are_repaired_with_a_count(hash_encoder):
    broken = Item(id="a\ud800", text="a red\udfff apple", metadata={"k\ud800": "v\ud800", "n": 1})
    with pytest.warns(UserWarning, match="1 of 2 items hold lone surrogates"):
        model = ZeroShotClassifier(hash_encoder).fit([broken, "a saw"], ["fruit", "tools"])
    (item,) = model.version_.items(["a\ufffd"])
    assert item.text == "a red\ufffd apple"
    assert item.metadata == {"k\ufffd": "v\ufffd", "n": 1}


def test_a_missing_label_is_told_as_one() -> None:
    for missing in (None, float("nan")):
        with pytest.raises(InvalidInputError, match=r"y, row 1: expected a label, got none .*missing='drop'"):
            read_labels(None, ["wine", missing])  # type: ignore[list-item]
