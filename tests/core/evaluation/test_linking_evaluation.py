import pytest
from zeroshot_core.errors import UnknownConceptError
from zeroshot_core.evaluation.entity_linking import (
    hold_out_synonyms,
    match_strings,
    without_concepts,
)
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.types import Concept, Relation

GRAPH = KnowledgeGraph(
    [Concept(id=f"c{n}", name=f"name {n}", synonyms=(f"first {n}", f"second {n}")) for n in range(20)],
    [Relation(head=f"c{n}", type="is_a", tail=f"c{n + 1}") for n in range(19)],
)


def test_synonyms_are_held_out_by_seed_and_all_concepts_stay():
    held_out = hold_out_synonyms(GRAPH, share=0.25, random_state=0)
    assert len(held_out.texts) == 10
    for text, id_ in zip(held_out.texts, held_out.concepts, strict=True):
        assert text in GRAPH.concepts[id_].synonyms
        assert text not in held_out.graph.concepts[id_].synonyms
    assert sum(len(concept.synonyms) for concept in held_out.graph.concepts.values()) == 30
    assert held_out.graph.concept_ids == GRAPH.concept_ids
    assert held_out.graph.relations == GRAPH.relations
    assert hold_out_synonyms(GRAPH, share=0.25, random_state=0) == held_out
    assert hold_out_synonyms(GRAPH, share=0.25, random_state=1) != held_out


def test_concepts_leave_with_their_relations():
    rest = without_concepts(GRAPH, ["c3", "c19"])
    assert len(rest) == 18
    assert {("c2", "c3"), ("c3", "c4"), ("c18", "c19")}.isdisjoint((r.head, r.tail) for r in rest.relations)
    assert len(rest.relations) == 16
    with pytest.raises(UnknownConceptError):
        without_concepts(GRAPH, ["c20"])


def test_strings_match_but_for_case_punctuation_and_plural():
    assert match_strings(GRAPH, ["First-3s", "FIRST 3", "third 3"]) == [[], ["c3"], []]
    plural = KnowledgeGraph([Concept(id="a", name="Skin rash"), Concept(id="b", name="skin rashs")])
    assert match_strings(plural, ["skin, RASH", "skin rashs"]) == [["a", "b"], ["a", "b"]]
