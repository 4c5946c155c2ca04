"""What the ranker refuses, and how it says so."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ranker_samples import clinic_graph, found
from sklearn.base import clone
from zeroshot_core import Concept, KnowledgeGraph, Relation
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.errors import InvalidInputError, NotFittedError
from zeroshot_core.ranking.likelihood import Telling
from zeroshot_core.ranking.ranker import ZeroShotRanker


def ranker_of(graph: KnowledgeGraph | None, **parameters) -> ZeroShotRanker:
    return ZeroShotRanker(HashEncoder(32), graph, **parameters)


@pytest.fixture(scope="module")
def clinic():
    ranker = ranker_of(clinic_graph()).fit()
    yield ranker
    ranker.close()


def test_parameters_are_those_that_were_given_and_clone_with_it():
    parameters = {
        "index": "clinic.db",
        "candidates": "illness",
        "relation": "shows",
        "exclusion": "lacks",
        "hierarchy": "kind_of",
        "telling": Telling(noise=0.1),
        "top_k": 3,
        "show_progress": True,
    }
    graph = clinic_graph()
    ranker = ranker_of(graph, **parameters)

    assert ranker.get_params(deep=False) == {"encoder": ranker.encoder, "graph": graph, **parameters}
    copy = clone(ranker)
    assert copy is not ranker
    assert copy.get_params(deep=False) == ranker.get_params(deep=False)
    assert copy.set_params(top_k=5).top_k == 5
    assert ranker.top_k == 3


def test_a_clone_of_a_fitted_ranker_is_not_fitted(clinic):
    with pytest.raises(NotFittedError):
        clone(clinic).rank([found("F:rash")])


def test_fit_gives_the_ranker_back():
    ranker = ranker_of(clinic_graph())

    assert ranker.fit() is ranker
    ranker.close()


@pytest.mark.parametrize("method", ["rank", "scores", "predict", "explain", "understand"])
def test_before_fit_nothing_is_ranked(method):
    with pytest.raises(NotFittedError, match=r"expected a fitted ranker, got one before fit; call fit\(\)"):
        getattr(ranker_of(clinic_graph()), method)([found("F:rash")])


def test_before_fit_there_is_nothing_to_save_or_to_close(tmp_path):
    with pytest.raises(NotFittedError, match="call fit"):
        ranker_of(clinic_graph()).save(tmp_path / "model")
    with pytest.raises(NotFittedError, match="call fit"):
        ranker_of(clinic_graph()).close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("relation", "message"),
    [
        (
            Relation(head="F:nerves", type="is_a", tail="F:focal"),
            "expected a hierarchy without cycles along is_a, got 3 concepts that lead back to themselves",
        ),
        (
            Relation(head="OMIM:1", type="has_phenotype", tail="F:rash", weight=1.2),
            r"expected frequencies above 0 and up to 1 as weights of 'has_phenotype', got 1\.2 for 'OMIM:1'",
        ),
        (
            Relation(head="F:rash", type="has_phenotype", tail="F:skin"),
            "expected relations 'has_phenotype' from concepts of type 'disease' to findings, got 'F:rash'",
        ),
        (
            Relation(head="OMIM:1", type="has_phenotype", tail="OMIM:2"),
            "from concepts of type 'disease' to findings, got 'OMIM:1' -> 'OMIM:2'; name them by candidates=",
        ),
        (
            Relation(head="OMIM:1", type="lacks_phenotype", tail="OMIM:2"),
            "expected relations 'lacks_phenotype' from concepts of type 'disease' to findings, got 'OMIM:1'",
        ),
    ],
)
def test_a_graph_with_a_wrong_relation_is_refused(relation, message):
    with pytest.raises(InvalidInputError, match=message):
        ranker_of(clinic_graph((relation,))).fit()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"relation": "shows"}, r"expected relations 'shows' .*, got none among \['is_a', "),
        ({"candidates": "illness"}, "from concepts of type 'illness' to findings, got 'OMIM:1' -> 'F:aorta'"),
        ({"hierarchy": "kind_of"}, "expected relations of type 'kind_of' .* pass hierarchy=None"),
        ({"top_k": 0}, "expected top_k as a whole number of at least 1, got 0"),
        ({"index": 7}, "expected index to be a VectorIndex, a URI, or None, got int"),
    ],
)
def test_wrong_parameters_are_refused(parameters, message):
    ranker = ranker_of(clinic_graph(), **parameters)

    with pytest.raises(InvalidInputError, match=message):
        ranker.fit()
    assert not hasattr(ranker, "model_")


@pytest.mark.parametrize("graph", [KnowledgeGraph(), KnowledgeGraph([Concept(id="a", name="a")])])
def test_a_graph_without_annotations_is_refused(graph):
    with pytest.raises(InvalidInputError, match="got none among"):
        ranker_of(graph).fit()


def test_another_thing_than_an_encoder_is_refused():
    with pytest.raises(InvalidInputError, match="expected an encoder or its name, got int"):
        ZeroShotRanker(7, clinic_graph()).fit()


def test_a_refused_fit_leaves_the_fitted_ranker_as_it_was():
    ranker = ranker_of(clinic_graph()).fit()
    before = ranker.rank([found("F:lens")])

    ranker.set_params(graph=clinic_graph((Relation(head="F:nerves", type="is_a", tail="F:focal"),)))
    with pytest.raises(InvalidInputError, match="without cycles"):
        ranker.fit()
    assert ranker.rank([found("F:lens")]) == before
    ranker.close()


@pytest.mark.parametrize(
    "parts",
    [
        {"noise": 0.0},
        {"noise": 1.5},
        {"imprecision": 1.0},
        {"reach": -0.1},
        {"trust": 1},
        {"kin": "much"},
        {"kin": float("nan")},
        {"retold": 0.7, "near": 0.6},
    ],
)
def test_a_telling_that_is_no_probability_is_refused(parts):
    with pytest.raises(InvalidInputError, match="expected probabilities from 0 to 1, noise above 0"):
        replace(Telling(), **parts)


@pytest.mark.parametrize("method", ["rank", "scores", "predict", "explain", "understand"])
def test_a_single_case_is_put_in_a_list(clinic, method):
    with pytest.raises(InvalidInputError, match=r"expected X as a list of findings, .* wrap it in a list"):
        getattr(clinic, method)(found("F:rash"))


def test_an_empty_text_is_refused(clinic):
    with pytest.raises(InvalidInputError, match="expected text 0 as a text that is not empty"):
        clinic.rank(["  "])


@pytest.mark.parametrize("top_k", [0, -1, 1.5, True])
def test_a_wrong_number_of_candidates_is_refused(clinic, top_k):
    for method in (clinic.rank, clinic.explain):
        with pytest.raises(InvalidInputError, match="expected top_k as a whole number of at least 1"):
            method([found("F:rash")], top_k=top_k)


def test_databases_that_hold_no_candidate_are_refused(clinic):
    with pytest.raises(InvalidInputError, match=r"such as 'OMIM:1', got \['DECIPHER'\]"):
        clinic.rank([found("F:rash")], databases=["DECIPHER"])
    with pytest.raises(InvalidInputError, match="expected databases as a list of names, got one: 'OMIM'"):
        clinic.rank([found("F:rash")], databases="OMIM")
