from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from zeroshot_core import Concept, InvalidInputError, Item, KnowledgeGraph, Relation, UnknownConceptError
from zeroshot_core.construction import Triple, build_graph, triples_schema


def triple(head: str, relation: str, tail: str, types: str = "thing thing") -> dict[str, str]:
    head_type, tail_type = types.split()
    return {"head": head, "head_type": head_type, "relation": relation, "tail": tail, "tail_type": tail_type}


class Recorded:
    """An extractor that answers what was recorded for each text, and remembers what it was asked."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def __call__(self, texts: Sequence[str]) -> list[Any]:
        self.asked += texts
        return [self.answers[text] for text in texts]


def edges(graph: KnowledgeGraph) -> list[tuple[str, str, str]]:
    return [(r.head, r.type, r.tail) for r in graph.relations]


DISEASES = KnowledgeGraph(
    [
        Concept(
            id="D1", name="Marfan syndrome", type="disease", synonyms=("MFS",), description="of fibrillin"
        ),
        Concept(id="P1", name="Tall stature", type="finding"),
        Concept(id="G1", name="Lens", type="organ"),
        Concept(id="G2", name="Lens", type="tool"),
    ],
    [Relation(head="D1", type="hasPhenotype", tail="P1", weight=2.0, sources=("PMID:1",))],
)


def test_each_relation_cites_the_texts_that_say_it_and_weighs_as_many() -> None:
    said = triple("aspirin", "treats", "headache")
    texts = [Item(id="a", text="one"), Item(id="b", text="two"), Item(id="c", text="three")]
    build = build_graph(texts, Recorded({"one": [said], "two": [said, said], "three": []}))

    assert build.graph.relations == (
        Relation(head="thing:aspirin", type="treats", tail="thing:headache", weight=2.0, sources=("a", "b")),
    )
    assert build.mentions == {"a": ("thing:aspirin", "thing:headache"), "b": build.mentions["a"], "c": ()}
    assert (build.report.n_texts, build.report.n_triples, build.report.n_new) == (3, 3, 2)


def test_spellings_of_one_name_type_and_relation_are_one() -> None:
    answers = [
        triple("Red  Wines", "PAIRS_WITH", "beef", "Drink food"),
        triple("red wine", "pairs with", "Beef.", "drink FOOD"),
        triple("red wine", "pairsWith", "“beef”", "drink food"),
    ]
    graph = build_graph(["text"], Recorded({"text": answers})).graph

    assert edges(graph) == [("drink:red wine", "pairs_with", "food:beef")]
    wine = graph.concepts["drink:red wine"]
    assert (wine.name, wine.type, wine.synonyms) == ("red wine", "drink", ("Red Wines",))


@pytest.mark.parametrize("names", [["glasses"], ["C", "C++"], ["news", "newspaper"], ["Paris", "Pari y"]])
def test_names_that_are_not_surely_one_stay_apart(names: list[str]) -> None:
    answers = [triple(name, "is", "other") for name in names]
    graph = build_graph(["text"], Recorded({"text": answers})).graph

    assert [concept.name for concept in graph.concepts.values() if concept.name != "other"] == names


def test_plurals_of_plurals_end_at_the_innermost_name() -> None:
    answers = [triple(name, "is", "other") for name in ("lenses", "lens", "len")]
    graph = build_graph(["text"], Recorded({"text": answers})).graph

    assert set(graph.concepts) == {"thing:len", "thing:other"}


def test_one_name_of_two_types_is_two_concepts() -> None:
    answers = [
        triple("apple", "sells", "phone", "company thing"),
        triple("apple", "grows on", "tree", "fruit thing"),
    ]
    graph = build_graph(["text"], Recorded({"text": answers})).graph

    assert {"company:apple", "fruit:apple"} < set(graph.concepts)


@pytest.mark.parametrize(
    ("damaged", "reason"),
    [
        ({"head": "x"}, "expected head, relation and tail"),
        ({**triple("x", "is", "y"), "tail": 3}, "expected words as 'tail'"),
        ({**triple("x", "is", "y"), "tail_type": ["a"]}, "expected words as 'tail_type'"),
        (triple(" ", "is", "y"), "expected words as 'head'"),
        (triple("x", "--", "y"), "expected words as 'relation'"),
        (triple("x" * 300, "is", "y"), "expected at most 250 bytes as 'head'"),
        ("x is y", "expected an object with head, relation and tail"),
        (None, "expected an object with head, relation and tail"),
    ],
)
def test_a_malformed_triple_is_left_out_counted_and_quoted(damaged: Any, reason: str) -> None:
    answer = {"triples": [triple("aspirin", "treats", "headache"), damaged]}
    with pytest.warns(UserWarning, match="left out 1 malformed triples"):
        build = build_graph([Item(id="a", text="text")], Recorded({"text": answer}))

    assert len(build.graph.relations) == 1
    assert build.report.n_malformed == 1
    assert build.report.problems[0].startswith(f"a: {reason}, got ")


@pytest.mark.parametrize("answer", ["nonsense", None, {"facts": []}, [{"head": "x"}], [[]], 7])
def test_answers_without_one_usable_triple_are_refused(answer: Any) -> None:
    with pytest.raises(
        InvalidInputError, match=r"expected usable triples from 1 texts, got none and 1 problems"
    ):
        build_graph(["text"], Recorded({"text": answer}))


def test_a_text_that_says_nothing_is_no_error() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        build = build_graph(["text"], Recorded({"text": []}), graph=DISEASES)

    assert build.graph == DISEASES


def test_a_text_that_fails_is_named_and_the_others_enter_the_graph() -> None:
    answers = {"one": TimeoutError("too slow"), "two": [triple("a", "is", "b")]}
    with pytest.warns(UserWarning, match="1 texts that failed; first: x: TimeoutError: too slow"):
        build = build_graph([Item(id="x", text="one"), Item(id="y", text="two")], Recorded(answers))

    assert build.report.n_failed == 1
    assert build.report.problems == ("x: TimeoutError: too slow",)
    assert len(build.graph.relations) == 1
    assert build.mentions["x"] == ()


def test_if_all_texts_fail_there_is_no_graph() -> None:
    with pytest.raises(InvalidInputError, match=r"got none and 1 problems: .*TimeoutError: too slow"):
        build_graph(["one"], Recorded({"one": TimeoutError("too slow")}))


def test_other_types_than_the_allowed_are_left_out() -> None:
    answers = [
        triple("aspirin", "TREATS", "pain", "Drug symptom"),
        triple("aspirin", "likes", "pain", "drug symptom"),
    ]
    with pytest.warns(UserWarning, match=r"1 of other types .*expected one of treats, got 'likes'"):
        build = build_graph(
            ["text"],
            Recorded({"text": answers}),
            concept_types=["DRUG", "Symptom"],
            relation_types=["treats"],
        )

    assert edges(build.graph) == [("DRUG:aspirin", "treats", "Symptom:pain")]
    assert build.report.n_refused == 1


def test_a_triple_whose_ends_are_one_concept_is_left_out() -> None:
    answers = [triple("Marfan syndrome", "is also", "MFS"), triple("MFS", "causes", "tall stature")]
    build = build_graph(["text"], Recorded({"text": answers}), graph=DISEASES)

    assert build.report.n_loops == 1
    assert ("D1", "causes", "P1") in edges(build.graph)


def test_names_known_to_the_graph_are_linked_and_its_concepts_stay_as_they_are() -> None:
    answers = [triple("mfs", "has phenotype", "Tall  stature"), triple("MFS", "affects", "aorta")]
    build = build_graph([Item(id="PMID:2", text="text")], Recorded({"text": answers}), graph=DISEASES)

    assert [build.graph.concepts[id_] for id_ in DISEASES.concepts] == list(DISEASES.concepts.values())
    assert build.graph.relations[0] == Relation(
        head="D1", type="hasPhenotype", tail="P1", weight=3.0, sources=("PMID:1", "PMID:2")
    )
    assert build.mentions == {"PMID:2": ("D1", "P1", "thing:aorta")}
    assert (build.report.n_linked, build.report.n_new) == (2, 1)


def test_of_concepts_with_one_name_that_of_the_type_is_meant() -> None:
    answers = [triple("lens", "grows in", "eye", "organ thing"), triple("lens", "is near", "eye")]
    build = build_graph(["text"], Recorded({"text": answers}), graph=DISEASES)

    assert {head for head, _, _ in edges(build.graph)} == {"D1", "G1", "thing:lens"}


def test_reading_a_text_again_changes_nothing() -> None:
    items = [Item(id="PMID:2", text="text")]
    extract = Recorded(
        {"text": [triple("MFS", "has phenotype", "tall stature"), triple("MFS", "hits", "aorta")]}
    )
    once = build_graph(items, extract, graph=DISEASES).graph

    assert build_graph(items, extract, graph=once).graph == once


def test_a_link_decides_which_names_are_known() -> None:
    answers = [triple("very tall people", "are in", "basketball"), triple("MFS", "is", "rare")]
    build = build_graph(
        ["text"],
        Recorded({"text": answers}),
        graph=DISEASES,
        link=lambda names: ["P1" if "tall" in name else None for name in names],
    )

    assert edges(build.graph)[1:] == [
        ("P1", "are_in", "thing:basketball"),
        ("thing:mfs", "is", "thing:rare"),
    ]


@pytest.mark.parametrize(
    ("link", "error", "message"),
    [
        (lambda names: ["nowhere" for _ in names], UnknownConceptError, "nowhere"),
        (lambda names: [], InvalidInputError, "for each of 2 names, got 0"),
    ],
)
def test_a_link_that_errs_is_refused(link: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        build_graph(["text"], Recorded({"text": [triple("a", "is", "b")]}), graph=DISEASES, link=link)


def test_equal_texts_are_asked_once_and_cited_each() -> None:
    extract = Recorded({"same": [triple("a", "is", "b")]})
    build = build_graph([Item(id="x", text="same"), Item(id="y", text="same")], extract)

    assert extract.asked == ["same"]
    assert build.graph.relations[0].sources == ("x", "y")


def test_a_bare_text_is_cited_by_a_digest_that_stays() -> None:
    extract = Recorded({"one": [Triple(head="a", relation="is", tail="b")]})
    (source,) = build_graph(["one"], extract).graph.relations[0].sources

    assert source.startswith("text-")
    assert build_graph(["one"], extract).graph.relations[0].sources == (source,)


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    texts = [f"text {number}" for number in range(6)]
    whole = Recorded({text: [triple(text, "is", "b"), {"head": "x"}] for text in texts})
    broken = Recorded({text: whole.answers[text] for text in texts[:4]})
    path = tmp_path / "answers.jsonl"
    with pytest.raises(KeyError):
        build_graph(texts, broken, checkpoint=path, batch_size=2)
    with path.open("a") as file:
        file.write('{"text": "cut sho')
    with pytest.warns(UserWarning, match="left out 6 malformed"):
        build = build_graph(texts, whole, checkpoint=path, batch_size=2)

    assert whole.asked == texts[4:]
    with pytest.warns(UserWarning, match="left out 6 malformed"):
        again = build_graph(texts, Recorded({}), checkpoint=path)
    with pytest.warns(UserWarning, match="left out 6 malformed"):
        assert again.graph == build.graph == build_graph(texts, whole).graph


def test_failed_and_useless_answers_are_asked_again(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    answers = {"good": [triple("a", "is", "b")], "failed": OSError("down"), "useless": "?", "empty": []}
    with pytest.warns(UserWarning, match="left out 1 malformed"):
        build_graph(list(answers), Recorded(answers), checkpoint=path)
    better = Recorded({**answers, "failed": answers["good"], "useless": answers["good"]})
    build_graph(list(answers), better, checkpoint=path)

    assert better.asked == ["failed", "useless"]


def test_a_damaged_checkpoint_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_text(json.dumps({"other": 1}) + "\n")
    extract = Recorded({})
    with pytest.raises(InvalidInputError, match="expected a checkpoint of an earlier run"):
        build_graph(["text"], extract, checkpoint=path)

    assert not extract.asked


@pytest.mark.parametrize(
    ("texts", "options", "message"),
    [
        ("a text", {}, "expected a list of texts"),
        ([""], {}, "expected non-empty texts"),
        ([3], {}, "expected non-empty texts"),
        ([Item(id="i", image="photo.png")], {}, "expected non-empty texts"),
        ([Item(id="i", text="a"), Item(id="i", text="b")], {}, "got 'i' for two texts"),
        (["text"], {"batch_size": 0}, "batch_size as a whole number of at least 1"),
        (["text"], {"concept_types": []}, "concept_types as a list of words"),
        (["text"], {"relation_types": "treats"}, "relation_types as a list of words"),
        (["text"], {"link": lambda names: names}, "expected a graph beside `link`"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_asked(texts: Any, options: Any, message: str) -> None:
    extract = Recorded({})
    with pytest.raises(InvalidInputError, match=message):
        build_graph(texts, extract, **options)

    assert not extract.asked


def test_an_extractor_must_answer_for_each_text() -> None:
    with pytest.raises(InvalidInputError, match="an answer for each of 2 texts, got 1"):
        build_graph(["one", "two"], lambda texts: [[]])


def test_the_schema_of_an_answer_holds_the_allowed_types() -> None:
    schema = triples_schema(concept_types=["drug", "symptom"], relation_types=["treats"])
    fields = schema["properties"]["triples"]["items"]["properties"]

    assert {name: field.get("enum") for name, field in fields.items()} == {
        "head": None,
        "head_type": ["drug", "symptom"],
        "relation": ["treats"],
        "tail": None,
        "tail_type": ["drug", "symptom"],
    }
