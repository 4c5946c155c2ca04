"""Labels that are kinds of something: siblings lend meaning, wider concepts answer where no label is sure."""

import numpy as np
import pytest
from zeroshot_core.classification.label_hierarchy import label_hierarchy
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.prediction import ZeroShotClassifier
from zeroshot_core.types import Concept, Relation

LABELS = ["trout", "salmon", "oak", "birch"]
KINDS = {"trout": "fish", "salmon": "fish", "oak": "tree", "birch": "tree", "fish": "life", "tree": "life"}


def kinds(pairs):
    names = dict.fromkeys([*LABELS, *pairs, *pairs.values()])
    return KnowledgeGraph(
        [Concept(id=name, name=name) for name in names],
        [Relation(head=narrow, type="is_a", tail=wide) for narrow, wide in pairs.items()],
    )


@pytest.fixture(scope="module")
def model(minilm):
    return ZeroShotClassifier(minilm, kinds(KINDS)).fit(labels=LABELS)


def test_the_answer_is_the_narrowest_concept_that_is_sure_enough():
    hierarchy = label_hierarchy(LABELS, kinds(KINDS))
    shares = np.array([[0.9, 0.1, 0, 0], [0.5, 0.4, 0.1, 0], [0.3, 0.3, 0.2, 0.2]])
    assert hierarchy.narrowest(shares, 0.8).tolist() == ["trout", "fish", "life"]
    assert hierarchy.narrowest(shares, 0.3).tolist() == ["trout", "trout", "trout"]
    assert hierarchy.narrowest(shares, 1.0).tolist() == ["fish", "life", "life"]


def test_of_concepts_over_the_same_labels_the_nearest_answers():
    found = label_hierarchy(("lost", "broken"), kinds({"lost": "card", "broken": "card", "card": "account"}))

    assert found.narrowest(np.array([[0.5, 0.5]]), 0.9).tolist() == ["card"]


def test_without_a_wider_concept_the_answer_may_be_none_of_these():
    hierarchy = label_hierarchy(LABELS, kinds({"trout": "fish", "salmon": "fish"}))
    shares = np.array([[0.1, 0.1, 0.4, 0.4], [0.5, 0.4, 0.1, 0.0]])
    assert hierarchy.narrowest(shares, 0.8).tolist() == ["", "fish"]


def test_a_label_that_is_wider_than_others_counts_theirs():
    hierarchy = label_hierarchy(["fish", "salmon", "trout"], kinds({"trout": "fish", "salmon": "fish"}))
    assert hierarchy.narrowest(np.array([[0.3, 0.3, 0.4]]), 0.9).tolist() == ["fish"]


def test_a_label_moves_toward_its_siblings_and_others_stay():
    vectors = np.eye(4, dtype=np.float32)
    hierarchy = label_hierarchy(LABELS, kinds({"trout": "fish", "salmon": "fish"}))
    moved = hierarchy.with_siblings(vectors)
    expected = np.array([1.25, 0.25]) / np.hypot(1.25, 0.25)
    np.testing.assert_allclose(moved[0, :2], expected, rtol=1e-6)
    np.testing.assert_array_equal(moved[2:], vectors[2:])
    np.testing.assert_array_equal(label_hierarchy(LABELS, KnowledgeGraph()).with_siblings(vectors), vectors)


def test_predict_and_explain_answer_at_the_level_that_is_sure(model):
    text = ["a silvery fish leaps upstream through the cold river"]
    assert model.predict(text)[0] in {"trout", "salmon"}
    shares = dict(zip(model.classes_.tolist(), model.predict_proba(text)[0].tolist(), strict=True))
    between = (max(shares.values()) + shares["trout"] + shares["salmon"]) / 2
    assert model.predict(text, confidence=between).tolist() == ["fish"]
    (found,) = model.explain(text, confidence=between)
    assert found.value == "fish"
    assert found.probabilities == pytest.approx(shares)
    assert model.predict([], confidence=0.5).shape == (0,)


def test_a_label_that_came_later_has_its_place_too(minilm):
    graph = kinds(KINDS)
    model = ZeroShotClassifier(minilm, graph).fit(labels=["oak", "salmon"])
    model.partial_fit(labels=["trout"])
    assert set(model.predict(["a river", "a leaf"], confidence=1.0).tolist()) <= {"life", "fish", "oak"}
    assert model.predict(["a fish"], confidence=0.95).tolist() == ["fish"]


def test_a_loaded_model_answers_at_the_same_level(model, minilm, tmp_path):
    model.save(tmp_path / "model")
    loaded = ZeroShotClassifier.load(tmp_path / "model", encoder=minilm)
    texts = ["a fish", "a leaf", "birch bark", "nothing of the kind"]
    assert loaded.predict(texts, confidence=0.9).tolist() == model.predict(texts, confidence=0.9).tolist()
    loaded.close()


@pytest.mark.parametrize("confidence", [0, 1.1, -0.5, float("nan"), "high", True])
def test_a_confidence_out_of_bounds_is_refused(model, confidence):
    for ask in (model.predict, model.explain):
        with pytest.raises(InvalidInputError, match="expected confidence as a number above 0 and at most 1"):
            ask(["a text"], confidence=confidence)


def test_a_hierarchy_that_leads_back_to_itself_is_refused(hash_encoder):
    graph = kinds({**KINDS, "life": "fish"})
    with pytest.raises(InvalidInputError, match="expected a hierarchy without cycles"):
        ZeroShotClassifier(hash_encoder, graph).fit(labels=LABELS)
