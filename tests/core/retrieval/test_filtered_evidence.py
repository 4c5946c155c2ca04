"""What a filter leaves out lends neither its score nor its path to what is found."""

import pytest
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.index import Condition, VectorIndex
from zeroshot_core.retrieval import Retriever
from zeroshot_core.types import Concept, Item, Relation

PUBLIC = Condition("team", "!=", "secret")
QUERY = Item(id="q", text="aspirin", concepts=("aspirin",))


@pytest.fixture(scope="module", params=["in memory", "stored"])
def retriever(request, hash_encoder, tmp_path_factory):
    """Relations that texts of the index say: "cures" a secret one, "helps" both, "eases" a publication."""
    concepts = [Concept(id=name, name=name) for name in ("aspirin", "gout", "pain", "fever")]
    graph = KnowledgeGraph(
        concepts,
        [
            Relation(head="aspirin", type="cures", tail="gout", sources=("memo",), weight=1),
            Relation(head="aspirin", type="helps", tail="pain", sources=("memo", "leaflet"), weight=2),
            Relation(head="aspirin", type="eases", tail="fever", sources=("PMID:1",), weight=1),
        ],
    )
    items = [
        Item(id="memo", text="trial 7", metadata={"team": "secret"}),
        Item(id="leaflet", text="leaflet", metadata={"team": "sales"}),
        *(
            Item(id=f"on {name}", text=f"page on {name}", concepts=(name,))
            for name in ("gout", "pain", "fever")
        ),
    ]
    with VectorIndex.connect(tmp_path_factory.mktemp("secret") / "texts.db") as index:
        index.activate(index.build(items, hash_encoder, graph))
        version = index.open(fingerprint=hash_encoder.fingerprint)
        given = graph if request.param == "in memory" else "stored"
        yield Retriever(version, hash_encoder, given, top_k=5, graph_weight=0.5)


def graph_parts(hits):
    return {hit.id: hit.parts["graph"] for hit in hits}


def test_a_relation_that_only_a_hidden_item_says_leads_nowhere(retriever):
    (seen,) = retriever.retrieve([QUERY])
    (filtered,) = retriever.retrieve([QUERY], filter=PUBLIC)
    assert graph_parts(seen)["on gout"] > 0
    assert graph_parts(filtered)["on gout"] == 0
    assert {hit.id: hit.path for hit in filtered}["on gout"] == ()


def test_a_relation_that_others_say_too_counts_by_them_and_names_them_alone(retriever):
    (filtered,) = retriever.retrieve([QUERY], filter=PUBLIC)
    shares = graph_parts(filtered)
    # Without the memo "helps" weighs 1 of 2, as "eases" does, whose source is no item.
    assert shares["on pain"] == pytest.approx(shares["on fever"])
    assert "memo" not in {source for hit in filtered for step in hit.path for source in step.sources}


def test_evidence_keeps_to_the_filter_too(retriever):
    (evidence,) = retriever.evidence([QUERY], filter=PUBLIC, n_concepts=4)
    reached = {hit.id for hit in evidence.concepts if hit.path}
    assert reached == {"aspirin", "pain", "fever"}
    (everything,) = retriever.evidence([QUERY], n_concepts=4)
    assert "gout" in {hit.id for hit in everything.concepts if hit.path}


def test_a_filter_that_hides_no_source_changes_no_score(retriever):
    visible = Condition("team", "!=", "nobody's")
    (filtered,), (seen,) = retriever.retrieve([QUERY], filter=visible), retriever.retrieve([QUERY])
    assert graph_parts(filtered) == graph_parts(seen)
    assert [hit.path for hit in filtered] == [hit.path for hit in seen]
