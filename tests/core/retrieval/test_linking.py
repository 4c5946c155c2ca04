"""Texts find the concepts that they mean, or none; on the real model, with a small ontology."""

import numpy as np
import pytest
from zeroshot_core.encoders import HashEncoder, load_encoder
from zeroshot_core.errors import FingerprintMismatchError, InvalidInputError
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.index import VectorIndex
from zeroshot_core.retrieval.link_choice import LinkChoice, fit_choice
from zeroshot_core.retrieval.linking import Linker
from zeroshot_core.retrieval.windows import find_windows
from zeroshot_core.types import Concept

SIGNS = {
    "HP:0001250": ("Seizure", "Epileptic fits", "Convulsions"),
    "HP:0004322": ("Short stature", "Small stature", "Decreased body height"),
    "HP:0001945": ("Fever", "Elevated body temperature", "Pyrexia"),
    "HP:0012735": ("Cough", "Coughing"),
    "HP:0000365": ("Hearing impairment", "Deafness", "Hearing loss"),
    "HP:0000175": ("Cleft palate", "Palatoschisis"),
    "HP:0001344": ("Absent speech", "No speech development"),
    "HP:0000988": ("Skin rash", "Rash"),
    "HP:0001513": ("Obesity", "Obese"),
    "HP:0002315": ("Headache", "Pain in the head"),
}
GRAPH = KnowledgeGraph(
    Concept(id=id_, name=name, synonyms=tuple(more)) for id_, (name, *more) in SIGNS.items()
)


@pytest.fixture(scope="module")
def opened(tmp_path_factory, minilm):
    with VectorIndex.connect(str(tmp_path_factory.mktemp("linking") / "signs.db")) as index:
        yield index.open(index.build([], minilm, GRAPH), fingerprint=minilm.fingerprint)


@pytest.fixture(scope="module")
def linker(opened, minilm):
    return Linker(opened, minilm)


def concepts_of(links):
    return [[link.concept for link in found] for found in links]


def test_names_are_linked_whatever_their_case_punctuation_and_number(linker):
    links = linker.link(["SEIZURES", "short-stature", "skin rashes", "hearing  impairment."])
    assert concepts_of(links) == [["HP:0001250"], ["HP:0004322"], ["HP:0000988"], ["HP:0000365"]]
    assert links[0][0].name == "Seizure"
    assert all(found[0].probability > 0.9 for found in links)


def test_other_words_find_the_nearest_name(linker):
    (found,) = linker.link(["high body temperature"])
    assert (found[0].concept, found[0].name) == ("HP:0001945", "Elevated body temperature")
    assert found[0].score < 1.0


def test_what_means_no_concept_has_no_link(linker):
    assert linker.link(["stock market crash", "the blue bicycle"]) == [[], []]


def test_threshold_of_zero_links_everything_with_probabilities_that_leave_room_for_none(
    opened, minilm, linker
):
    ready = Linker(opened, minilm, threshold=0, choice=linker.choice)
    (found,) = ready.link(["the blue bicycle"], top_k=10)
    shares = [link.probability for link in found]
    assert len(found) == 10
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) < 0.5


def test_rarer_concepts_make_links_less_probable(opened, minilm, linker):
    often, rarely = (
        Linker(opened, minilm, threshold=0, prior=prior, choice=linker.choice).link(["deaf"])[0][0]
        for prior in (0.9, 0.1)
    )
    assert often.concept == rarely.concept == "HP:0000365"
    assert often.probability > rarely.probability


def test_a_name_of_one_concept_alone_is_linked_without_being_encoded(opened, minilm, linker, monkeypatch):
    monkeypatch.setattr(type(minilm), "encode", None)
    links = linker.link(["pain in  the HEAD", "Rash"], top_k=3)
    assert concepts_of(links) == [["HP:0002315"], ["HP:0000988"]]
    assert (links[0][0].name, links[0][0].score) == ("Pain in the head", 1.0)
    assert all(0.9 < found[0].probability < 1 for found in links)


def test_ids_are_accepted_as_they_are(linker):
    links = linker.link(["HP:0000175", "Cleft palate"])
    assert concepts_of(links) == [["HP:0000175"], ["HP:0000175"]]
    assert (links[0][0].name, links[0][0].probability) == ("HP:0000175", 1.0)


def test_mentions_are_found_in_a_text_with_their_places(linker):
    text = "A boy with short stature, recurring seizures and HP:0000365. Absent speech."
    (mentions,) = linker.link_mentions([text])
    assert [mention.link.concept for mention in mentions] == [
        "HP:0004322",
        "HP:0001250",
        "HP:0000365",
        "HP:0001344",
    ]
    assert [text[mention.start : mention.end] for mention in mentions][::3] == [
        "short stature",
        "Absent speech",
    ]
    assert not any(mention.is_negated for mention in mentions)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("No fever, cough or rash.", {"HP:0001945": True, "HP:0012735": True, "HP:0000988": True}),
        ("No fever, short stature.", {"HP:0001945": True, "HP:0004322": False}),
        ("He denies headache but has a cough", {"HP:0002315": True, "HP:0012735": False}),
        ("Cleft palate was ruled out; obesity", {"HP:0000175": True, "HP:0001513": False}),
        ("Seizures without fever", {"HP:0001250": False, "HP:0001945": True}),
    ],
)
def test_negation_reaches_what_it_says_and_no_further(linker, text, expected):
    (mentions,) = linker.link_mentions([text])
    assert {mention.link.concept: mention.is_negated for mention in mentions} == expected


def test_a_batch_is_encoded_and_searched_once(opened, minilm, linker, monkeypatch):
    calls = []
    call, encode = opened._catalog.connection.call, type(minilm).encode
    ready = Linker(opened, minilm, choice=linker.choice)
    monkeypatch.setattr(
        opened._catalog.connection, "call", lambda *args, **kw: calls.append(args[0]) or call(*args, **kw)
    )
    monkeypatch.setattr(
        type(minilm), "encode", lambda *args, **kw: calls.append("encode") or encode(*args, **kw)
    )
    ready.link_mentions(["cough and fever", "rash, headache", "no cough"])
    # One search, or one reading of the rows, whatever the number of mentions.
    assert calls.count("encode") == 1
    assert len(calls) == 2
    assert len(calls) <= 5


def test_choice_is_learned_the_same_again(opened, minilm, linker):
    assert Linker(opened, minilm).choice == linker.choice


def test_wrong_input_is_refused(opened, minilm, linker, tmp_path):
    with pytest.raises(InvalidInputError, match="expected texts as a list of texts, got one: 'cough'"):
        linker.link("cough")
    with pytest.raises(InvalidInputError, match="expected text 1 as a text that is not empty, got ' '"):
        linker.link_mentions(["cough", " "])
    with pytest.raises(InvalidInputError, match="as a number from 0 to 1, got 2; 0 links everything"):
        Linker(opened, minilm, threshold=2)
    with pytest.raises(InvalidInputError, match="expected prior as a number above 0 and below 1, got 1"):
        Linker(opened, minilm, prior=1)
    with pytest.raises(FingerprintMismatchError):
        Linker(opened, HashEncoder(16))
    encoder = HashEncoder(16)
    with VectorIndex.connect(str(tmp_path / "bare.db")) as index:
        bare = index.open(index.build([], encoder), fingerprint=encoder.fingerprint)
        with pytest.raises(
            InvalidInputError, match=r"expected a version with concepts, got .* build it with a graph"
        ):
            Linker(bare, encoder)
    assert linker.link([]) == []


def test_choice_weighs_candidates_against_none_of_them():
    features = np.array([[0.9, 0.8, 0.5, 0.0], [0.5, 0.1, 0.0, 0.0]])
    choice = LinkChoice(weights=(10.0, 2.0, 0.0, 0.0, 5.0), threshold=4.0)
    powers = np.exp([10.6, 5.2, 4.0 + 4.5])
    np.testing.assert_allclose(choice.probabilities(features), powers[:2] / powers.sum())
    likelier = np.exp([10.6, 5.2, 4.0 + 4.5 - np.log(9)])
    np.testing.assert_allclose(choice.probabilities(features, prior=0.9), likelier[:2] / likelier.sum())
    assert choice.probabilities(np.zeros((0, 4))).shape == (0,)
    with pytest.raises(InvalidInputError, match="expected 5 finite weights and a finite threshold, got"):
        LinkChoice(weights=(1.0,))


def test_the_best_candidate_is_right_as_often_as_stated_though_the_others_never_are():
    rng = np.random.default_rng(0)
    tables = [np.sort(rng.uniform(0.2, 0.8, 8))[::-1, None] * [1, 0, 0, 0] for _ in range(400)]
    truths = np.where(rng.uniform(size=400) < 0.6, 0, -1)
    choice = fit_choice(tables, truths, np.ones(400), prior=0.9)
    told = np.array([choice.probabilities(rows, prior=0.9).max() for rows in tables])
    assert told.mean() == pytest.approx((truths == 0).mean(), abs=0.03)


def test_choice_is_fitted_to_how_often_candidates_are_meant():
    rng = np.random.default_rng(0)
    features = [np.array([[similarity, 0.0, 0.0, 0.0]]) for similarity in rng.uniform(0, 1, 4000)]
    chances = np.array([1 / (1 + np.exp(3 - 8 * rows[0, 0])) for rows in features])
    truths = np.where(rng.uniform(size=4000) < chances, 0, -1)
    choice = fit_choice(features, truths, np.ones(4000), prior=0.5)
    told = np.array([choice.probabilities(rows)[0] for rows in features])
    assert np.abs(told - chances).max() < 0.05


@pytest.fixture(scope="module")
def reader_of_many(tmp_path_factory):
    encoder = load_encoder("use-multilingual")
    with VectorIndex.connect(str(tmp_path_factory.mktemp("languages") / "signs.db")) as index:
        yield Linker(index.open(index.build([], encoder, GRAPH), fingerprint=encoder.fingerprint), encoder)


def test_names_in_other_languages_are_linked_to_english_concepts(reader_of_many):
    names = ["Fieber", "咳嗽", "صداع", "dolor de cabeza", "発疹", "ожирение", "short stature", "Kleinwuchs"]
    found = concepts_of(reader_of_many.link(names))
    codes = ("1945", "12735", "2315", "2315", "988", "1513", "4322", "4322")
    assert found == [[f"HP:{int(code):07}"] for code in codes]
    assert reader_of_many.link(["Börsenkrach", "股市崩盘", "велосипед"]) == [[], [], []]


def test_english_names_are_linked_to_concepts_named_in_another_language(tmp_path):
    names = {
        "a": ("Fieber", "erhöhte Temperatur"),
        "b": ("Husten", "Hustenanfälle"),
        "c": ("Hautausschlag", "Ausschlag"),
        "d": ("Kopfschmerzen", "Kopfweh"),
    }
    german = KnowledgeGraph(
        Concept(id=id_, name=name, synonyms=tuple(more)) for id_, (name, *more) in names.items()
    )
    encoder = load_encoder("use-multilingual")
    with VectorIndex.connect(str(tmp_path / "german.db")) as index:
        linker = Linker(
            index.open(index.build([], encoder, german), fingerprint=encoder.fingerprint), encoder
        )
        found = concepts_of(linker.link(["fever", "cough", "咳嗽", "skin rash"]))
    assert found == [["a"], ["b"], ["b"], ["c"]]


@pytest.mark.parametrize(
    ("text", "present", "absent"),
    [
        ("Kein Fieber, aber Husten und Hautausschlag.", {"Cough", "Skin rash"}, {"Fever"}),
        ("Pas de fièvre ni de toux, mais des maux de tête.", {"Headache"}, {"Fever", "Cough"}),
        ("No tiene fiebre ni tos, pero tiene dolor de cabeza", {"Headache"}, {"Fever", "Cough"}),
        ("Нет температуры, есть кашель и головная боль.", {"Cough", "Headache"}, {"Fever"}),
        ("لا يوجد سعال، لكن لديه صداع", {"Headache"}, {"Cough"}),
        ("否认发烧、咳嗽，有皮疹", {"Skin rash"}, {"Fever", "Cough"}),
        ("咳はないが、発疹と頭痛がある", {"Skin rash", "Headache"}, {"Cough"}),
        ("두통은 없지만 기침이 있다", {"Cough"}, {"Headache"}),
        ("A boy with a non-productive cough and no rash", {"Cough"}, {"Skin rash"}),
    ],
)
def test_mentions_and_what_is_denied_are_found_in_other_languages(reader_of_many, text, present, absent):
    (mentions,) = reader_of_many.link_mentions([text])
    found = {(GRAPH.concepts[each.link.concept].name, each.is_negated) for each in mentions}
    assert found == {(name, False) for name in present} | {(name, True) for name in absent}
    assert all(text[each.start : each.end] == each.text for each in mentions)


@pytest.mark.parametrize(
    "name", ["von Willebrand disease", "Le Fort fracture", "Los Angeles syndrome", "LES"]
)
def test_names_that_begin_with_small_words_of_other_languages_are_whole_windows(name):
    assert name in [window.text for window in find_windows(f"She has {name}, and a cough.")]
