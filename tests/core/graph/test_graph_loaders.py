import time

import networkx as nx
import pytest
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.types import Concept, Relation


@pytest.fixture
def graph():
    concepts = [
        Concept(id="a", name="Ärger\n\u2028", type="x", synonyms=("s", "t"), description="d"),
        Concept(id="b", name="b\U0001f377\x07"),
    ]
    relations = [
        Relation(head="a", type="t", tail="b", weight=0.1 + 0.2),
        Relation(head="a", type="u", tail="b"),
        Relation(head="b", type="t", tail="a", weight=7.0),
    ]
    return KnowledgeGraph(concepts, relations)


def test_json_lines_round_trip_exactly(graph, tmp_path):
    graph.to_jsonl(tmp_path / "graph.jsonl")
    again = KnowledgeGraph.from_jsonl(tmp_path / "graph.jsonl")
    assert list(again.concepts.values()) == list(graph.concepts.values())
    assert again.relations == graph.relations
    assert again.digest == graph.digest


def test_lone_surrogates_are_read_as_replacement_characters_with_a_count(tmp_path):
    bad, good = "x\ud800", "x\ufffd"
    repaired = r"of 4 concepts, relations and alternative ids hold lone surrogates"

    def made(text, other="a"):
        return KnowledgeGraph(
            [
                Concept(id=other, name="n", synonyms=("s", text)),
                Concept(id=text, name=text, description=text),
            ],
            [Relation(head=other, type="t", tail=text, sources=(text,))],
            alternative_ids={f"old {text}": text},
        )

    wanted = made(good)
    with pytest.warns(UserWarning, match=f"4 {repaired}") as warned:
        assert made(bad) == wanted
    assert [each.filename for each in warned] == [__file__]
    assert wanted.alternative_ids == {"old x\ufffd": "x\ufffd"}
    wanted.to_jsonl(tmp_path / "graph.jsonl")
    path = tmp_path / "bad.jsonl"
    path.write_text((tmp_path / "graph.jsonl").read_text().replace("\\ufffd", "\\ud800"))
    with pytest.warns(UserWarning, match=f"4 {repaired}"):
        assert KnowledgeGraph.from_jsonl(path) == wanted
    g = nx.DiGraph()
    g.add_edge(bad, "b", sources=[bad])
    with pytest.warns(UserWarning, match=r"2 of 3 concepts, relations and alternative ids hold"):
        assert list(KnowledgeGraph.from_networkx(g).concepts) == [good, "b"]
    with pytest.warns(UserWarning, match="2 of 2"), pytest.raises(InvalidInputError, match="is given twice"):
        KnowledgeGraph([Concept(id="\ud800", name="a"), Concept(id="\udfff", name="b")])


def test_a_pair_of_surrogates_is_the_character_that_it_stands_for():
    with pytest.warns(UserWarning, match="1 of 1"):
        graph = KnowledgeGraph([Concept(id="a", name="\ud83c\udf77")])
    assert graph.concepts["a"].name == "\U0001f377"


def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(graph, tmp_path, monkeypatch):
    path = tmp_path / "graph.jsonl"
    graph.to_jsonl(path)
    before = path.read_bytes()

    def full_disk(path, target):
        raise OSError("no space left")

    monkeypatch.setattr("pathlib.Path.replace", full_disk)
    with pytest.raises(OSError, match="no space"):
        KnowledgeGraph([Concept(id="z", name="z")]).to_jsonl(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_networkx_round_trips_exactly(graph):
    g = graph.to_networkx()
    assert isinstance(g, nx.MultiDiGraph)
    assert g.nodes["a"] == {"name": "Ärger\n\u2028", "type": "x", "synonyms": ("s", "t"), "description": "d"}
    assert KnowledgeGraph.from_networkx(g) == graph


def test_a_plain_networkx_graph_gets_defaults():
    g = nx.Graph()
    g.add_edge(1, "b", weight=2.5)
    graph = KnowledgeGraph.from_networkx(g)
    assert list(graph.concepts.values()) == [Concept(id="1", name="1"), Concept(id="b", name="b")]
    assert graph.relations == (Relation(head="1", type="related", tail="b", weight=2.5),)


def test_networkx_nodes_that_become_the_same_id_are_refused():
    g = nx.Graph()
    g.add_nodes_from([1, "1"])
    with pytest.raises(InvalidInputError, match="'1' is given twice"):
        KnowledgeGraph.from_networkx(g)


def test_an_edge_list_gives_typed_concepts_and_weights(tmp_path):
    path = tmp_path / "edges.csv"
    path.write_text(
        "\ufeffhead,type,tail,weight,head_type,tail_type\nflu,has,cough,0.5,disease,symptom\nflu,has,fever,,,\n",
        encoding="utf-8",
    )
    graph = KnowledgeGraph.from_csv(path)
    assert list(graph.concepts.values()) == [
        Concept(id="flu", name="flu", type="disease"),
        Concept(id="cough", name="cough", type="symptom"),
        Concept(id="fever", name="fever"),
    ]
    assert graph.relations == (
        Relation(head="flu", type="has", tail="cough", weight=0.5),
        Relation(head="flu", type="has", tail="fever"),
    )


def test_an_edge_list_without_optional_columns_is_enough(tmp_path):
    path = tmp_path / "edges.csv"
    path.write_text('head,type,tail\n"a, b",is_a,c\n')
    assert KnowledgeGraph.from_csv(path).relations == (Relation(head="a, b", type="is_a", tail="c"),)


def test_damaged_csv_lines_give_one_error_with_count_and_line_numbers(tmp_path):
    path = tmp_path / "edges.csv"
    path.write_text(
        "head,type,tail,weight,head_type\na,t,b,1,x\na,,b,1,x\na,t,c,heavy,x\na,t,b,1,y\na,t,b,1,x,extra,more\n"
    )
    with pytest.raises(InvalidInputError) as caught:
        KnowledgeGraph.from_csv(path)
    message = str(caught.value)
    assert "got 4 damaged" in message
    assert "line 3: expected as many cells" in message
    assert "line 4: expected a weight that is a number, got 'heavy'" in message
    assert "line 5: 'a' is of type 'x' above and 'y' here" in message
    assert "line 6" in message


def test_damaged_json_lines_give_one_error_with_count_and_line_numbers(tmp_path):
    path = tmp_path / "graph.jsonl"
    lines = [
        '{"concept": {"id": "a", "name": "a"}}',
        "{not json",
        '{"concept": {"id": "a"}}',
        '{"concept": {"id": "b", "name": "b", "synonyms": "s"}}',
        '{"relation": {"head": "a", "typ": "t", "tail": "a"}}',
        '{"concept": 3}',
        "[]",
    ]
    path.write_text("\n".join(lines))
    with pytest.raises(InvalidInputError, match=r"got 6 damaged: line 2: .*; line 3: .*; line 6: .*; mend"):
        KnowledgeGraph.from_jsonl(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"head,tail\na,b\n", r"expected columns head, type, tail, got none for \['type'\]"),
        (b"", r"got none for \['head', 'type', 'tail'\]"),
        (b"head,type,tail\n\xff\xfe,t,b\n", "expected a readable UTF-8 file"),
        (b'head,type,tail\na,t,"b\n', "expected CSV, got"),
    ],
)
def test_an_unreadable_edge_list_is_refused(tmp_path, content, message):
    path = tmp_path / "edges.csv"
    path.write_bytes(content)
    with pytest.raises(InvalidInputError, match=message):
        KnowledgeGraph.from_csv(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InvalidInputError, match=r"nowhere\.jsonl"):
        KnowledgeGraph.from_jsonl(tmp_path / "nowhere.jsonl")


def test_unknown_ends_in_a_file_are_refused(tmp_path):
    path = tmp_path / "graph.jsonl"
    path.write_text('{"relation": {"head": "a", "type": "t", "tail": "b"}}\n')
    with pytest.raises(InvalidInputError, match=r"got 2 wrong.*unknown concept 'a'"):
        KnowledgeGraph.from_jsonl(path)


def test_two_hundred_thousand_relations_load_within_a_fifth_of_a_minute(tmp_path):
    path = tmp_path / "edges.csv"
    with path.open("w") as file:
        file.write("head,type,tail\n")
        file.writelines(f"c{i},is_a,c{i // 2}\n" for i in range(1, 200_001))
    start = time.process_time()
    graph = KnowledgeGraph.from_csv(path)
    assert len(graph.relations) == 200_000
    assert time.process_time() - start < 12


def test_edges_of_networkx_keep_the_type_that_any_common_attribute_names():
    g = nx.MultiDiGraph()
    nan = float("nan")
    g.add_edge("a", "b", type=3, sources=["x", 7])
    g.add_edge("a", "b", relation="likes", weight=2)
    g.add_edge("a", "b", predicate="knows", type=nan, relation=None)
    g.add_edge("a", "b", label="sees", sources=nan)
    g.add_edge("a", "b", key="by key")
    g.add_edge("a", "b")
    g.add_edge("a", "b", weight=5, sources="y")
    g.add_node("a", name=nan, description=None, type=None, synonyms=[1, None, "s"])
    g.add_node("b", name=7)
    graph = KnowledgeGraph.from_networkx(g)
    assert list(graph.concepts.values()) == [
        Concept(id="a", name="a", synonyms=("1", "s")),
        Concept(id="b", name="7"),
    ]
    assert [(edge.type, edge.weight, edge.sources) for edge in graph.relations] == [
        ("3", 1.0, ("x", "7")),
        ("likes", 2.0, ()),
        ("knows", 1.0, ()),
        ("sees", 1.0, ()),
        ("by key", 1.0, ()),
        ("related", 5.0, ("y",)),
    ]


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"type": ["a"]}, r"expected type as a text, got \['a'\]"),
        ({"weight": "heavy"}, "expected a weight that is a number, got 'heavy'"),
        ({"weight": 10**400}, "expected a weight that is a number, got 1000"),
        ({"weight": float("nan")}, "has weight nan"),
        ({"sources": {"a"}}, "expected a list of sources"),
        ({"type": "a\0b"}, r"has type 'a\\x00b'"),
    ],
)
def test_edges_of_networkx_that_say_nothing_sensible_are_refused(attributes, message):
    g = nx.DiGraph()
    g.add_edge("a", "b", **attributes)
    with pytest.raises(InvalidInputError, match=message):
        KnowledgeGraph.from_networkx(g)


@pytest.mark.parametrize("wrong", [None, [("a", "b")], {"a": "b"}])
def test_what_is_no_networkx_graph_is_refused(wrong):
    with pytest.raises(InvalidInputError, match="expected a networkx graph, got "):
        KnowledgeGraph.from_networkx(wrong)
