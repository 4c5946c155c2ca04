from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from ranker_samples import clinic_graph, found
from zeroshot_core import Concept, Item, KnowledgeGraph
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.index import VectorIndex
from zeroshot_core.ranking.annotations import Annotations, AnnotationTypes
from zeroshot_core.ranking.findings import Case, Findings, as_findings, link_cases
from zeroshot_core.retrieval.linking import Linker

NOTE = "Tall stature and long slender fingers. No seizures; cataract was ruled out."


@pytest.fixture(scope="module")
def findings_graph():
    types = AnnotationTypes(
        candidates="disease", relation="has_phenotype", exclusion="lacks_phenotype", hierarchy="is_a"
    )
    return Annotations.of(clinic_graph(), types).findings


@pytest.fixture(scope="module")
def linker(findings_graph, tmp_path_factory):
    encoder = HashEncoder(256)
    with VectorIndex.connect(str(tmp_path_factory.mktemp("findings") / "index.db")) as index:
        version = index.build([Item(id="any", text="any")], encoder, findings_graph)
        yield Linker(index.open(version, fingerprint=encoder.fingerprint), encoder)


@pytest.fixture(scope="module")
def understand(findings_graph, linker):
    def act(*cases: Any) -> list[Case]:
        return link_cases(as_findings(list(cases), linker.link_mentions), findings_graph, linker)

    return act


def likeliest(shares, graph) -> list[str]:
    return [graph.concept_ids[column] for column in shares.toarray().argmax(axis=1)]


def no_text(_: Sequence[str]) -> list[Any]:
    raise AssertionError("there is no text to read")


def test_ids_mean_themselves(understand, findings_graph):
    (case,) = understand(found("F:lens", "F:tall", no=("F:rash",)))

    assert likeliest(case.meant, findings_graph) == ["F:lens", "F:tall"]
    assert likeliest(case.ruled_out, findings_graph) == ["F:rash"]
    assert set(case.meant.data) == set(case.ruled_out.data) == {1.0}


def test_names_and_synonyms_are_understood_as_people_write_them(understand, findings_graph):
    told = ("Seizure", "spider FINGERS", "curved spines", "dislocated lens")
    (case,) = understand(Findings(present=told, excluded=("slow heartbeat",)))

    assert case.present == told
    assert likeliest(case.meant, findings_graph) == ["F:seizure", "F:fingers", "F:scoliosis", "F:lens"]
    assert likeliest(case.ruled_out, findings_graph) == ["F:slow"]
    np.testing.assert_allclose(case.meant.sum(axis=1), 1.0)


def test_what_means_nothing_is_said(understand):
    (case,) = understand(found("F:lens", "zzz qqq", no=("xkcd", "F:rash")))

    assert (case.present, case.excluded, case.unknown) == (("F:lens",), ("F:rash",), ("zzz qqq", "xkcd"))
    assert case.meant.shape[0] == case.ruled_out.shape[0] == 1


def test_a_case_of_unknown_findings_keeps_its_shape(understand, findings_graph):
    (case,) = understand(found("zzz qqq"))

    assert case.meant.shape == case.ruled_out.shape == (0, len(findings_graph))
    assert case.unknown == ("zzz qqq",)


def test_the_id_of_a_candidate_is_no_finding(understand):
    assert understand(found("OMIM:1"))[0].unknown == ("OMIM:1",)


def test_a_note_mentions_findings_and_denies_others(understand):
    (case,) = understand(NOTE)

    assert case.present == ("F:tall", "F:fingers")
    assert case.excluded == ("F:seizure", "F:cataract")


def test_an_item_is_its_concepts_or_else_its_text(understand):
    linked, unlinked = understand(
        Item(id="p1", text=NOTE, concepts=("F:rash",)), Item(id="p2", text="He has fits.")
    )

    assert (linked.id, linked.present, linked.excluded) == ("p1", ("F:rash",), ())
    assert (unlinked.id, unlinked.present) == ("p2", ("F:seizure",))


def test_cases_without_an_id_are_numbered_by_their_row(understand):
    cases = understand("fits", found("F:rash"), Findings(id="mine", present=("F:rash",)))

    assert [case.id for case in cases] == ["query-0", "query-1", "mine"]


def test_findings_told_twice_count_once():
    case = Findings(present=["F:rash", " F:rash ", "F:lens"])

    assert case.present == ("F:rash", "F:lens")


def test_without_texts_nothing_is_read():
    assert as_findings([found("F:rash")], no_text)[0].present == ("F:rash",)
    assert as_findings([], no_text) == []


@pytest.mark.parametrize("name", ["present", "excluded"])
@pytest.mark.parametrize("wrong", ["F:rash", ["F:rash", ""], ["  "], [7], None, {"F:rash"}, {"F:rash": 1}])
def test_findings_that_are_no_list_of_texts_are_refused(name, wrong):
    with pytest.raises(InvalidInputError, match=rf"expected {name} (as a|of findings 'p' as a) list of"):
        Findings(id="p", **{name: wrong})


@pytest.mark.parametrize("wrong", ["fits", found("F:rash"), Item(id="p", text="fits"), 7])
def test_a_single_case_is_refused(wrong):
    with pytest.raises(InvalidInputError, match=r"expected X as a list of findings, .* wrap it in a list"):
        as_findings(wrong, no_text)


@pytest.mark.parametrize("wrong", [["F:rash"], None, 7])
def test_another_thing_in_a_row_is_refused(wrong):
    with pytest.raises(InvalidInputError, match=r"expected findings, items or texts, got \w+ in row 1"):
        as_findings(["fits", wrong], no_text)


FORMER = {"F:7": "F:lens", "HP:0200135": "HP:0000256", "OLD:1": "F:rash"}
PHENOTYPES = KnowledgeGraph(
    [*(Concept(id=id_, name=id_) for id_ in ("F:lens", "F:rash", "HP:0000256", "HP:0001250"))],
    alternative_ids=FORMER,
)


@pytest.mark.parametrize(
    ("given", "id_"),
    [
        ("HP:0000256", "HP:0000256"),
        ("HP:0200135", "HP:0000256"),
        ("hp:0000256", "HP:0000256"),
        ("HP_0200135", "HP:0000256"),
        ("http://purl.obolibrary.org/obo/HP_0001250", "HP:0001250"),
        ("<https://identifiers.org/HP:0001250>", "HP:0001250"),
        ("OLD:1", "F:rash"),
    ],
)
def test_former_ids_and_other_spellings_mean_the_concept_of_today(given, id_, linker):
    (case,) = link_cases([Findings(present=(given,))], PHENOTYPES, linker)

    assert case.present == (given,)
    assert likeliest(case.meant, PHENOTYPES) == [id_]


def test_an_id_that_the_graph_lacks_is_unknown_whatever_names_are_spelt_like_it(linker):
    (case,) = link_cases([Findings(present=("HP:0000257", "hp_1"))], PHENOTYPES, linker)

    assert (case.present, case.unknown) == ((), ("HP:0000257", "hp_1"))


def test_a_concept_that_two_of_its_ids_tell_counts_once(linker):
    given = ("HP:0200135", "F:rash", "HP:0000256", "hp_0000256")
    (case,) = link_cases([Findings(present=given, excluded=("OLD:1", "F:rash"))], PHENOTYPES, linker)

    assert case.present == ("HP:0200135", "F:rash")
    assert case.excluded == ("OLD:1",)


def test_annotations_keep_the_alternative_ids_of_findings():
    graph = clinic_graph()
    graph = KnowledgeGraph(
        graph.concepts.values(), graph.relations, alternative_ids={"F:7": "F:lens", "OMIM:9": "OMIM:1"}
    )
    types = AnnotationTypes(
        candidates="disease", relation="has_phenotype", exclusion="lacks_phenotype", hierarchy="is_a"
    )
    assert Annotations.of(graph, types).findings.alternative_ids == {"F:7": "F:lens"}
