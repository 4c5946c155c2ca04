"""Labels from meaning alone, from few examples, and both together, with their evidence."""

import numpy as np
import pytest
from sklearn.base import clone
from zeroshot_core.classification.classifier import ZeroShotClassifier
from zeroshot_core.encoders import FunctionEncoder, HashEncoder
from zeroshot_core.errors import ArtifactError, InvalidInputError, NotFittedError, UnknownConceptError
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.index import VectorIndex
from zeroshot_core.types import Concept, Evidence, Item, Relation

LABELS = ["sports", "cooking", "finance"]
QUERIES = {
    "The striker scored twice in the second half.": "sports",
    "Simmer the onions in butter until soft.": "cooking",
    "The central bank raised interest rates again.": "finance",
    "She won the marathon in record time.": "sports",
    "Whisk eggs with sugar and fold in the flour.": "cooking",
    "Shares fell after the company cut its dividend.": "finance",
}
GRAPH = KnowledgeGraph(
    [
        Concept(id="sports", name="sports", synonyms=("athletics",), description="games and matches"),
        Concept(id="leisure", name="leisure"),
    ],
    [Relation(head="sports", type="is_a", tail="leisure")],
)


@pytest.fixture(scope="module")
def zero_shot(minilm):
    return ZeroShotClassifier(minilm, GRAPH, template="{}").fit(labels=LABELS)


@pytest.fixture(scope="module")
def few_shot(minilm):
    texts = [text for text in QUERIES if QUERIES[text] != "finance"]
    return ZeroShotClassifier(minilm, GRAPH).fit(texts, [QUERIES[text] for text in texts], LABELS)


def test_labels_are_predicted_from_their_meaning_alone(zero_shot):
    assert zero_shot.predict(list(QUERIES)).tolist() == list(QUERIES.values())
    assert zero_shot.classes_.tolist() == sorted(LABELS)
    assert zero_shot.score(list(QUERIES), list(QUERIES.values())) == 1.0


def test_zero_shot_probabilities_are_a_softmax_of_cosines_to_label_vectors(minilm, zero_shot):
    texts = list(QUERIES)
    names = minilm.encode(["cooking", "finance"])
    sports = minilm.encode(["sports", "athletics", "games and matches"]).mean(axis=0)
    rows = np.vstack([names, sports / np.linalg.norm(sports)])
    sharpness = zero_shot.head_.stacking.unseen_weights[0]
    assert 1 / 0.06 < sharpness < 1 / 0.03
    powers = np.exp(minilm.encode(texts) @ rows.T * sharpness)
    found = zero_shot.predict_proba(texts)
    np.testing.assert_allclose(found, powers / powers.sum(axis=1, keepdims=True), rtol=1e-3)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)


def test_the_template_surrounds_names_but_not_the_description(minilm):
    seen = []

    def encode(texts):
        seen.extend(texts)
        return minilm.encode(texts)

    encoder = FunctionEncoder(encode, name="spy", dimension=384, fingerprint="2" * 16)
    ZeroShotClassifier(encoder, GRAPH, template="about {}!").fit(labels=["sports", "cooking"])
    assert {"about sports!", "about athletics!", "about cooking!", "games and matches"} <= set(seen)
    assert "about games and matches!" not in seen


def test_of_a_label_longer_than_the_encoder_takes_the_beginning_counts(minilm):
    long = "sport matches and athletes " * 200
    told = [Concept(id="a", name="a", description=long), Concept(id="b", name=f"cooking food {'and ' * 400}")]
    model = ZeroShotClassifier(minilm).fit(labels=told)
    assert model.predict(list(QUERIES)[:2]).tolist() == ["a", "b"]
    read = Concept(id="a", name="a", description=long[: len(long) // 2])
    same = ZeroShotClassifier(minilm).fit(labels=[read, told[1]])
    np.testing.assert_allclose(same.head_.labels, model.head_.labels, atol=1e-5)


def test_a_graph_keeps_its_concepts_and_gets_the_labels_it_lacks(zero_shot):
    assert zero_shot.graph is GRAPH
    assert zero_shot.graph_.concept_ids == ("sports", "leisure", "cooking", "finance")
    assert zero_shot.graph_.relations == GRAPH.relations
    assert zero_shot.graph_.concepts["cooking"] == Concept(id="cooking", name="cooking", type="label")


def test_labels_come_from_the_graph_where_none_are_given(minilm):
    assert ZeroShotClassifier(minilm, GRAPH).fit().classes_.tolist() == ["leisure", "sports"]
    marked = [Concept(id=name, name=name, type="label") for name in LABELS]
    graph = KnowledgeGraph([*GRAPH.concepts.values(), *marked[1:]])
    assert ZeroShotClassifier(minilm, graph).fit().classes_.tolist() == ["cooking", "finance"]


def test_examples_teach_what_names_do_not_say(minilm):
    texts = ["red apple", "green pear", "yellow banana", "steel hammer", "iron saw", "cordless drill"]
    y = ["A17", "A17", "A17", "B42", "B42", "B42"]
    model = ZeroShotClassifier(minilm).fit(texts, y)
    assert model.predict(["ripe plum", "pair of pliers"]).tolist() == ["A17", "B42"]
    assert model.classes_.tolist() == ["A17", "B42"]


def test_a_label_without_examples_is_still_predicted(few_shot):
    assert few_shot.predict(["Investors bought government bonds."]).tolist() == ["finance"]
    assert few_shot.predict(["The goalkeeper saved a penalty."]).tolist() == ["sports"]


def test_examples_are_indexed_as_items_linked_to_their_label(minilm):
    examples = [
        Item(id="a", text="a football match", concepts=("leisure",)),
        Item(id="b", text="a bowl of soup"),
    ]
    model = ZeroShotClassifier(minilm, GRAPH).fit(examples, ["sports", "cooking"])
    assert [item.concepts for item in model.version_.items(["a", "b"])] == [
        ("leisure", "sports"),
        ("cooking",),
    ]


def test_explanations_carry_label_probabilities_and_evidence(few_shot):
    (found,) = few_shot.explain(["A late goal decided the match."], top_k=2, coverage=0.9)
    assert found.value == "sports"
    assert list(found.probabilities) == few_shot.classes_.tolist()
    assert sum(found.probabilities.values()) == pytest.approx(1.0)
    assert found.value == max(found.probabilities, key=found.probabilities.get)
    assert (found.interval, found.coverage) == (None, None)
    first, _ = found.evidence.items
    assert first.concepts == ("sports",)
    assert first.path[0].head == "query"
    assert found.evidence.concepts[0].id == "sports"


def test_without_examples_the_evidence_is_concepts(zero_shot):
    (found,) = zero_shot.explain(["A late goal decided the match."])
    assert found.evidence.items == ()
    assert found.evidence.concepts[0].id == "sports"


def test_evidence_is_searched_for_only_where_it_is_wanted(few_shot, monkeypatch):
    with_evidence = few_shot.explain(list(QUERIES))
    monkeypatch.setattr(ZeroShotClassifier, "retriever_", None)
    without = few_shot.explain(list(QUERIES), evidence=False)
    assert [(one.value, one.probabilities) for one in without] == [
        (one.value, one.probabilities) for one in with_evidence
    ]
    assert {one.evidence for one in without} == {Evidence()}


def test_an_explanation_with_too_few_items_is_refused_with_examples_and_without(zero_shot, few_shot):
    for model in (zero_shot, few_shot):
        with pytest.raises(InvalidInputError, match="expected top_k as a whole number of at least 1, got 0"):
            model.explain(["a text"], top_k=0)


def test_nothing_asked_nothing_answered(zero_shot):
    assert zero_shot.predict([]).shape == (0,)
    assert zero_shot.predict_proba([]).shape == (0, 3)
    assert zero_shot.explain([]) == []


def test_a_loaded_model_predicts_and_explains_alike(few_shot, minilm, tmp_path):
    few_shot.save(tmp_path / "model", extra={"note": 1})
    loaded = ZeroShotClassifier.load(tmp_path / "model", encoder=minilm)
    queries = list(QUERIES)
    np.testing.assert_array_equal(loaded.predict_proba(queries), few_shot.predict_proba(queries))
    assert loaded.explain(queries[:2]) == few_shot.explain(queries[:2])
    assert loaded.saved_extra_ == {"note": 1}
    with pytest.raises(ArtifactError, match="overwrite=True"):
        few_shot.save(tmp_path / "model")
    loaded.close()


def test_a_zero_shot_model_is_saved_too(zero_shot, minilm, tmp_path):
    zero_shot.save(tmp_path / "model")
    loaded = ZeroShotClassifier.load(tmp_path / "model", encoder=minilm)
    assert loaded.predict(list(QUERIES)).tolist() == list(QUERIES.values())
    loaded.close()


def test_same_data_same_model_through_a_uri_or_an_open_index(minilm, few_shot, tmp_path):
    texts = [text for text in QUERIES if QUERIES[text] != "finance"]
    y = [QUERIES[text] for text in texts]
    path = str(tmp_path / "labels.db")
    model = ZeroShotClassifier(minilm, GRAPH, index=path).fit(texts, y, LABELS)
    np.testing.assert_array_equal(model.predict_proba(texts), few_shot.predict_proba(texts))
    model.close()
    with VectorIndex.connect(path) as index:
        assert index.live.counts["items"] == 4
        again = ZeroShotClassifier(minilm, GRAPH, index=index).fit(texts, y, LABELS)
        again.close()
        assert index.live.id == again.version_.info.id  # the caller's index stays open


def test_parameters_are_stored_as_given_and_cloned(zero_shot, minilm):
    model = ZeroShotClassifier(minilm, GRAPH, template="about {}", top_k=3)
    twin = clone(model)
    assert twin.get_params() == model.get_params()
    assert twin.encoder is minilm
    assert not hasattr(clone(zero_shot), "head_")


@pytest.mark.parametrize("method", ["predict", "predict_proba", "explain"])
def test_before_fit_nothing_is_predicted(method):
    with pytest.raises(NotFittedError, match=r"call fit\(labels="):
        getattr(ZeroShotClassifier(), method)(["text"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "at least 2 labels to choose from, got none"),
        ({"labels": []}, "at least 2 labels to choose from, got none"),
        ({"labels": ["one"]}, "at least 2 labels to choose from, got only 'one'"),
        ({"labels": "one"}, "expected labels as a list of labels, got one: 'one'"),
        ({"labels": ["Sport", "sport"]}, "differ in more than case, got 'Sport' and 'sport'"),
        ({"labels": ["one", "one"]}, "differ in more than case, got 'one' and 'one'"),
        ({"labels": ["one", " "]}, "non-empty strings or Concepts, got ' '"),
        ({"labels": ["one", 2]}, "expected labels to hold labels of one type, got 'one' and 2"),
        ({"labels": ["one", "tw\no"]}, r"expected labels without control characters, got 'tw\\no'"),
        (
            {"labels": {"one": "first", "two": None}},
            "mapping to their descriptions, got None for 'two'",
        ),
        ({"X": ["text"], "y": ["one", "two"]}, "expected 1 labels in y, one for each example, got 2"),
        ({"X": ["text", " "], "y": ["one", "two"]}, "expected a non-empty text, got ' '"),
        ({"X": ["text"], "y": ["three"], "labels": ["one", "two"]}, r"got 1 others: \['three'\]"),
        ({"X": ["text", "more"], "y": ["one", 2]}, "expected y to hold labels of one type, got 'one' and 2"),
        ({"X": ["text", "more"], "y": [0.5, 1.5]}, "y, row 0: expected a label that is a text, .* got 0.5"),
        ({"X": ["text", "more"], "y": [["a"], ["b"]]}, r"y, row 0: expected a label .* got \['a'\]"),
        ({"X": ["text"], "y": [1], "labels": ["one", "two"]}, "of one type, got texts and whole numbers"),
        ({"X": ["text"], "y": [2**70], "labels": [1, 2]}, "whole numbers of at most 64 bits"),
        (
            {"X": ["text"], "labels": ["one", "two"]},
            "got X and the labels that there are; give",
        ),
        ({"X": ["text"]}, "expected examples X with their labels y, got only X"),
        ({"y": ["one"], "labels": ["one", "two"]}, "expected examples X with their labels y, got only y"),
        ({"X": [], "y": [], "labels": ["one", "two"]}, "expected at least 1 example"),
    ],
)
def test_wrong_labels_and_examples_are_refused(hash_encoder, arguments, message):
    model = ZeroShotClassifier(hash_encoder)
    with pytest.raises(InvalidInputError, match=message):
        model.fit(**arguments)
    assert not hasattr(model, "head_")


def test_numbers_of_numpy_count_as_those_of_python(hash_encoder, tmp_path):
    model = ZeroShotClassifier(
        hash_encoder,
        top_k=np.int64(2),
        false_alarm_rate=np.float32(0.25),
        budget_s=np.float32(1.5),
        random_state=np.int64(3),
    )
    model.fit(["a match", "a soup"], ["sports", "cooking"])
    (found,) = model.explain(["a match"], top_k=np.int64(1), confidence=np.float32(0.5))
    assert len(found.evidence.items) == 1
    model.save(tmp_path / "model")
    loaded = ZeroShotClassifier.load(tmp_path / "model", encoder=hash_encoder)
    assert (loaded.top_k, loaded.false_alarm_rate, loaded.budget_s, loaded.random_state) == (2, 0.25, 1.5, 3)
    loaded.close()


@pytest.mark.parametrize(
    ("parameter", "value", "message"),
    [
        ("top_k", True, "expected top_k as a whole number of at least 1, got True"),
        ("top_k", 0, "expected top_k as a whole number of at least 1, got 0"),
        ("top_k", 2.0, "expected top_k as a whole number of at least 1, got 2.0"),
        ("false_alarm_rate", np.True_, "expected false_alarm_rate as a number above 0 and below 1"),
        ("budget_s", True, "expected budget_s as a number above 0, got True"),
        ("random_state", True, "expected random_state as a whole number of at least 0, got True"),
        ("tune", "heads", "did you mean 'head'"),
    ],
)
def test_parameters_out_of_bounds_are_refused(hash_encoder, parameter, value, message):
    model = ZeroShotClassifier(hash_encoder, **{parameter: value})
    with pytest.raises(InvalidInputError, match=message):
        model.fit(labels=LABELS)
    assert not hasattr(model, "head_")


def test_each_name_takes_the_template_of_its_own_script(tmp_path):
    seen = []

    def read(texts):
        seen.extend(texts)
        return HashEncoder(16).encode(texts).tolist()

    encoder = FunctionEncoder(read, name="seen", dimension=16, fingerprint="c" * 16)
    templates = {"en": "about {}", "zh": "关于{}的文本", "ja": "{}について"}
    model = ZeroShotClassifier(encoder, template=templates)
    model.fit(labels=["sport", "体育", "スポーツ", "спорт"])
    assert {"about sport", "关于体育的文本", "スポーツについて", "спорт"} <= set(seen)
    model.save(tmp_path / "saved")
    loaded = ZeroShotClassifier.load(tmp_path / "saved", encoder=encoder)
    assert loaded.template == templates
    loaded.partial_fit(labels=["音楽を"])
    assert "音楽をについて" in seen
    loaded.close()
    model.set_params(template={"ja": "{}について"}).fit(labels=["医学", "sport"])
    assert "医学について" in seen
    model.close()


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        (
            {"en": "{}", "de": "ein Text: {}"},
            "in different scripts, got 'en' and 'de', whose names look alike",
        ),
        ({"en": "no place"}, r"with one \{\} for the label in 'en', got 'no place'"),
        ({"tlh": "{}"}, "by codes of languages, such as 'en', got 'tlh'"),
        ({}, r"or such texts by language, got \{\}"),
    ],
)
def test_templates_by_language_that_cannot_be_followed_are_refused(hash_encoder, template, problem):
    with pytest.raises(InvalidInputError, match=problem):
        ZeroShotClassifier(hash_encoder, template=template).fit(labels=LABELS)


@pytest.mark.parametrize("template", ["no place", "{} and {}", "{0}", "{name}", "{} {", 3])
def test_a_template_without_one_place_for_the_label_is_refused(hash_encoder, template):
    with pytest.raises(InvalidInputError, match=r"expected a template with one \{\} for the label"):
        ZeroShotClassifier(hash_encoder, template=template).fit(labels=LABELS)


def test_a_concept_that_contradicts_the_graph_is_refused(hash_encoder):
    with pytest.raises(InvalidInputError, match="the graph's own concept 'sports'"):
        ZeroShotClassifier(hash_encoder, GRAPH).fit(labels=[Concept(id="sports", name="Sport"), "cooking"])


def test_concepts_that_the_graph_lacks_are_refused_in_examples_and_queries(hash_encoder):
    stray = Item(id="i", text="text", concepts=("nowhere",))
    model = ZeroShotClassifier(hash_encoder, GRAPH)
    with pytest.raises(UnknownConceptError, match="'nowhere'"):
        model.fit([stray], ["sports"], LABELS)
    with pytest.raises(UnknownConceptError, match="'nowhere'"):
        model.fit(labels=LABELS).predict([stray])


def test_empty_queries_are_refused(zero_shot):
    with pytest.raises(InvalidInputError, match="expected a non-empty text, got ' '"):
        zero_shot.predict([" "])
    with pytest.raises(InvalidInputError, match="expected X as a list of items or texts, got one"):
        zero_shot.predict("a text")


def test_examples_without_a_label_are_left_out_where_that_is_asked_for() -> None:
    table = [
        {"text": f"{kind} {n}", "kind": kind if n else None}
        for kind in ("red wine", "beer")
        for n in range(4)
    ]
    model = ZeroShotClassifier(HashEncoder(32))

    with pytest.warns(UserWarning, match="2 of 8 examples have no label and are left out"):
        model.fit(table, text="text", target="kind", missing="drop")

    assert sorted(model.classes_) == ["beer", "red wine"]
    assert model.version_.info.counts["items"] == 6
    assert model.predict([{"text": "beer 9"}]).tolist() == ["beer"]
    model.close()
