import pandas as pd
import pytest
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph import KnowledgeGraph, table_concepts
from zeroshot_core.types import Concept, Relation

RELATIONS = "head,type,tail,weight,sources\nflu,has,fever,0.5,PMID:1|PMID:2\nflu,has,cough,,\n"
CONCEPTS = """\
id,name,type,synonyms,description
flu,Influenza,disease,grippe|flu virus,
fever,Fever,symptom,,Hot.
cough,,,,
"""
GRAPH = KnowledgeGraph(
    [
        Concept(id="flu", name="Influenza", type="disease", synonyms=("grippe", "flu virus")),
        Concept(id="fever", name="Fever", type="symptom", description="Hot."),
        Concept(id="cough", name="cough"),
    ],
    [
        Relation(head="flu", type="has", tail="fever", weight=0.5, sources=("PMID:1", "PMID:2")),
        Relation(head="flu", type="has", tail="cough"),
    ],
)


@pytest.fixture
def files(tmp_path):
    (tmp_path / "relations.csv").write_text(RELATIONS)
    (tmp_path / "concepts.csv").write_text(CONCEPTS)
    return tmp_path / "relations.csv", tmp_path / "concepts.csv"


def test_frames_and_files_of_the_same_columns_give_the_same_graph(files):
    assert KnowledgeGraph.from_csv(*files) == GRAPH
    assert KnowledgeGraph.from_pandas(*map(pd.read_csv, files)) == GRAPH


def test_a_frame_may_hold_lists_and_numbers_as_ids_and_stays_as_it_is():
    frame = pd.DataFrame(
        {"head": [1], "type": ["t"], "tail": [2], "sources": [["a", "b"]], "tail_type": ["x"]}
    )
    before = frame.copy(deep=True)
    graph = KnowledgeGraph.from_pandas(frame)
    assert graph.relations == (Relation(head="1", type="t", tail="2", sources=("a", "b")),)
    assert graph.concepts["2"].type == "x"
    pd.testing.assert_frame_equal(frame, before)


def test_relations_to_concepts_that_are_not_listed_are_refused(files):
    with pytest.raises(InvalidInputError, match="ends at unknown concept 'cough'"):
        KnowledgeGraph.from_pandas(pd.read_csv(files[0]), pd.read_csv(files[1]).head(2))


def test_damaged_rows_give_one_error_with_count_and_numbers():
    frame = pd.DataFrame({"head": ["a", None, "a"], "type": "t", "tail": "b", "weight": ["1", "1", "heavy"]})
    with pytest.raises(
        InvalidInputError, match=r"relations: .*got 2 damaged: row 1: .*filled; row 2: .*'heavy'"
    ):
        KnowledgeGraph.from_pandas(frame)


def test_missing_columns_are_named(files):
    with pytest.raises(
        InvalidInputError, match=r"expected columns head, type, tail, got none for \['tail'\]"
    ):
        KnowledgeGraph.from_pandas(pd.DataFrame({"head": ["a"], "type": ["b"]}))
    with pytest.raises(InvalidInputError, match=r"expected columns id, got none for \['id'\]"):
        KnowledgeGraph.from_csv(files[0], files[0])


def test_the_columns_of_a_frame_become_concepts_as_those_of_rows_do():
    rows = [{"brand": "Acme", "kind": "bread"}, {"brand": None, "kind": "cake"}]
    frame = pd.DataFrame(rows)
    edges = [("brand", "kind")]
    assert KnowledgeGraph.from_table(frame, ["brand", "kind"], edges) == KnowledgeGraph.from_table(
        rows, ["brand", "kind"], edges
    )
    assert table_concepts(frame, ["brand", "kind"]) == [("brand:Acme", "kind:bread"), ("kind:cake",)]


@pytest.mark.parametrize("value", [None, 3, "head,type,tail", [("a", "is_a", "b")]])
def test_what_is_no_frame_is_refused(value):
    with pytest.raises(InvalidInputError, match="expected relations as a pandas frame, got "):
        KnowledgeGraph.from_pandas(value)
