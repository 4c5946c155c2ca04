from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from langchain_core.load import dumps, loads
from langchain_core.vectorstores import InMemoryVectorStore
from zeroshot_core import InvalidInputError
from zeroshot_core.encoders import HashEncoder

from langchain_zeroshot import ZeroShotEmbeddings


def test_vectors_are_those_of_the_encoder() -> None:
    encoder = HashEncoder(32)
    embeddings = ZeroShotEmbeddings(model=encoder)
    texts = ["red wine", "cat food"]
    assert embeddings.embed_documents(texts) == encoder.encode(texts, role="document").tolist()
    assert embeddings.embed_query("red wine") == encoder.encode(["red wine"], role="query")[0].tolist()


def test_no_documents_give_no_vectors() -> None:
    assert ZeroShotEmbeddings(model=HashEncoder(32)).embed_documents([]) == []


def test_a_saved_model_lends_its_encoder(saved_model: Path) -> None:
    assert len(ZeroShotEmbeddings(model=saved_model).embed_query("red wine")) == 256


def test_an_encoder_is_opened_by_name() -> None:
    assert len(ZeroShotEmbeddings(model="all-MiniLM-L6-v2").embed_query("red wine")) == 384


def test_async_gives_the_same_vectors() -> None:
    embeddings = ZeroShotEmbeddings(model=HashEncoder(32))
    assert asyncio.run(embeddings.aembed_documents(["a wine"])) == embeddings.embed_documents(["a wine"])


def test_serves_a_vector_store_of_langchain() -> None:
    store = InMemoryVectorStore(ZeroShotEmbeddings(model=HashEncoder(256)))
    store.add_texts(["dry red wine", "crunchy biscuits for dogs"])
    assert store.similarity_search("red wine", k=1)[0].page_content == "dry red wine"


@pytest.mark.filterwarnings("ignore:The function `loads` is in beta")
def test_round_trip_keeps_the_folder_and_hides_the_token(saved_model: Path) -> None:
    text = dumps(ZeroShotEmbeddings(model=saved_model, token="hush"))
    assert "hush" not in text
    again = loads(
        text,
        allowed_objects=[ZeroShotEmbeddings],
        valid_namespaces=["langchain_zeroshot"],
        secrets_map={"MILVUS_TOKEN": "hush"},
    )
    assert again.model == str(saved_model)
    assert again.token.get_secret_value() == "hush"


def test_an_empty_text_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="non-empty"):
        ZeroShotEmbeddings(model=HashEncoder(32)).embed_documents(["wine", " "])


def test_an_unknown_argument_is_refused() -> None:
    with pytest.raises(
        ValueError, match="ZeroShotEmbeddings does not know 'batch'; it takes model, model_name, token, uri"
    ):
        ZeroShotEmbeddings(model="all-MiniLM-L6-v2", batch=3)
