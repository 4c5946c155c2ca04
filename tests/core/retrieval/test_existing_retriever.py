"""What a collection of another library serves beside retrieval, and what it is refused for by name."""

from __future__ import annotations

import inspect
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from pymilvus import DataType, MilvusClient
from zeroshot_core import InvalidInputError, KnowledgeGraph, ZeroShotClassifier
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.index import Collection, GraphCollection, OpenVersion, VectorIndex
from zeroshot_core.index.existing_collection import CollectionFields, ExistingCollection
from zeroshot_core.index.open_version import require_version
from zeroshot_core.retrieval import GraphView, Retriever, propose_tails
from zeroshot_core.retrieval.existing_retriever import existing_retriever
from zeroshot_core.retrieval.linking import Linker
from zeroshot_core.retrieval.recommendation import Profile, recommend, similar_items
from zeroshot_core.retrieval.reranking import rerank
from zeroshot_core.types import Concept, Item, Relation

ENCODER = HashEncoder(64)
GRAPH = KnowledgeGraph(
    [
        Concept(id="kind:wine", name="wine", synonyms=("vino",)),
        Concept(id="kind:beer", name="beer"),
        Concept(id="aisle:drinks", name="drinks"),
    ],
    [
        Relation(head="kind:wine", type="stands in", tail="aisle:drinks"),
        Relation(head="kind:beer", type="stands in", tail="aisle:drinks"),
    ],
)
SHOP = {
    "p0": ("dry red wine", "wine"),
    "p1": ("a bottle of Chianti", "wine"),
    "p2": ("pale ale", "beer"),
    "p3": ("red wine, sweet", "wine"),
}


@pytest.fixture(scope="module")
def retriever(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Retriever]:
    """A retriever over a collection such as langchain-milvus makes."""
    client = MilvusClient(str(tmp_path_factory.mktemp("theirs") / "theirs.db"))
    schema = client.create_schema(enable_dynamic_field=True)
    schema.add_field("pk", DataType.VARCHAR, is_primary=True, max_length=65535)
    schema.add_field("text", DataType.VARCHAR, max_length=65535)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=64)
    index = client.prepare_index_params()
    index.add_index("vector", index_type="FLAT", metric_type="L2")
    name = f"theirs_{uuid.uuid4().hex[:8]}"
    client.create_collection(name, schema=schema, index_params=index)
    vectors = ENCODER.encode([text for text, _ in SHOP.values()])
    rows = [
        {"pk": id_, "text": text, "kind": kind, "vector": vector}
        for (id_, (text, kind)), vector in zip(SHOP.items(), vectors, strict=True)
    ]
    client.insert(name, rows)
    fields = CollectionFields(concepts=("kind",))
    yield existing_retriever(client, name, ENCODER, GRAPH, fields=fields, top_k=3)
    client.close()


def test_what_another_library_made_is_a_collection_and_a_version_has_a_graph_beside_it(
    retriever: Retriever, tmp_path: Path
) -> None:
    assert isinstance(retriever.version, ExistingCollection)
    assert isinstance(retriever.version, Collection)
    assert not isinstance(retriever.version, GraphCollection)
    with VectorIndex.connect(tmp_path / "ours.db") as index:
        version = index.open(index.build([], ENCODER, GRAPH), fingerprint=ENCODER.fingerprint)
        assert isinstance(version, GraphCollection)
        assert require_version(version, "a test") is version


@pytest.mark.parametrize("protocol", [Collection, GraphCollection])
def test_the_classes_take_what_their_protocol_says(protocol: type) -> None:
    classes = (OpenVersion,) if protocol is GraphCollection else (OpenVersion, ExistingCollection)
    methods = [name for name in dir(protocol) if not name.startswith("_") and name != "info"]
    assert len(methods) >= 11
    for name in methods:
        wanted = inspect.signature(getattr(protocol, name))
        for owner in classes:
            found = inspect.signature(getattr(owner, name))
            assert list(found.parameters.values()) == list(wanted.parameters.values()), (owner, name)
            assert found.return_annotation == wanted.return_annotation, (owner, name)


def test_items_are_recommended_by_likes_and_dislikes(retriever: Retriever) -> None:
    assert [hit.id for hit in similar_items(retriever, ["p0"], top_k=2)[0]] == ["p3", "p1"]
    profile = Profile(liked=["p0", Item(id="new", text="Chianti")], disliked=["p2"])
    found = recommend(retriever, [profile], top_k=2, diversity=0.3)[0]
    assert {hit.id for hit in found} == {"p1", "p3"}


def test_hits_of_another_search_are_ranked_anew(retriever: Retriever) -> None:
    items = [Item(id=id_, text=text) for id_, (text, _) in SHOP.items()]
    assert [hit.id for hit in rerank(retriever, "red wine", items, top_k=2)] == ["p0", "p3"]


def test_the_graph_in_memory_is_read_as_facts(retriever: Retriever) -> None:
    view = GraphView(retriever)
    head, relation, tail = view.facts(["kind:wine"])[0]
    assert (head.name, relation.type, tail.name) == ("wine", "stands in", "drinks")
    assert view.facts(["Vino "]) == view.facts(["wine"]) == view.facts(["kind:wine"])
    assert len(view.facts()) == len(view.facts(["drinks"], types=["stands in"])) == 2
    assert len(view.around(["kind:wine"], n_hops=2, limit=9)) == 2
    assert [concept.id for concept in view.concepts(["beer", "nothing"])] == ["kind:beer"]
    assert view.nearest(text="beer", top_k=1)[0][0].id == "kind:beer"
    assert [item.id for item in view.items(["p2", "nobody"])] == ["p2"]


def test_tails_are_proposed_from_the_graph_in_memory(retriever: Retriever) -> None:
    new = Concept(id="kind:ale", name="ale")
    found = propose_tails(retriever.version, ENCODER, GRAPH, ["kind:wine", new], "stands in", top_k=2)
    assert "aisle:drinks" not in {hit.id for hit in found[0]}
    assert "aisle:drinks" in {hit.id for hit in found[1]}


def test_a_linker_is_refused_by_name(retriever: Retriever) -> None:
    told = (
        rf"made by VectorIndex\.build for a Linker, .* got '{retriever.version.info.id}', which another lib"
    )
    with pytest.raises(InvalidInputError, match=told):
        Linker(retriever.version, ENCODER)


def test_a_stored_graph_is_refused_by_name(retriever: Retriever) -> None:
    with pytest.raises(InvalidInputError, match=r"VectorIndex\.build for a Retriever with graph='stored'"):
        Retriever(retriever.version, ENCODER, "stored")


def test_writing_is_refused_by_name(retriever: Retriever) -> None:
    told = r"VectorIndex\.build for partial_fit, since it writes .*; write to it through that library"
    with pytest.raises(InvalidInputError, match=told):
        require_version(retriever.version, "partial_fit")


def test_a_model_is_not_fitted_into_it(retriever: Retriever) -> None:
    for index in (retriever, retriever.version):
        with pytest.raises(InvalidInputError, match=f"expected index to be a .*, got {type(index).__name__}"):
            ZeroShotClassifier(ENCODER, index=index).fit(["red wine", "ale"], ["wine", "beer"])
