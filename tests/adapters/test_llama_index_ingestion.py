"""From documents through an ingestion pipeline into an index and a model, each text embedded once."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
from llama_index.core import Document
from llama_index.core.ingestion import IngestionCache, IngestionPipeline
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import BaseNode, TextNode
from zeroshot_core import InvalidInputError, Retriever, VectorIndex, ZeroShotClassifier
from zeroshot_core.encoders import HashEncoder

from llama_index_zeroshot import ZeroShotEmbedding, ZeroShotRetriever, from_nodes, reuse_vectors

TEXTS = {
    "red wine": "dry red wine from Sicily",
    "pasta": "durum wheat pasta",
    "cat food": "chicken pate for cats",
}


class CountingEncoder(HashEncoder):
    """Remembers what it has encoded as documents."""

    def __init__(self) -> None:
        super().__init__(64)
        self.documents: list[str] = []

    def encode(self, contents, *, role="document", show_progress=False):  # type: ignore[no-untyped-def]
        self.documents += contents if role == "document" else []
        return super().encode(contents, role=role, show_progress=show_progress)


@pytest.fixture
def encoder() -> CountingEncoder:
    return CountingEncoder()


@pytest.fixture
def nodes(encoder: CountingEncoder) -> list[BaseNode]:
    documents = [
        Document(text=text, metadata={"kind": kind, "pages": [1, 2], "rank": 2})
        for kind, text in TEXTS.items()
    ]
    pipeline = IngestionPipeline(transformations=[SentenceSplitter(), ZeroShotEmbedding(model=encoder)])
    return list(pipeline.run(documents=documents))


def test_nodes_become_items_with_plain_metadata_and_stay_as_they_are(nodes: list[BaseNode]) -> None:
    nodes[0].metadata["concepts"] = ["kind:red wine"]
    before = copy.deepcopy(nodes)
    items = from_nodes(nodes)
    assert nodes == before
    assert [item.id for item in items] == [node.node_id for node in nodes]
    assert items[0].text == TEXTS["red wine"]
    assert items[0].metadata == {"kind": "red wine", "rank": 2}
    assert items[0].concepts == ("kind:red wine",)


def test_an_index_takes_the_vectors_of_the_pipeline(
    nodes: list[BaseNode], encoder: CountingEncoder, tmp_path: Path
) -> None:
    encoder.documents.clear()
    reusing = reuse_vectors(nodes, encoder)
    index = VectorIndex.connect(str(tmp_path / "nodes.db"))
    index.activate(index.build(from_nodes(nodes), reusing))
    version = index.open(fingerprint=encoder.fingerprint)
    assert encoder.documents == []
    stored = version.item_vectors([node.node_id for node in nodes])
    np.testing.assert_allclose(stored, [node.embedding for node in nodes], atol=1e-6)
    found = ZeroShotRetriever(Retriever(version, encoder), k=1).retrieve("wine from Sicily")
    assert found[0].node_id == nodes[0].node_id
    version.upsert(from_nodes([TextNode(id_="new", text="a new wine")]), reusing)
    assert encoder.documents == ["a new wine"]


def test_a_model_learns_from_the_nodes(nodes: list[BaseNode], encoder: CountingEncoder) -> None:
    model = ZeroShotClassifier(reuse_vectors(nodes, encoder))
    model.fit(from_nodes(nodes), [node.metadata["kind"] for node in nodes], labels=[*TEXTS])
    assert model.predict(["red wine from Tuscany"]).tolist() == ["red wine"]
    assert not set(TEXTS.values()) & set(encoder.documents[len(TEXTS) :])
    model.close()


class Renamed(HashEncoder):
    """An encoder with the name of another one."""

    @property
    def name(self) -> str:
        return "hash-64"


def test_two_encoders_of_one_name_share_no_vectors_in_the_cache_of_a_pipeline() -> None:
    cache, vectors = IngestionCache(), []
    for encoder in (HashEncoder(64), Renamed(32), HashEncoder(64)):
        pipeline = IngestionPipeline(transformations=[ZeroShotEmbedding(model=encoder)], cache=cache)
        (node,) = pipeline.run(nodes=[TextNode(id_="a", text="durum wheat")])
        vectors.append(node.embedding or [])
    assert [len(vector) for vector in vectors] == [64, 32, 64]
    assert len(cache.cache.get_all(cache.collection)) == 2


def test_a_dumped_embedding_comes_back_without_the_fingerprint_of_its_encoder(tmp_path: Path) -> None:
    embedding = ZeroShotEmbedding(model="all-MiniLM-L6-v2")
    dumped = embedding.to_dict()
    assert len(dumped["fingerprint"]) == 16
    assert ZeroShotEmbedding.from_dict(dumped).to_dict() == dumped


def test_wrong_nodes_are_refused(nodes: list[BaseNode]) -> None:
    with pytest.raises(InvalidInputError, match="expected a non-empty text"):
        from_nodes([TextNode(text=" ")])
    with pytest.raises(InvalidInputError, match="expected vectors of 8 dimensions, got 64"):
        reuse_vectors(nodes, HashEncoder(8))
