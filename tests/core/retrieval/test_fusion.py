import numpy as np
import pytest
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.index import VectorIndex
from zeroshot_core.retrieval import Retriever, learn_fusion
from zeroshot_core.types import Concept, Item, Relation

N = 240


@pytest.fixture(scope="module")
def shop(tmp_path_factory, hash_encoder):
    """Items of 60 kinds in 6 families, which their texts don't tell; "near" leads nowhere useful."""
    rng = np.random.default_rng(0)
    words = ["bread", "milk", "soup", "cake", "tea", "salt", "rice", "corn"]
    kinds = [Concept(id=f"kind{i}", name=f"kind {i}") for i in range(60)]
    families = [Concept(id=f"family{i}", name=f"family {i}") for i in range(6)]
    relations = [
        *(Relation(head=f"kind{i}", type="is_a", tail=f"family{i % 6}") for i in range(60)),
        *(Relation(head=f"kind{i}", type="near", tail=f"kind{(i + 1) % 60}", weight=9) for i in range(60)),
    ]
    graph = KnowledgeGraph([*kinds, *families], relations)
    items = [
        Item(id=f"i{i}", text=" ".join(rng.choice(words, 4)), concepts=(f"kind{rng.integers(60)}",))
        for i in range(N)
    ]
    index = VectorIndex.connect(str(tmp_path_factory.mktemp("fusion") / "shop.db"))
    index.activate(index.build(items, hash_encoder, graph))
    version = index.open(fingerprint=hash_encoder.fingerprint)
    yield Retriever(version, hash_encoder, graph, graph_weight=0.3), items
    index.close()


def family_of(item):
    return int(item.concepts[0].removeprefix("kind")) % 6


def of_family(items, query):
    """Items of the family, those of the very kind left out."""
    kin = [item for item in items if family_of(item) == family_of(query)]
    return [item.id for item in kin if item.concepts != query.concepts]


def test_the_graph_counts_where_it_leads_to_the_right_items(shop):
    retriever, items = shop
    queries = items[:60]
    learned = learn_fusion(retriever, queries, [of_family(items, query) for query in queries])
    assert learned.graph_weight > 0
    assert learned.relation_weights == {"near": 0.0}
    assert learned.mrr > learned.mrr_vectors_only + 0.05
    assert learned.gain > 2 * learned.gain_error
    # What was learned holds on queries that were not there.
    new = retriever.weighted(graph_weight=learned.graph_weight, relation_weights=learned.relation_weights)
    fresh = [Item(id="new", text=item.text, concepts=item.concepts) for item in items[200:]]

    def share_of_family(each):
        return np.mean([
            family_of(hit) == family_of(query)
            for query, hits in zip(fresh, each.retrieve(fresh), strict=True)
            for hit in hits
        ])  # fmt: skip

    assert share_of_family(new) > share_of_family(retriever.weighted(graph_weight=0)) + 0.05


def test_a_graph_that_is_noise_gets_no_weight_and_leaves_the_ranking_of_the_vectors(shop):
    retriever, items = shop
    queries = [item.text for item in items[:30]]
    learned = learn_fusion(retriever, queries, [[item.id] for item in items[:30]])
    assert (learned.graph_weight, dict(learned.relation_weights)) == (0, {})
    assert learned.mrr == learned.mrr_vectors_only > 0.8
    ranked = retriever.weighted(graph_weight=learned.graph_weight).retrieve(queries[:5])
    assert ranked == Retriever(retriever.version, retriever.encoder).retrieve(queries[:5])


def test_learning_gives_the_same_twice_and_leaves_the_retriever_as_it_is(shop):
    retriever, items = shop
    asked = items[:16], [of_family(items, query) for query in items[:16]]
    assert learn_fusion(retriever, *asked, random_state=3) == learn_fusion(retriever, *asked, random_state=3)
    assert retriever.graph_weight == 0.3
    assert not retriever.spreading.relation_weights


def test_other_weights_are_checked_and_change_a_copy_only(shop):
    retriever, _ = shop
    other = retriever.weighted(graph_weight=1, relation_weights={"near": 0})
    assert (other.graph_weight, retriever.graph_weight) == (1, 0.3)
    query = [Item(id="q", text="bread", concepts=("kind0",))]
    reached = [hit.id for hit in other.related_concepts(query, top_k=30)[0] if hit.path]
    assert set(reached) == {"family0", *(f"kind{i}" for i in range(0, 60, 6))}
    assert len([hit for hit in retriever.related_concepts(query, top_k=30)[0] if hit.path]) > len(reached)
    with pytest.raises(InvalidInputError, match="expected relation types among"):
        retriever.weighted(relation_weights={"far": 1})
    with pytest.raises(InvalidInputError, match="expected graph_weight"):
        retriever.weighted(graph_weight=2)


def test_queries_without_answers_are_refused(shop):
    retriever, items = shop
    with pytest.raises(InvalidInputError, match="got 3 queries and 3 answers"):
        learn_fusion(retriever, items[:3], [["i1"]] * 3)
    with pytest.raises(InvalidInputError, match="got 12 queries and 11 answers"):
        learn_fusion(retriever, items[:12], [["i1"]] * 11)
    with pytest.raises(
        InvalidInputError, match=r"expected a list of right ids for each query, got \[\] for query 11"
    ):
        learn_fusion(retriever, items[:12], [*[["i1"]] * 11, []])
    with pytest.raises(InvalidInputError, match="expected a retriever with a graph in memory"):
        learn_fusion(Retriever(retriever.version, retriever.encoder), items[:12], [["i1"]] * 12)
