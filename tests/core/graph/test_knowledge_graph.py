import copy
import pickle

import pytest
from zeroshot_core.classification.label_vectors import label_graph
from zeroshot_core.construction import build_graph, cooccurrence_graph
from zeroshot_core.errors import InvalidInputError, UnknownConceptError
from zeroshot_core.evaluation import entity_linking
from zeroshot_core.evaluation.graph_completion import hold_out_relations
from zeroshot_core.graph import KnowledgeGraph, hold_out_synonyms
from zeroshot_core.types import Concept, Item, Relation

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


def test_alternative_ids_mean_concepts_and_leave_the_digest_as_it_is(graph, tmp_path):
    other = KnowledgeGraph(
        graph.concepts.values(), graph.relations, alternative_ids={"grippe:1": "flu", "OLD:2": "cough"}
    )
    assert other.digest == graph.digest == "81ae9f590629e4c1"
    assert other != graph
    assert [other.current_id(id_) for id_ in ("flu", "grippe:1", "old_2", "OLD:3", "")] == [
        "flu",
        "flu",
        "cough",
        None,
        None,
    ]
    other.to_jsonl(tmp_path / "graph.jsonl")
    assert KnowledgeGraph.from_jsonl(tmp_path / "graph.jsonl") == other
    assert KnowledgeGraph.from_networkx(other.to_networkx()) == other
    with pytest.raises(UnknownConceptError, match=r"got 2 unknown: 'old_2' \(now 'cough'\); 'x'"):
        other.require(["flu", "old_2", "x"])


def test_a_spelling_that_two_concepts_share_means_neither():
    concepts = [Concept(id=id_, name=id_) for id_ in ("http://a/X_1", "http://b/X_1", "X:2")]
    graph = KnowledgeGraph(concepts, alternative_ids={"X:1": "X:2"})
    assert graph.current_id("x:1") is None
    assert graph.current_id("X:1") == graph.current_id("x_2") == "X:2"


@pytest.mark.parametrize("alternative", [{"a": "nowhere"}, {"": "flu"}, {7: "flu"}, {"a": ["flu"]}])
def test_an_alternative_id_that_means_no_concept_is_refused(graph, alternative):
    with pytest.raises(InvalidInputError, match=r"got 1 wrong: alternative id .*, which is no concept"):
        KnowledgeGraph(graph.concepts.values(), alternative_ids=alternative)


@pytest.mark.parametrize("wrong", [{"id": "a\0b"}, {"id": "a\nb"}, {"type": "a\x1b[2J"}])
def test_control_characters_in_ids_and_types_are_refused(wrong):
    with pytest.raises(InvalidInputError, match="has a control character in its id or type") as caught:
        KnowledgeGraph([Concept(**{"id": "a", "name": "a", **wrong})])
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("wrong", [{"id": "a"}, None, "a", 3])
def test_what_is_no_record_is_refused(wrong):
    with pytest.raises(InvalidInputError, match="is no Concept"):
        KnowledgeGraph([wrong])
    with pytest.raises(InvalidInputError, match="is no Relation"):
        KnowledgeGraph([COUGH], [wrong])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"concepts": 3}, "expected concepts as a list of concepts, got 3"),
        ({"concepts": "ab"}, "expected concepts as a list of concepts, got one: 'ab'"),
        (
            {"concepts": {"a": Concept(id="a", name="a")}},
            "expected concepts as a list of concepts, got a dict",
        ),
        ({"relations": None}, "expected relations as a list of relations, got None"),
        ({"alternative_ids": [("a", "b")]}, "expected alternative_ids as a mapping"),
        ({"alternative_ids": {3: ["b"]}}, "alternative id 3 means .*, which is no concept"),
    ],
)
def test_what_holds_no_concepts_or_relations_is_refused(given, message):
    with pytest.raises(InvalidInputError, match=message):
        KnowledgeGraph(**given)


def test_a_graph_of_other_records_keeps_the_alternative_ids_of_the_concepts_that_stay():
    a, b, c = (Concept(id=id_, name=id_) for id_ in "abc")
    graph = KnowledgeGraph(
        [a, b],
        [Relation(head="a", type="t", tail="b")],
        alternative_ids={"old a": "a", "old b": "b", "c": "a"},
    )
    assert graph.replace(relations=()) == KnowledgeGraph([a, b], alternative_ids=graph.alternative_ids)
    assert graph.replace(concepts=[a, c], relations=()) == KnowledgeGraph(
        [a, c], alternative_ids={"old a": "a"}
    )
    assert graph.replace().relations == graph.relations


@pytest.mark.parametrize("ids", [3, None, [["a"]]])
def test_what_are_no_ids_is_refused(ids):
    with pytest.raises(InvalidInputError, match="expected a list of concept ids, which are texts, got"):
        KnowledgeGraph([Concept(id="a", name="a")]).require(ids)


def _extracted(texts):
    return [[{"head": "a", "head_type": "concept", "relation": "t", "tail": "new", "tail_type": "x"}]] * len(
        texts
    )


@pytest.mark.parametrize(
    "rebuild",
    [
        lambda graph: cooccurrence_graph(
            [Item(id=str(n), text="x", concepts=("a", "b")) for n in range(3)], graph
        ),
        lambda graph: build_graph(["a is new"], _extracted, graph=graph).graph,
        lambda graph: label_graph(["a", "new"], None, graph)[1],
        lambda graph: hold_out_relations(graph, "t", fraction=0.5)[0],
        lambda graph: hold_out_synonyms(graph, fraction=1.0)[0],
        lambda graph: entity_linking.hold_out_synonyms(graph, share=0.5, random_state=0).graph,
        lambda graph: entity_linking.without_concepts(graph, ["c"]),
        lambda graph: KnowledgeGraph.from_networkx(graph.to_networkx()),
    ],
)
def test_whatever_builds_on_a_graph_keeps_its_alternative_ids(rebuild):
    graph = KnowledgeGraph(
        [Concept(id=id_, name=id_, synonyms=(f"{id_} too",)) for id_ in "abc"],
        [Relation(head="a", type="t", tail="b"), Relation(head="b", type="t", tail="c")],
        alternative_ids={"old a": "a"},
    )
    assert rebuild(graph).alternative_ids == {"old a": "a"}
