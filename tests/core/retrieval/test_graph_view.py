from __future__ import annotations

import pytest
from zeroshot_core import Concept, InvalidInputError, Item, KnowledgeGraph, Relation, Retriever, VectorIndex
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.retrieval import GraphView


def chain(synonyms: tuple[str, ...] = ()) -> KnowledgeGraph:
    names = {"t:a": "Alpha", "t:b": "Beta", "t:c": "Gamma", "t:d": "Delta"}
    concepts = [
        Concept(id=id_, name=name, type="letter", synonyms=synonyms if id_ == "t:b" else ())
        for id_, name in names.items()
    ]
    return KnowledgeGraph(
        concepts,
        [
            Relation(head="t:c", type="before", tail="t:d"),
            Relation(head="t:a", type="before", tail="t:b", sources=("i1",)),
            Relation(head="t:b", type="before", tail="t:c"),
            Relation(head="t:b", type="like", tail="t:d", weight=2.0),
        ],
    )


@pytest.fixture(scope="module", params=["in memory", "in Milvus", "with synonyms"])
def view(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> GraphView:
    graph = chain(("second",) if request.param == "with synonyms" else ())
    encoder = HashEncoder(64)
    index = VectorIndex.connect(str(tmp_path_factory.mktemp("view") / "letters.db"))
    index.activate(index.build([Item(id="i1", text="the letter alpha")], encoder, graph))
    version = index.open(fingerprint=encoder.fingerprint)
    return GraphView(Retriever(version, encoder, "stored" if request.param == "in Milvus" else graph))


def ids(facts: list) -> list[tuple[str, str, str]]:
    return [(head.id, relation.type, tail.id) for head, relation, tail in facts]


def test_concepts_are_found_by_id_in_the_order_asked(view: GraphView) -> None:
    assert [concept.id for concept in view.concepts(["t:c", "nowhere", "t:a"])] == ["t:c", "t:a"]


def test_concepts_are_found_by_name_whatever_the_case(view: GraphView) -> None:
    if len(view._retriever.graph):
        assert [concept.id for concept in view.concepts(["BETA", " delta", "t:b"])] == ["t:b", "t:d"]


def test_facts_are_found_by_their_ends_and_their_type(view: GraphView) -> None:
    assert ids(view.facts(["t:b"])) == [
        ("t:a", "before", "t:b"),
        ("t:b", "before", "t:c"),
        ("t:b", "like", "t:d"),
    ]
    assert ids(view.facts(["t:b"], ["like"])) == [("t:b", "like", "t:d")]
    assert ids(view.facts(["t:b"], attributes={"sources": ["i1"]})) == [("t:a", "before", "t:b")]


def test_what_lies_around_comes_nearest_first_and_is_cut_at_the_limit(view: GraphView) -> None:
    near, far = ("t:a", "before", "t:b"), [("t:b", "before", "t:c"), ("t:b", "like", "t:d")]
    assert ids(view.around(["t:a"], n_hops=1, limit=30)) == [near]
    assert ids(view.around(["t:a"], n_hops=2, limit=30)) == [near, *far]
    assert ids(view.around(["t:a"], n_hops=3, limit=30)) == [near, *far, ("t:c", "before", "t:d")]
    assert ids(view.around(["t:a"], n_hops=3, limit=2)) == [near, far[0]]
    assert ids(view.around(["t:a"], n_hops=3, limit=9, without=["like"])) == [
        near,
        far[0],
        ("t:c", "before", "t:d"),
    ]


def test_the_nearest_concepts_come_from_the_index(view: GraphView) -> None:
    (concept, score), *_ = view.nearest(top_k=2, text="Gamma")
    assert (concept.id, score > 0.9) == ("t:c", True)
    vector = HashEncoder(64).encode(["Gamma"], role="query")[0].tolist()
    assert view.nearest(top_k=1, vector=vector)[0][0].id == "t:c"
    with pytest.raises(InvalidInputError, match="vector or a text"):
        view.nearest(top_k=1)
    with pytest.raises(InvalidInputError, match="64 dimensions, got 2"):
        view.nearest(top_k=1, vector=[1.0, 0.0])


def test_the_sources_of_facts_are_read_as_items(view: GraphView) -> None:
    assert [item.text for item in view.items(["i1", "i2"])] == ["the letter alpha"]


def test_the_whole_graph_is_read_where_it_is_in_memory(view: GraphView) -> None:
    if len(view._retriever.graph):
        assert len(view.concepts()) == 4
        assert ids(view.facts(types=["like"])) == [("t:b", "like", "t:d")]
        assert [concept.id for concept in view.concepts(attributes={"name": "Gamma"})] == ["t:c"]
    else:
        with pytest.raises(InvalidInputError, match="the graph stays in Milvus; name the concepts"):
            view.facts(types=["like"])
