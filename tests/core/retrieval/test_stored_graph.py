from dataclasses import replace

import numpy as np
import pytest
from zeroshot_core.errors import InvalidInputError, UnknownConceptError
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.index import Condition, VectorIndex
from zeroshot_core.retrieval import Retriever
from zeroshot_core.types import Concept, Item, Relation


@pytest.fixture(scope="module")
def shop(tmp_path_factory, hash_encoder):
    """A random graph in which two hops reach a part only, and items that are linked to any of it."""
    rng = np.random.default_rng(0)
    pairs = {tuple(pair) for pair in rng.integers(0, 300, (360, 2)).tolist() if pair[0] != pair[1]}
    relations = [
        Relation(head=f"c{a}", type="ab"[a % 2], tail=f"c{b}", weight=float(rng.uniform(0.1, 2)))
        for a, b in sorted(pairs)
    ]
    graph = KnowledgeGraph([Concept(id=f"c{i}", name=f"concept {i}") for i in range(300)], relations)
    items = [
        Item(
            id=f"i{i:03}",
            text=f"thing {i} of concept {i % 40}",
            concepts=tuple(f"c{c}" for c in rng.integers(0, 300, rng.integers(0, 4))),
            metadata={"number": i},
        )
        for i in range(200)
    ]
    index = VectorIndex.connect(str(tmp_path_factory.mktemp("stored") / "shop.db"))
    index.activate(index.build(items, hash_encoder, graph))
    yield index.open(fingerprint=hash_encoder.fingerprint), graph, items
    index.close()


def without_paths(found):
    """Hits with the lengths of their paths alone."""
    return [[(replace(hit, path=()), len(hit.path)) for hit in hits] for hits in found]


@pytest.mark.parametrize("n_hops", [0, 1, 2])
def test_a_stored_graph_gives_the_answers_of_the_same_graph_in_memory(shop, hash_encoder, n_hops):
    version, graph, items = shop
    stored = Retriever(version, hash_encoder, "stored", n_hops=n_hops)
    in_memory = Retriever(version, hash_encoder, graph, n_hops=n_hops)
    queries = [*items[:12], "thing of concept 7", "concept 120"]
    some = Condition("number", "<", 90)
    for asked in ({}, {"filter": some, "top_k": 3}):
        found, expected = stored.retrieve(queries, **asked), in_memory.retrieve(queries, **asked)
        # Which of equally strong paths is the most specific, a part of a graph may see otherwise.
        assert without_paths(found) == without_paths(expected)
    assert stored.related_concepts(queries) == in_memory.related_concepts(queries)
    assert any(len(hit.path) > n_hops + 1 for hits in stored.retrieve(queries) for hit in hits)


def test_without_graph_weight_a_stored_graph_is_not_read(shop, hash_encoder, monkeypatch):
    version, _, _ = shop
    monkeypatch.setattr(version, "neighbourhood", lambda *_: pytest.fail("the graph was read"))
    hits = Retriever(version, hash_encoder, "stored", graph_weight=0).retrieve(["thing"])
    assert hits == Retriever(version, hash_encoder).retrieve(["thing"])


def test_an_unknown_concept_of_a_query_is_named(shop, hash_encoder):
    with pytest.raises(UnknownConceptError, match="'pear'"):
        Retriever(shop[0], hash_encoder, "stored").retrieve([Item(id="q", text="q", concepts=("pear",))])


@pytest.mark.parametrize(
    ("graph", "settings", "message"),
    [
        ("kept", {}, "expected a graph, 'stored' or None, got 'kept'"),
        ("stored", {"spread": "pagerank"}, "expected spread='hops' and no relation_weights"),
        ("stored", {"relation_weights": {"a": 0}}, "expected spread='hops' and no relation_weights"),
    ],
)
def test_what_a_stored_graph_cannot_do_is_refused(shop, hash_encoder, graph, settings, message):
    with pytest.raises(InvalidInputError, match=message):
        Retriever(shop[0], hash_encoder, graph, **settings)


def test_a_version_without_a_graph_has_none_stored(hash_encoder, tmp_path):
    index = VectorIndex.connect(str(tmp_path / "bare.db"))
    index.activate(index.build([Item(id="a", text="a")], hash_encoder))
    version = index.open(fingerprint=hash_encoder.fingerprint)
    with pytest.raises(InvalidInputError, match="expected a version with a graph"):
        Retriever(version, hash_encoder, "stored")
    index.close()
