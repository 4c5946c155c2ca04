import copy
import pickle

import pytest
from zeroshot_core.errors import InvalidInputError, UnknownConceptError
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.types import Concept, Relation

FLU = Concept(
    id="flu", name="Influenza", type="disease", synonyms=("grippe",), description="A viral infection."
)
COUGH = Concept(id="cough", name="Cough", type="symptom")
FEVER = Concept(id="fever", name="Fever", type="symptom")
HAS_COUGH = Relation(head="flu", type="has", tail="cough", weight=0.5)
HAS_FEVER = Relation(head="flu", type="has", tail="fever")


@pytest.fixture
def graph():
    return KnowledgeGraph([FLU, COUGH, FEVER], [HAS_COUGH, HAS_FEVER])


def test_concepts_keep_their_order_and_rows(graph):
    assert list(graph.concepts) == ["flu", "cough", "fever"] == list(graph.concept_ids)
    assert graph.positions["fever"] == 2
    assert graph.relations == (HAS_COUGH, HAS_FEVER)
    assert (graph.types, graph.relation_types) == (("disease", "symptom"), ("has",))
    assert "flu" in graph
    assert len(graph) == 3


def test_contents_cannot_be_changed_through_the_mappings(graph):
    with pytest.raises(TypeError):
        graph.concepts["new"] = COUGH
    with pytest.raises(TypeError):
        graph.positions["flu"] = 2


def test_digest_ignores_order(graph):
    shuffled = KnowledgeGraph([FEVER, FLU, COUGH], [HAS_FEVER, HAS_COUGH])
    assert shuffled.digest == graph.digest
    assert shuffled == graph
    assert hash(shuffled) == hash(graph)
    assert len(graph.digest) == 16
    int(graph.digest, 16)


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "Flu"},
        {"type": "illness"},
        {"synonyms": ()},
        {"synonyms": ("grippe", "flu")},
        {"description": ""},
    ],
)
def test_digest_covers_every_field_of_a_concept(graph, changed):
    other = Concept(**{**vars(FLU), **changed})
    assert KnowledgeGraph([other, COUGH, FEVER], graph.relations) != graph


@pytest.mark.parametrize(
    "changed", [{"type": "may_have"}, {"weight": 0.25}, {"head": "cough", "tail": "flu"}]
)
def test_digest_covers_every_field_of_a_relation(graph, changed):
    other = Relation(**{**vars(HAS_COUGH), **changed})
    assert KnowledgeGraph([FLU, COUGH, FEVER], [other, HAS_FEVER]) != graph


def test_pickling_and_copying_keep_the_graph_and_a_clone_is_itself(graph):
    assert pickle.loads(pickle.dumps(graph)) == graph
    assert copy.deepcopy(graph).concepts == graph.concepts
    assert graph.__sklearn_clone__() is graph


def test_an_empty_graph_is_still_a_graph():
    assert bool(KnowledgeGraph()) is True
    assert KnowledgeGraph().digest != ""


def test_one_error_counts_every_problem_and_lists_the_first_five():
    concepts = [
        Concept(id="a", name=" "),
        Concept(id="", name="b"),
        Concept(id="c", name="c"),
        Concept(id="c", name="c"),
    ]
    relations = [
        Relation(head="a", type="t", tail="nowhere"),
        Relation(head="a", type="t", tail="c", weight=float("nan")),
        Relation(head="a", type="t", tail="c"),
        Relation(head="a", type="", tail="c", weight=0.0),
    ]
    with pytest.raises(InvalidInputError) as caught:
        KnowledgeGraph(concepts, relations)
    message = str(caught.value)
    assert "got 8 wrong" in message
    assert "concept id='a' name=' '" in message
    assert "'c' is given twice" in message
    assert "unknown concept 'nowhere'" in message
    assert "and 3 more" in message
    assert "mend or drop" in message


@pytest.mark.parametrize("weight", [0, -1.0, float("inf"), float("nan"), "1"])
def test_a_weight_that_is_not_finite_and_above_zero_is_refused(weight):
    with pytest.raises(InvalidInputError, match=r"got 1 wrong.*has weight"):
        KnowledgeGraph([FLU, COUGH], [Relation(head="flu", type="has", tail="cough", weight=weight)])


def test_synonyms_given_as_one_string_are_refused():
    with pytest.raises(InvalidInputError, match="synonyms 'grippe', not a tuple"):
        KnowledgeGraph([Concept(id="flu", name="flu", synonyms="grippe")])


def test_require_lists_the_first_unknown_ids(graph):
    graph.require(["flu", "fever"])
    with pytest.raises(
        UnknownConceptError, match=r"graph's 3 concepts, got 7 unknown: 'x0'.*'x4'; and 2 more"
    ):
        graph.require(["flu", *(f"x{i}" for i in range(7)), "x0"])
