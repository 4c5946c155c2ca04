"""What the ranker says of a small clinic's cases."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from ranker_samples import SHOWN, clinic_graph, found
from zeroshot_core import Concept, Item, KnowledgeGraph
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.explain.wording import path_in_words, prediction_in_words
from zeroshot_core.ranking.likelihood import Telling
from zeroshot_core.ranking.ranker import ZeroShotRanker
from zeroshot_core.types import Evidence

pytestmark = pytest.mark.filterwarnings("ignore:.* findings? mean no concept")

MARFAN = found("F:fingers", "F:tall", "F:lens", no=("F:seizure",))
CASES = [
    MARFAN,
    found("F:ataxia", "curved spine", no=("F:cataract",)),
    "A boy with fits, but no ataxia.",
    Item(id="p4", text="unread", concepts=("F:rash", "F:slow")),
    found("zzz qqq"),
]
SHOWN_BY = {id_: shown for (id_, _), shown in SHOWN.items()}


@pytest.fixture(scope="module")
def clinic():
    ranker = ZeroShotRanker(HashEncoder(256), clinic_graph()).fit()
    yield ranker
    ranker.close()


def score(ranker, case, candidate):
    return ranker.scores([case])[0, ranker.classes_.tolist().index(candidate)]


def test_every_disease_is_first_by_its_own_findings(clinic):
    own = [found(*shown) for shown in SHOWN.values()]

    assert clinic.predict(own).tolist() == [id_ for id_, _ in SHOWN]


@pytest.mark.parametrize(
    ("exact", "vague"), [("F:lens", "F:eye"), ("F:slow", "F:heart"), ("F:rash", "F:all")]
)
def test_an_exact_finding_says_more_than_a_vague_one(clinic, exact, vague):
    best = clinic.predict([found(exact)])[0]

    assert score(clinic, found(exact), best) > score(clinic, found(vague), best) + 0.1


@pytest.mark.parametrize(
    ("told", "disease"),
    [
        (("F:skin",), "ORPHA:4"),
        (("F:fingers", "F:tall", "F:eye"), "OMIM:1"),
        (("F:bones", "F:eye", "F:heart"), "OMIM:1"),
        (("F:ataxia", "F:cataract"), "OMIM:5"),
    ],
)
def test_findings_told_one_step_up_still_lead_to_the_disease(clinic, told, disease):
    assert clinic.predict([found(*told)])[0] == disease


def test_two_stray_findings_leave_the_right_disease_first(clinic):
    stray = found("F:fingers", "F:tall", "F:lens", "F:rash", "F:slow")

    assert clinic.predict([stray])[0] == "OMIM:1"
    assert clinic.rank([stray])[0][0].parts["F:rash"] < 0


def test_a_finding_told_twice_in_other_words_says_it_once(clinic):
    once, twice = (
        score(clinic, found(*told), "OMIM:1")
        for told in (("Tall stature",), ("Tall stature", "increased body height"))
    )

    assert twice == pytest.approx(once, abs=0.1)


def test_the_more_frequent_finding_speaks_more(clinic):
    # Ataxia: always in the one, in one of ten in the others.
    assert score(clinic, found("F:ataxia"), "OMIM:5") > score(clinic, found("F:ataxia"), "OMIM:4") + 1


@pytest.mark.parametrize("excluded", ["F:focal", "F:seizure", "F:nerves"])
def test_an_excluded_finding_lowers_what_shows_it_or_implies_it(clinic, excluded):
    case, denied = found("F:all"), found("F:all", no=(excluded,))

    assert score(clinic, denied, "OMIM:4") < score(clinic, case, "OMIM:4") - 0.5
    assert score(clinic, denied, "ORPHA:4") == score(clinic, case, "ORPHA:4")


def test_an_excluded_finding_decides_between_two(clinic):
    assert clinic.predict([found("F:seizure", no=("F:focal",))])[0] == "OMIM:3"
    assert clinic.predict([found("F:seizure", no=("F:absence",))])[0] == "OMIM:4"


def test_a_disease_known_to_lack_a_finding_loses_by_it_and_by_what_implies_it(clinic):
    # ORPHA:3 lacks all of F:nerves.
    noise = np.log(Telling().noise)

    for finding in ("F:nerves", "F:seizure", "F:focal"):
        assert score(clinic, found(finding), "ORPHA:3") == pytest.approx(noise)
    assert score(clinic, found("F:scoliosis", "F:ataxia"), "ORPHA:3") < score(
        clinic, found("F:scoliosis"), "ORPHA:3"
    )


def test_the_parts_sum_to_the_score(clinic):
    for hit in (hit for hits in clinic.rank(CASES) for hit in hits):
        assert sum(hit.parts.values()) == pytest.approx(hit.score, abs=1e-5)
    assert list(clinic.rank([MARFAN])[0][0].parts) == ["F:fingers", "F:tall", "F:lens", "not F:seizure"]


def test_probabilities_of_all_that_are_ranked_sum_to_1(clinic):
    for databases in ((), ["OMIM"]):
        (hits,) = clinic.rank([MARFAN], top_k=len(SHOWN), databases=databases)
        shares = [hit.metadata["probability"] for hit in hits]
        assert sum(shares) == pytest.approx(1.0)
        assert shares == sorted(shares, reverse=True)
    best, second = clinic.rank([MARFAN])[0][:2]
    odds = best.metadata["probability"] / second.metadata["probability"]
    assert np.log(odds) == pytest.approx(best.score - second.score, abs=1e-5)


def test_only_the_given_databases_are_ranked(clinic):
    (hits,) = clinic.rank([MARFAN], databases=["ORPHA"])

    assert {hit.id for hit in hits} == {id_ for id_, _ in SHOWN if id_.startswith("ORPHA:")}
    together = clinic.rank([MARFAN], databases=["ORPHA", "OMIM"])
    assert together == clinic.rank([MARFAN])


def test_top_k_is_that_of_the_ranker_unless_told(clinic):
    assert [len(hits) for hits in clinic.rank([MARFAN, found("F:rash")], top_k=2)] == [2, 2]
    assert len(clinic.rank([MARFAN])[0]) == min(clinic.top_k, len(SHOWN))
    assert clinic.rank([MARFAN], top_k=3)[0] == clinic.rank([MARFAN])[0][:3]


def test_scores_are_those_of_the_hits_in_the_order_of_the_classes(clinic):
    scores, ranked = clinic.scores(CASES), clinic.rank(CASES)

    assert scores.shape == (len(CASES), len(clinic.classes_))
    for row, hits in zip(scores, ranked, strict=True):
        for hit in hits:
            assert row[clinic.classes_.tolist().index(hit.id)] == pytest.approx(hit.score, abs=1e-6)
    assert not scores[4].any()


def test_a_batch_says_what_each_case_says_alone(clinic):
    # More cases than one block holds.
    many = [
        replace(MARFAN, id=f"p{row}") if row % 2 else Item(id=f"p{row}", concepts=("F:rash",), text="x")
        for row in range(130)
    ]
    ranked = clinic.rank(many, top_k=3)

    for row in (0, 1, 63, 64, 65, 129):
        assert ranked[row] == clinic.rank([many[row]], top_k=3)[0]
    np.testing.assert_allclose(
        clinic.scores(CASES), np.vstack([clinic.scores([case]) for case in CASES]), atol=1e-6
    )


def test_no_cases_have_no_rankings(clinic):
    assert clinic.rank([]) == clinic.explain([]) == []
    assert clinic.predict([]).shape == (0,)
    assert clinic.scores([]).shape == (0, len(SHOWN))


@pytest.mark.parametrize("case", [found("zzz qqq"), found(no=("F:rash",)), found(), "Nothing to see here."])
def test_with_nothing_to_go_on_nothing_is_ranked(clinic, case):
    (prediction,) = clinic.explain([case])

    assert clinic.rank([case]) == [[]]
    assert clinic.predict([case]).tolist() == [""]
    assert (prediction.value, prediction.probabilities, prediction.evidence.concepts) == ("", {}, ())


def test_ties_go_by_id():
    ranker = ZeroShotRanker(HashEncoder(64), clinic_graph(), telling=Telling(noise=1.0)).fit()

    assert [hit.id for hit in ranker.rank([found("F:lens")], top_k=4)[0]] == [
        "OMIM:1",
        "OMIM:2",
        "OMIM:3",
        "OMIM:4",
    ]
    ranker.close()


@pytest.mark.parametrize(
    ("finding", "candidate", "words"),
    [
        ("F:lens", "OMIM:2", "p -finding-> F:lens <-has_phenotype- OMIM:2"),
        ("F:eye", "OMIM:2", "p -finding-> F:eye <-is_a- F:cataract <-has_phenotype- OMIM:2"),
        (
            "F:absence",
            "OMIM:4",
            "p -finding-> F:absence -is_a-> F:seizure <-is_a- F:focal <-has_phenotype- OMIM:4",
        ),
        ("F:nuclear", "OMIM:2", "p -finding-> F:nuclear -is_a-> F:cataract <-has_phenotype- OMIM:2"),
        (
            "F:rash",
            "ORPHA:1",
            "p -finding-> F:rash -is_a-> F:skin -is_a-> F:all <-is_a- F:heart <-is_a- F:rhythm "
            "<-has_phenotype- ORPHA:1",
        ),
    ],
)
def test_the_path_leads_from_the_finding_over_the_hierarchy_to_the_disease(clinic, finding, candidate, words):
    (hits,) = clinic.rank([replace(found(finding), id="p")])
    (hit,) = [hit for hit in hits if hit.id == candidate]

    assert path_in_words(hit.path) == words
    assert hit.path[-1].weight == pytest.approx(SHOWN_BY[candidate][hit.path[-1].tail])


def test_a_finding_with_nothing_above_it_has_a_path_without_steps():
    lonely = Concept(id="F:lonely", name="Hiccups", type="phenotype")
    graph = clinic_graph()
    graph = KnowledgeGraph([*graph.concepts.values(), lonely], graph.relations)
    ranker = ZeroShotRanker(HashEncoder(64), graph).fit()

    hit = ranker.rank([replace(found("F:lonely"), id="p")])[0][0]
    head, shown = hit.id, hit.path[-1].tail
    assert path_in_words(hit.path) == f"p -finding-> F:lonely; {head} -has_phenotype-> {shown}"
    ranker.close()


def test_the_path_starts_at_the_finding_that_speaks_most(clinic):
    hit = clinic.rank([found("F:rash", "F:fingers", "F:tall")])[0][0]

    assert hit.id == "OMIM:1"
    assert hit.path[0].tail == max(hit.parts, key=lambda name: hit.parts[name]) == "F:fingers"


def test_an_explanation_names_the_disease_and_its_rivals(clinic):
    (prediction,) = clinic.explain([MARFAN], top_k=3)

    assert prediction.id == "query-0"
    assert prediction.value == "Marfan syndrome"
    assert next(iter(prediction.probabilities)) == "Marfan syndrome"
    assert prediction.evidence.concepts == tuple(clinic.rank([MARFAN], top_k=3)[0])
    assert prediction_in_words(prediction).startswith("Predicted Marfan syndrome (Marfan syndrome ")


def test_an_answer_alone_follows_no_path(clinic, monkeypatch):
    (whole,) = clinic.explain([MARFAN], top_k=3)
    monkeypatch.setattr(clinic.writer_, "_path", None)
    (bare,) = clinic.explain([MARFAN], top_k=3, evidence=False)

    assert bare == replace(whole, evidence=Evidence())


def test_a_note_leads_to_the_disease(clinic):
    note = "Tall stature with long slender fingers and a dislocated lens, no seizures."
    (hit, *_), (case,) = clinic.rank([note])[0], clinic.understand([note])

    assert hit.id == "OMIM:1"
    assert set(hit.parts) == {"F:tall", "F:fingers", "F:lens", "not F:seizure"}
    assert case.unknown == ()


def test_free_text_and_ids_rank_alike(clinic):
    ids = clinic.rank([found("F:fingers", "F:lens", no=("F:scoliosis",))], top_k=2)[0]
    texts = clinic.rank([found("spider fingers", "Ectopia lentis", no=("Curved spine",))], top_k=2)[0]

    assert [hit.id for hit in texts] == [hit.id for hit in ids]
    assert [hit.score for hit in texts] == pytest.approx([hit.score for hit in ids], abs=0.1)
    assert list(texts[0].parts) == ["spider fingers", "Ectopia lentis", "not Curved spine"]


def test_a_text_loses_little_by_what_it_hardly_means(clinic):
    # The text has other candidates among its meanings, some of which this disease is known to lack.
    by_id, by_text = (score(clinic, found(told), "ORPHA:3") for told in ("F:tall", "increased body heights"))

    assert by_text == pytest.approx(by_id, abs=0.1)


def test_diseases_with_vectors_near_each_other_share_what_is_known():
    names = {"OMIM:4": "Absence epilepsy"}
    alone, shared = (
        ZeroShotRanker(HashEncoder(64), clinic_graph(names=names), telling=Telling(kin=kin)).fit()
        for kin in (0.0, 0.4)
    )
    case = found("F:absence")

    assert score(shared, case, "OMIM:4") > score(alone, case, "OMIM:4") + 0.5
    assert score(shared, case, "OMIM:3") < score(alone, case, "OMIM:3")
    assert shared.predict([case])[0] == "OMIM:3"

    # To a user who asks for a name, both are one.
    (prediction,) = shared.explain([case])
    shares = [hit.metadata["probability"] for hit in prediction.evidence.concepts]
    assert prediction.probabilities["Absence epilepsy"] == pytest.approx(sum(shares[:2]))
    alone.close()
    shared.close()


def test_findings_may_be_a_flat_list(tmp_path):
    graph = clinic_graph()
    flat = KnowledgeGraph(graph.concepts.values(), [edge for edge in graph.relations if edge.type != "is_a"])
    own = [found(*shown) for shown in SHOWN.values()]
    with closing(ZeroShotRanker(HashEncoder(256), flat, hierarchy=None).fit()) as ranker:
        ranker.save(tmp_path / "model")
        ranked, classes = ranker.scores(own), ranker.classes_
    with closing(ZeroShotRanker.load(tmp_path / "model", encoder=HashEncoder(256))) as again:
        np.testing.assert_allclose(again.scores(own), ranked)

    assert classes[ranked.argmax(axis=1)].tolist() == [id_ for id_, _ in SHOWN]
