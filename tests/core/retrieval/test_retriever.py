from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from zeroshot_core.encoders import FunctionEncoder
from zeroshot_core.errors import FingerprintMismatchError, InvalidInputError, UnknownConceptError
from zeroshot_core.graph import KnowledgeGraph, table_concepts
from zeroshot_core.index import Condition, VectorIndex
from zeroshot_core.retrieval import Retriever, hit_in_words
from zeroshot_core.types import Concept, Item, Relation

# Two dimensions, so that every score can be worked out on paper.
VECTORS = {
    "query": [1.0, 0.0],
    "near": [0.8, 0.6],
    "nearer": [0.96, 0.28],
    "far": [0.0, 1.0],
    "behind": [-1.0, 0.0],
    "Fruit": [0.6, 0.8],
    "Apple": [1.0, 0.0],
    "Stone": [-0.6, 0.8],
}
FRUIT, APPLE, STONE = (
    Concept(id=name.lower(), name=name, type="thing") for name in ("Fruit", "Apple", "Stone")
)
IS_A = Relation(head="apple", type="is_a", tail="fruit")


@pytest.fixture(scope="module")
def encoder():
    return FunctionEncoder(
        lambda texts: [VECTORS[text] for text in texts], name="paper", dimension=2, fingerprint="0" * 16
    )


@pytest.fixture(scope="module")
def graph():
    return KnowledgeGraph([FRUIT, APPLE, STONE], [IS_A])


@pytest.fixture(scope="module")
def version(encoder, graph, tmp_path_factory):
    items = [
        Item(id="near", text="near", concepts=("stone",), metadata={"price": 1}),
        Item(id="nearer", text="nearer"),
        Item(id="far", text="far", concepts=("fruit",), metadata={"price": 2}),
        Item(id="behind", text="behind", concepts=("apple", "fruit"), metadata={"price": 3}),
    ]
    index = VectorIndex.connect(str(tmp_path_factory.mktemp("index") / "paper.db"))
    index.activate(index.build(items, encoder, graph))
    yield index.open(fingerprint=encoder.fingerprint)
    index.close()


@pytest.fixture
def retriever(version, encoder, graph):
    return Retriever(version, encoder, graph, top_k=4)


def test_without_graph_weight_ranking_and_scores_are_those_of_the_vector_search(retriever, version, encoder):
    (hits,) = retriever.retrieve(["query"], graph_weight=0)
    found = version.search_items(encoder.encode(["query"]), 4)
    assert [hit.id for hit in hits] == found.ids[0] == ["nearer", "near", "far", "behind"]
    assert [hit.score for hit in hits] == found.scores[0].tolist()
    assert all(hit.parts == {"vector": hit.score, "graph": 0.0} and hit.path == () for hit in hits)


def test_without_a_graph_only_vectors_count(version, encoder, retriever):
    bare = Retriever(version, encoder, top_k=4)
    assert bare.retrieve(["query"]) == retriever.retrieve(["query"], graph_weight=0)


def test_scores_of_an_item_query_are_as_worked_out_by_hand(version, encoder, graph):
    retriever = Retriever(version, encoder, graph, graph_weight=0.5, n_hops=1, decay=0.5)
    (hits,) = retriever.retrieve([Item(id="q", text="query", concepts=("apple",))])
    # Activation: apple 1, fruit .5; its length is sqrt(1.25).
    graph_part = {"nearer": 0.0, "near": 0.0, "far": 0.5 / np.sqrt(1.25), "behind": 1.5 / np.sqrt(2.5)}
    vector_part = {"nearer": 0.96, "near": 0.8, "far": 0.0, "behind": -1.0}
    assert [hit.id for hit in hits] == ["nearer", "near", "far", "behind"]
    for hit in hits:
        assert hit.parts["vector"] == pytest.approx(vector_part[hit.id], abs=1e-6)
        assert hit.parts["graph"] == pytest.approx(graph_part[hit.id])
        assert hit.score == pytest.approx((vector_part[hit.id] + graph_part[hit.id]) / 2, abs=1e-6)


def test_full_graph_weight_ranks_by_the_graph_with_ties_by_id(retriever):
    (hits,) = retriever.retrieve([Item(id="q", text="query", concepts=("apple",))], graph_weight=1)
    assert [hit.id for hit in hits] == ["behind", "far", "near", "nearer"]
    assert [hit.score for hit in hits[2:]] == [0, 0]


def test_items_that_the_vector_search_misses_are_found_through_their_concepts(retriever):
    query = Item(id="q", text="query", concepts=("apple",))
    # One hit and three candidates: the fourth by vector comes in through its concept.
    (hits,) = retriever.retrieve([query], top_k=1, graph_weight=0.9)
    assert [hit.id for hit in hits] == ["behind"]
    assert hits[0].parts["vector"] == pytest.approx(-1, abs=1e-6)


def test_every_path_leads_from_the_query_over_relations_to_the_item(retriever):
    (hits,) = retriever.retrieve([Item(id="q", text="query", concepts=("apple",))])
    paths = {hit.id: hit.path for hit in hits}
    mention = Relation(head="query", type="mentions", tail="apple")
    assert paths["behind"] == (mention, Relation(head="behind", type="thing", tail="apple"))
    assert paths["far"] == (mention, IS_A, Relation(head="far", type="thing", tail="fruit"))
    assert paths["near"] == paths["nearer"] == ()


def test_of_equal_paths_the_one_over_the_narrower_type_is_shown(encoder, tmp_path):
    rows = [{"department": "Fruit", "kind": "Apple"}, {"department": "Fruit", "kind": "Stone"}]
    graph = KnowledgeGraph.from_table(rows, ["department", "kind"], edges=[("kind", "department")])
    concepts = table_concepts(rows[:1], ["department", "kind"])[0]
    assert concepts == ("department:Fruit", "kind:Apple")
    index = VectorIndex.connect(str(tmp_path / "narrow.db"))
    index.activate(index.build([Item(id="near", text="near", concepts=concepts)], encoder, graph))
    retriever = Retriever(index.open(fingerprint=encoder.fingerprint), encoder, graph)
    (hits,) = retriever.retrieve([Item(id="q", text="query", concepts=concepts)])
    assert [step.tail for step in hits[0].path] == ["kind:Apple", "kind:Apple"]
    index.close()


def test_a_text_mentions_its_nearest_concepts_by_softmax(retriever):
    (hits,) = retriever.retrieve(["query"], graph_weight=1)
    far = next(hit for hit in hits if hit.id == "far")
    assert [(r.head, r.type, r.tail) for r in far.path] == [
        ("query", "mentions", "apple"),
        ("apple", "is_a", "fruit"),
        ("far", "thing", "fruit"),
    ]
    # Similarities 1, .6 and -.6: apple takes nearly all of the weight.
    assert far.path[0].weight == pytest.approx(1 / (1 + np.exp(-8) + np.exp(-32)))


def test_a_hit_carries_what_the_item_holds(retriever):
    (hits,) = retriever.retrieve(["query"])
    far = next(hit for hit in hits if hit.id == "far")
    assert (far.kind, far.text, far.concepts, dict(far.metadata)) == ("item", "far", ("fruit",), {"price": 2})


@pytest.mark.parametrize("graph_weight", [0, 0.9])
def test_a_filter_holds_for_every_way_of_finding(retriever, graph_weight):
    query = Item(id="q", text="query", concepts=("apple",))
    (hits,) = retriever.retrieve([query], graph_weight=graph_weight, filter=Condition("price", "<", 3))
    assert {hit.id for hit in hits} == {"near", "far"}


def test_related_concepts_come_with_the_way_to_them(retriever):
    (hits,) = retriever.related_concepts([Item(id="q", text="query", concepts=("fruit",))], top_k=3)
    assert [hit.id for hit in hits] == ["fruit", "apple", "stone"]
    assert hits[0].path == (Relation(head="query", type="mentions", tail="fruit"),)
    assert hits[1].path == (Relation(head="query", type="mentions", tail="fruit"), IS_A)
    assert (hits[2].path, hits[2].score) == ((), 0.0)
    # Two hops, decay .5: fruit 1 + .25, apple .5.
    length = np.hypot(1.25, 0.5)
    assert hits[0].score == pytest.approx(1.25 / length)
    assert hits[1].parts == pytest.approx({"graph": 0.5 / length, "vector": 1.0})
    assert (hits[0].kind, hits[0].text, dict(hits[0].metadata)) == ("concept", "Fruit", {"type": "thing"})


def test_related_concepts_need_a_graph(version, encoder):
    with pytest.raises(InvalidInputError, match="expected a retriever with a graph"):
        Retriever(version, encoder).related_concepts(["query"])


def test_no_queries_give_no_answers(retriever):
    assert retriever.retrieve([]) == []
    assert retriever.related_concepts([]) == []


@pytest.mark.parametrize(
    ("queries", "message"),
    [
        ("query", "expected queries as a list of texts or Items, got one: 'query'"),
        (
            Item(id="q", text="query"),
            "expected queries as a list of texts or Items, got Item.*; wrap it in a list",
        ),
        (["query", "  "], "expected query 1 as a text that is not empty, got '  '; give a text or an Item"),
        ([None], "expected query 0 as a text that is not empty, got None; give a text or an Item"),
    ],
)
def test_wrong_queries_are_refused(retriever, queries, message):
    with pytest.raises(InvalidInputError, match=message):
        retriever.retrieve(queries)
    with pytest.raises(InvalidInputError, match=message):
        retriever.related_concepts(queries)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"top_k": 0}, "expected top_k"),
        ({"top_k": 2.0}, "expected top_k"),
        ({"graph_weight": -0.1}, "expected graph_weight"),
        ({"graph_weight": 1.1}, "expected graph_weight"),
        ({"graph_weight": float("nan")}, "expected graph_weight"),
    ],
)
def test_settings_out_of_range_are_refused_at_construction_and_in_a_call(
    version, encoder, graph, settings, message
):
    with pytest.raises(InvalidInputError, match=message):
        Retriever(version, encoder, graph, **settings)
    with pytest.raises(InvalidInputError, match=message):
        Retriever(version, encoder, graph).retrieve(["query"], **settings)


@pytest.mark.parametrize(("name", "value"), [("n_hops", -1), ("decay", 0.0), ("decay", 2)])
def test_a_spread_out_of_range_is_refused_at_construction(version, encoder, graph, name, value):
    with pytest.raises(InvalidInputError, match=f"expected {name}"):
        Retriever(version, encoder, graph, **{name: value})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"spread": "far"}, "expected spread to be one of 'hops', 'pagerank', got 'far'"),
        ({"spread": "pagerank", "decay": 1}, "expected decay below 1 for pagerank"),
        (
            {"relation_weights": {"part_of": 1}},
            r"expected relation types among \['is_a'\], got \['part_of'\]",
        ),
        (
            {"relation_weights": {"is_a": -1}},
            "the weight of relation type 'is_a' as a number of at least 0, got -1",
        ),
    ],
)
def test_a_way_of_spreading_that_is_not_there_is_refused(version, encoder, graph, settings, message):
    with pytest.raises(InvalidInputError, match=message):
        Retriever(version, encoder, graph, **settings)


def test_relations_of_weight_0_are_not_followed(version, encoder, graph):
    retriever = Retriever(version, encoder, graph, top_k=4, relation_weights={"is_a": 0})
    (hits,) = retriever.retrieve([Item(id="q", text="query", concepts=("apple",))])
    assert {hit.id: hit.parts["graph"] > 0 for hit in hits} == {
        "behind": True, "far": False, "near": False, "nearer": False
    }  # fmt: skip
    assert not next(hit for hit in hits if hit.id == "far").path


def test_pagerank_reaches_what_hops_do_not_and_shows_the_way(hash_encoder, tmp_path):
    chain = [Concept(id=f"c{i}", name=f"concept {i}") for i in range(7)]
    steps = [Relation(head=f"c{i}", type="next", tail=f"c{i + 1}") for i in range(6)]
    graph = KnowledgeGraph(chain, steps)
    items = [Item(id="end", text="the end", concepts=("c6",)), Item(id="other", text="another text")]
    index = VectorIndex.connect(str(tmp_path / "chain.db"))
    index.activate(index.build(items, hash_encoder, graph))
    query = [Item(id="q", text="the beginning", concepts=("c0",))]
    version = index.open(fingerprint=hash_encoder.fingerprint)
    (by_hops,) = Retriever(version, hash_encoder, graph, graph_weight=1).retrieve(query)
    (by_walk,) = Retriever(version, hash_encoder, graph, graph_weight=1, spread="pagerank").retrieve(query)
    (related,) = Retriever(version, hash_encoder, graph, spread="pagerank").related_concepts(query, top_k=7)
    index.close()
    assert not by_hops[0].path
    assert (by_walk[0].id, by_walk[0].path[1:-1]) == ("end", tuple(steps))
    assert by_walk[0].score > 0 == by_walk[1].score
    assert [hit.id for hit in related] == [concept.id for concept in chain]
    assert all(len(hit.path) == place + 1 for place, hit in enumerate(related))


def test_a_hit_says_in_words_what_led_to_it(retriever, graph):
    (hits,) = retriever.retrieve([Item(id="q", text="query", concepts=("apple",))])
    said = {hit.id: hit_in_words(hit, graph) for hit in hits}
    assert said["near"] == "near: score 0.56; similarity of the texts 0.80, overlap in the graph 0.00"
    assert said["far"] == (
        "far: score 0.11; similarity of the texts 0.00, overlap in the graph 0.37; "
        'query -mentions (1.00)-> "Apple" -is_a-> "Fruit" <-thing- far'
    )
    (concepts,) = retriever.related_concepts([Item(id="q", text="query", concepts=("fruit",))], top_k=2)
    assert hit_in_words(concepts[1], graph).endswith(
        'similarity of the texts 1.00; query -mentions (1.00)-> "Fruit" <-is_a- "Apple"'
    )


def test_an_unknown_concept_of_a_query_is_named(retriever):
    with pytest.raises(UnknownConceptError, match="'pear'"):
        retriever.retrieve([Item(id="q", text="query", concepts=("pear",))])


def test_another_encoder_than_that_of_the_version_is_refused(version, hash_encoder):
    with pytest.raises(FingerprintMismatchError, match=r"expected encoder 0000000000000000 \(paper\)"):
        Retriever(version, hash_encoder)


def test_another_graph_than_that_of_the_version_is_refused(version, encoder):
    with pytest.raises(InvalidInputError, match="expected the graph that version"):
        Retriever(version, encoder, KnowledgeGraph([FRUIT]))


@pytest.fixture(scope="module")
def shop(tmp_path_factory, hash_encoder):
    rng = np.random.default_rng(0)
    words = ["bread", "milk", "soup", "cake", "tea", "salt"]
    rows = [{"kind": f"kind {i % 12}", "aisle": f"aisle {i % 12 // 4}"} for i in range(240)]
    graph = KnowledgeGraph.from_table(rows, ["kind", "aisle"], [("kind", "aisle")])
    items = [
        Item(
            id=f"i{i:03}",
            text=f"{rng.choice(words)} {rng.choice(words)} {i % 40}",
            concepts=concepts,
            metadata={"number": i},
        )
        for i, concepts in enumerate(table_concepts(rows, ["kind", "aisle"]))
    ]
    index = VectorIndex.connect(str(tmp_path_factory.mktemp("shop") / "shop.db"))
    index.activate(index.build(items, hash_encoder, graph))
    yield Retriever(index.open(fingerprint=hash_encoder.fingerprint), hash_encoder, graph), items
    index.close()


@pytest.mark.parametrize("graph_weight", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("top_k", [1, 10, 240, 300])
def test_exactly_top_k_hits_come_back_in_order_while_there_are_that_many(shop, top_k, graph_weight):
    retriever, _ = shop
    (hits,) = retriever.retrieve(["soup of kind 3"], top_k=top_k, graph_weight=graph_weight)
    assert len(hits) == min(top_k, 240)
    assert len({hit.id for hit in hits}) == len(hits)
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= hit.parts["graph"] <= 1 for hit in hits)


def test_a_query_gets_the_same_hits_alone_and_in_a_batch(shop):
    retriever, items = shop
    queries = [*(item for item in items[::40]), "soup of kind 3", "bread"]
    together = retriever.retrieve(queries)
    for query, hits in zip(queries, together, strict=True):
        (alone,) = retriever.retrieve([query])
        assert [hit.id for hit in alone] == [hit.id for hit in hits]
        assert [hit.score for hit in alone] == pytest.approx([hit.score for hit in hits], abs=1e-5)


@pytest.mark.parametrize("graph_weight", [0.1, 0.3, 0.6, 1.0])
def test_links_that_are_left_out_would_have_changed_no_hit(shop, monkeypatch, graph_weight):
    retriever, items = shop
    queries = [*items[::9], *(item.text for item in items[::11])]
    sought = []
    search = retriever.version.search_linked

    def search_linked(vectors, concept_ids, top_k, filter):
        sought.append(sum(map(bool, concept_ids)))
        return search(vectors, concept_ids, top_k, filter)

    monkeypatch.setattr(retriever.version, "search_linked", search_linked)
    found = retriever.retrieve(queries, graph_weight=graph_weight, top_k=3)
    monkeypatch.setattr("zeroshot_core.retrieval.candidates.is_settled", lambda *_: False)
    assert found == retriever.retrieve(queries, graph_weight=graph_weight, top_k=3)
    assert sought[0] < sought[1] == len(queries) or graph_weight == 1.0


@pytest.mark.parametrize("filter", [None, Condition("number", "<", 200)])
def test_a_batch_finds_over_the_graph_what_each_query_finds_alone(shop, filter):
    retriever, items = shop
    queries = list(items[::12])
    together = retriever.retrieve(queries, graph_weight=0.9, top_k=3, filter=filter)
    for query, hits in zip(queries, together, strict=True):
        (alone,) = retriever.retrieve([query], graph_weight=0.9, top_k=3, filter=filter)
        assert [hit.id for hit in alone] == [hit.id for hit in hits]


def test_vectors_that_are_known_already_are_not_computed_again(shop, monkeypatch):
    retriever, items = shop
    queries = [*items[:2], "soup of kind 3"]
    hits, concepts = retriever.retrieve(queries), retriever.related_concepts(queries)
    vectors = retriever.encoder.encode([*(item.text for item in items[:2]), queries[2]], role="query")
    monkeypatch.setattr(retriever, "encoder", SimpleNamespace(dimension=64, modalities=("text",)))
    assert retriever.retrieve(queries, vectors=vectors) == hits
    assert retriever.related_concepts(queries, vectors=vectors) == concepts


@pytest.mark.parametrize("graph_weight", [0.0, 0.3])
def test_evidence_is_hits_and_concepts_for_one_search_of_each(shop, monkeypatch, graph_weight):
    retriever, items = shop
    queries = [*items[:2], "soup of kind 3"]
    hits = retriever.retrieve(queries, top_k=4, graph_weight=graph_weight)
    concepts = retriever.related_concepts(queries, top_k=3)
    asked = []
    by_items = "begin_search" if graph_weight else "search_items"
    for name in (by_items, "search_concepts"):
        search = getattr(retriever.version, name)
        monkeypatch.setattr(
            retriever.version,
            name,
            lambda *args, name=name, search=search: asked.append(name) or search(*args),
        )
    found = retriever.evidence(queries, top_k=4, n_concepts=3, graph_weight=graph_weight)
    assert sorted(asked) == sorted([by_items, "search_concepts"])
    assert [list(each.items) for each in found] == hits
    assert [list(each.concepts) for each in found] == concepts


def test_evidence_without_a_graph_is_items_alone(version, encoder, retriever):
    (found,) = Retriever(version, encoder, top_k=4).evidence(["query"])
    assert list(found.items) == retriever.retrieve(["query"], graph_weight=0)[0]
    assert found.concepts == ()
    assert retriever.evidence([]) == []


def test_without_paths_hits_are_the_same_but_for_them(shop):
    retriever, items = shop
    queries = [*items[:2], "soup of kind 3"]
    for search in (retriever.retrieve, retriever.related_concepts):
        explained, bare = search(queries), search(queries, with_paths=False)
        assert any(hit.path for row in explained for hit in row)
        assert bare == [[replace(hit, path=()) for hit in row] for row in explained]


@pytest.mark.parametrize("shape", [(1, 64), (2, 63), (64,)])
def test_vectors_that_do_not_fit_the_queries_are_refused(shop, shape):
    message = r"expected query vectors as finite numbers of shape \(2, 64\), got"
    with pytest.raises(InvalidInputError, match=message):
        shop[0].retrieve(["soup", "tea"], vectors=np.zeros(shape))
    with pytest.raises(InvalidInputError, match=message):
        shop[0].related_concepts(["soup", "tea"], vectors=np.full((2, 64), np.nan))


def overlap_with_scoring_all_items(retriever, queries, graph_weight):
    every = retriever.retrieve(queries, top_k=240, graph_weight=graph_weight)
    ten = retriever.retrieve(queries, graph_weight=graph_weight)
    pairs = zip(every, ten, strict=True)
    return np.mean([len({hit.id for hit in all_[:10]} & {hit.id for hit in few}) / 10 for all_, few in pairs])


@pytest.mark.parametrize("graph_weight", [0.1, 0.3, 0.7])
def test_candidates_hold_the_hits_that_scoring_all_items_would_give(shop, graph_weight):
    retriever, items = shop
    assert overlap_with_scoring_all_items(retriever, [*items[::10], "soup of kind 3"], graph_weight) > 0.99


def test_more_neighbours_than_asked_for_are_weighed(shop, monkeypatch):
    retriever, items = shop
    monkeypatch.setattr("zeroshot_core.retrieval.candidates.N_LINKS", 0)
    assert overlap_with_scoring_all_items(retriever, items[::10], 0.1) > 0.95


def test_graph_weight_brings_items_of_the_querys_kind(shop):
    retriever, _ = shop
    query = Item(id="q", text="soup", concepts=("kind:kind 3", "aisle:aisle 0"))

    def share_of_kind(graph_weight):
        (hits,) = retriever.retrieve([query], graph_weight=graph_weight)
        return np.mean(["kind:kind 3" in hit.concepts for hit in hits])

    assert share_of_kind(0) < share_of_kind(0.3) <= share_of_kind(1) == 1


def test_a_diagnosis_is_reached_over_a_finding_that_the_words_only_hint_at(minilm, tmp_path):
    concepts = {"flu": "influenza", "gout": "gout", "fever": "fever", "joint": "painful swollen joint"}
    graph = KnowledgeGraph(
        [Concept(id=id_, name=name) for id_, name in concepts.items()],
        [
            Relation(head="flu", type="has_finding", tail="fever"),
            Relation(head="gout", type="has_finding", tail="joint"),
        ],
    )
    items = [
        Item(id="leaflet 1", text="Rest, drink a lot, and stay at home for a week.", concepts=("flu",)),
        Item(id="leaflet 2", text="Avoid beer and red meat; take allopurinol every day.", concepts=("gout",)),
    ]
    index = VectorIndex.connect(str(tmp_path / "leaflets.db"))
    index.activate(index.build(items, minilm, graph))
    retriever = Retriever(index.open(fingerprint=minilm.fingerprint), minilm, graph)
    complaints = ["my big toe is red, thick and hurts", "body temperature of 40 degrees since yesterday"]
    swollen, hot = retriever.retrieve(complaints, top_k=1, graph_weight=0.5)
    index.close()
    assert (swollen[0].id, hot[0].id) == ("leaflet 2", "leaflet 1")
    assert [r.tail for r in swollen[0].path][-1] == "gout"
    assert {"vector", "graph"} == set(swollen[0].parts)
