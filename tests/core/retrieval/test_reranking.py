from __future__ import annotations

import pytest
from zeroshot_core import InvalidInputError, Item, KnowledgeGraph, Retriever, VectorIndex
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.retrieval import rerank

QUERY = "dry red wine"
ITEMS = [
    Item(id="merlot", text="dry red merlot from Veneto", concepts=("kind:wine",)),
    Item(id="cider", text="dry cider", concepts=("kind:cider",)),
    Item(id="kibble", text="kibble for dogs in a red bag, dry", concepts=("kind:dog food",)),
    Item(id="wine glass", text="red wine glass", concepts=("kind:tableware",)),
]


@pytest.fixture(scope="module")
def retriever(tmp_path_factory: pytest.TempPathFactory) -> Retriever:
    rows = [
        {"kind": "wine", "aisle": "drinks"},
        {"kind": "cider", "aisle": "drinks"},
        {"kind": "dog food", "aisle": "pets"},
        {"kind": "tableware", "aisle": "home"},
    ]
    graph = KnowledgeGraph.from_table(rows, ["kind", "aisle"], edges=[("kind", "aisle")])
    encoder = HashEncoder(256)
    index = VectorIndex.connect(str(tmp_path_factory.mktemp("rerank") / "shop.db"))
    index.activate(index.build(ITEMS, encoder, graph))
    return Retriever(index.open(fingerprint=encoder.fingerprint), encoder, graph)


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_indexed_items_get_the_score_and_path_that_retrieval_gives_them(
    retriever: Retriever, weight: float
) -> None:
    found = {hit.id: hit for hit in retriever.retrieve([QUERY], graph_weight=weight)[0]}
    bare = [Item(id=item.id, text=item.text) for item in reversed(ITEMS)]
    for hit in rerank(retriever, QUERY, bare, graph_weight=weight):
        assert hit.score == pytest.approx(found[hit.id].score, abs=1e-6)
        assert (hit.path, hit.concepts) == (found[hit.id].path, found[hit.id].concepts)


def test_the_order_is_by_score_and_cut_at_top_k(retriever: Retriever) -> None:
    hits = rerank(retriever, QUERY, ITEMS)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert rerank(retriever, QUERY, ITEMS, top_k=2) == hits[:2]


def test_a_text_that_is_not_indexed_is_linked_by_its_nearest_concepts(retriever: Retriever) -> None:
    strangers = [Item(id="a", text="dog food"), Item(id="b", text="wine of the house")]
    best, last = rerank(retriever, QUERY, strangers, graph_weight=1.0)
    assert (best.id, best.concepts[0]) == ("b", "kind:wine")
    assert best.score > last.score
    assert [step.tail for step in best.path] == ["kind:wine", "kind:wine"]


def test_an_id_of_the_index_with_another_text_is_a_stranger(retriever: Retriever) -> None:
    (hit,) = rerank(retriever, QUERY, [Item(id="merlot", text="dog food for old dogs")])
    assert hit.concepts[0] == "kind:dog food"
    assert hit.text == "dog food for old dogs"


def test_nothing_stays_nothing_and_wrong_parameters_are_refused(retriever: Retriever) -> None:
    assert rerank(retriever, QUERY, []) == []
    with pytest.raises(InvalidInputError, match="graph_weight as a number from 0 to 1"):
        rerank(retriever, QUERY, ITEMS, graph_weight=2.0)
    with pytest.raises(InvalidInputError, match="expected query 0 as a text that is not empty"):
        rerank(retriever, " ", ITEMS)
