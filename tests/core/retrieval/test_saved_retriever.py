"""A retriever goes into a folder, and another process, or a framework, finds by it what it found."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from zeroshot_core import (
    ArtifactError,
    IndexParams,
    InvalidInputError,
    Item,
    KnowledgeGraph,
    Retriever,
    VectorIndex,
    ZeroShotClassifier,
    load_model,
)
from zeroshot_core.encoders import HashEncoder, HeadEncoder
from zeroshot_core.serving.loading import open_retriever

GRAPH = KnowledgeGraph.from_table(
    [{"kind": "wine", "aisle": "drinks"}, {"kind": "pasta", "aisle": "pantry"}],
    ["kind", "aisle"],
    edges=[("kind", "aisle")],
)
ITEMS = [
    Item(id=f"{kind}-{n}", text=f"{kind} from {place}", concepts=(f"kind:{kind}",), metadata={"n": n})
    for kind in ("wine", "pasta")
    for n, place in enumerate(("Sicily", "Apulia", "Umbria"))
]
QUERIES = ["wine from Liguria", Item(id="q", text="something", concepts=("aisle:drinks",))]


@pytest.fixture
def retriever(tmp_path: Path) -> Retriever:
    encoder = HashEncoder(64)
    with VectorIndex.connect(tmp_path / "own.db") as index:
        version = index.build(ITEMS, encoder, GRAPH)
        index.activate(version)
        opened = index.open(fingerprint=encoder.fingerprint)
        yield Retriever(opened, encoder, GRAPH, top_k=3, graph_weight=0.4, n_hops=1, decay=0.7)


def test_a_saved_retriever_finds_what_it_found(retriever: Retriever, tmp_path: Path) -> None:
    retriever.save(tmp_path / "saved", extra={"by": "me"})
    assert json.loads((tmp_path / "saved" / "model.json").read_text())["extra"] == {"by": "me"}
    loaded = Retriever.load(tmp_path / "saved")
    assert loaded.retrieve(QUERIES) == retriever.retrieve(QUERIES)
    assert loaded.related_concepts(QUERIES) == retriever.related_concepts(QUERIES)
    assert (loaded.spreading, loaded.graph_weight) == (retriever.spreading, 0.4)
    loaded.close()
    with pytest.raises(ArtifactError, match="use overwrite=True"):
        retriever.save(tmp_path / "saved")
    retriever.weighted(graph_weight=0).save(tmp_path / "saved", overwrite=True)
    assert open_retriever(tmp_path / "saved").graph_weight == 0
    assert open_retriever(tmp_path / "saved") is open_retriever(str(tmp_path / "saved"))


def test_a_graph_in_milvus_stays_there(retriever: Retriever, tmp_path: Path) -> None:
    stored = Retriever(retriever.version, retriever.encoder, "stored", n_hops=1)
    stored.save(tmp_path / "saved")
    assert not [*(tmp_path / "saved").rglob("graph.jsonl")]
    assert Retriever.load(tmp_path / "saved").retrieve(QUERIES) == stored.retrieve(QUERIES)


def test_the_retriever_of_a_model_has_a_folder_of_its_own(tmp_path: Path) -> None:
    texts = [item.text for item in ITEMS]
    model = ZeroShotClassifier(HashEncoder(64)).fit(texts, ["drinks"] * 3 + ["pantry"] * 3)
    model.partial_fit(["wine from Liguria"], ["drinks"])
    found = model.retriever_.retrieve(["wine from Liguria"], top_k=2)
    model.retriever_.save(tmp_path / "saved")
    model.close()
    loaded = Retriever.load(tmp_path / "saved")
    assert loaded.retrieve(["wine from Liguria"], top_k=2) == found
    loaded.close()


def test_what_is_no_retriever_or_a_damaged_one_is_told(retriever: Retriever, tmp_path: Path) -> None:
    model = ZeroShotClassifier(HashEncoder(64)).fit(labels=["drinks", "pantry"])
    model.save(tmp_path / "model")
    with pytest.raises(ArtifactError, match="expected a saved retriever, got a classifier"):
        Retriever.load(tmp_path / "model")
    retriever.save(tmp_path / "saved")
    with pytest.raises(ArtifactError, match="expected a saved classifier, got a retriever"):
        ZeroShotClassifier.load(tmp_path / "saved")
    with pytest.raises(ArtifactError, match=r"open it by Retriever\.load"):
        load_model(tmp_path / "saved")
    with pytest.raises(InvalidInputError, match="expected extra"):
        retriever.save(tmp_path / "other", extra=[])


def test_a_head_and_an_index_of_words_go_with_their_retriever(tmp_path: Path) -> None:
    turned = np.roll(np.eye(64, dtype=np.float32), 1, axis=0)
    encoder = HeadEncoder(HashEncoder(64), "linear", {"weight": turned})
    with VectorIndex.connect(tmp_path / "own.db", params=IndexParams(lexical=True)) as index:
        index.activate(index.build(ITEMS, encoder))
        retriever = Retriever(index.open(fingerprint=encoder.fingerprint), encoder, lexical_weight=0.5)
        retriever.save(tmp_path / "saved")
        found = retriever.retrieve(QUERIES[:1])
    assert len([*(tmp_path / "saved").glob("encoder-*")]) == 1
    loaded = Retriever.load(tmp_path / "saved")
    assert loaded.lexical_weight == 0.5
    assert loaded.retrieve(QUERIES[:1]) == found
    loaded.close()
