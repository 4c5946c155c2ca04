from xml.etree import ElementTree

import networkx as nx
import pytest
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.retrieval import graph_to_html, hits_to_graph
from zeroshot_core.types import Concept, Hit, Relation

GRAPH = KnowledgeGraph(
    [Concept(id="aspirin", name="Aspirin"), Concept(id="pain", name="Pain")],
    [Relation(head="aspirin", type="helps", tail="pain", sources=("a", "b"))],
)
MENTION = Relation(head="query", type="mentions", tail="aspirin", weight=0.5)
ITEM = Hit(
    id="pain",  # as the concept
    kind="item",
    score=0.8,
    text="<script>alert('a leaflet & more')</script>",
    parts={"vector": 0.7, "graph": 0.9, "lexical": 0.1},
    path=(MENTION, *GRAPH.relations, Relation(head="pain", type="about", tail="pain")),
)
NEAR = Hit(id="other", kind="item", score=0.3, text="other", parts={"vector": 0.3, "graph": 0.0})
CONCEPT = Hit(id="pain", kind="concept", score=0.4, text="Pain", path=(MENTION, *GRAPH.relations))


def test_nodes_and_relations_of_the_paths_are_the_graph():
    drawn = hits_to_graph([ITEM, NEAR], GRAPH)
    assert set(drawn.edges(keys=True)) == {
        ("query:query", "concept:aspirin", "mentions"),
        ("concept:aspirin", "concept:pain", "helps"),
        ("item:pain", "concept:pain", "about"),
        ("query:query", "item:other", "near"),
    }
    assert drawn.nodes["item:pain"] == {
        "kind": "item",
        "id": "pain",
        "text": ITEM.text,
        "score": 0.8,
        "score_vector": 0.7,
        "score_graph": 0.9,
        "score_lexical": 0.1,
    }
    assert drawn.nodes["concept:aspirin"]["text"] == "Aspirin"
    edge = drawn.edges["concept:aspirin", "concept:pain", "helps"]
    assert (edge["weight"], edge["sources"]) == (1.0, "a|b")


def test_a_concept_that_was_found_and_is_on_a_path_is_one_node():
    drawn = hits_to_graph([CONCEPT, ITEM])
    assert drawn.nodes["concept:pain"]["score"] == 0.4
    assert len(drawn) == 4
    assert hits_to_graph([ITEM, CONCEPT]).nodes["concept:pain"]["score"] == 0.4


def test_graphml_gives_the_same_graph_back(tmp_path):
    drawn = hits_to_graph([ITEM, NEAR], GRAPH)
    nx.write_graphml(drawn, tmp_path / "hits.graphml")
    again = nx.read_graphml(tmp_path / "hits.graphml", force_multigraph=True)
    assert dict(again.nodes(data=True)) == dict(drawn.nodes(data=True))
    assert sorted(again.edges(keys=True)) == sorted(drawn.edges(keys=True))


def test_a_picture_stands_alone_and_runs_nothing():
    page = graph_to_html(hits_to_graph([ITEM, NEAR], GRAPH))
    assert "<script" not in page
    assert "http" not in page
    picture = ElementTree.fromstring(page[page.index("<svg") : page.index("</svg>") + 6])
    texts = {text for node in picture.iter() if (text := (node.text or "").strip())}
    assert {"Aspirin", "mentions", ITEM.text, "other (0.30)", "helps 1.00 a|b"} <= texts
    assert len(list(picture.iter("circle"))) == 5
    assert "<svg" in graph_to_html(hits_to_graph([]))


def test_what_is_no_hit_is_refused():
    with pytest.raises(InvalidInputError, match="Hit"):
        hits_to_graph(["leaflet"])
