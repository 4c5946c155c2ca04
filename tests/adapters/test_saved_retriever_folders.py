"""The folder of a retriever is a model for what retrieves, in both frameworks."""

from __future__ import annotations

from pathlib import Path

import pytest
from toy_shop import toy_products
from zeroshot_core import InvalidInputError, Retriever, VectorIndex
from zeroshot_core.encoders import HashEncoder

import langchain_zeroshot as langchain
import llama_index_zeroshot as llama_index

WINE = "dry red wine from Calabria, small bottle"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("retriever")
    encoder, (items, _) = HashEncoder(64), toy_products()
    bare = [type(item)(id=item.id, text=item.text) for item in items]
    with VectorIndex.connect(root / "own.db") as index:
        index.activate(index.build(bare, encoder))
        Retriever(index.open(fingerprint=encoder.fingerprint), encoder).save(root / "saved")
    return root / "saved"


def test_both_frameworks_retrieve_and_rank_by_the_folder_of_a_retriever(folder: Path) -> None:
    documents = langchain.ZeroShotRetriever(folder, k=2).invoke(WINE)
    nodes = llama_index.ZeroShotRetriever(folder, k=2).retrieve(WINE)
    assert [one.id for one in documents] == [one.node_id for one in nodes]
    assert documents[0].id.startswith("red wine/")
    assert len(langchain.ZeroShotEmbeddings(folder).embed_query(WINE)) == 64
    assert langchain.ZeroShotReranker(folder, top_n=1).compress_documents(documents, WINE)[0].id


def test_a_retriever_predicts_nothing(folder: Path) -> None:
    with pytest.raises(InvalidInputError, match="expected a model that predicts, got the retriever"):
        langchain.ZeroShotPredictor(folder).invoke(WINE)
