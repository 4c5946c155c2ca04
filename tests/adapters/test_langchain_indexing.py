"""LangChain's indexing API keeps a vector store as its documents are, by both of its record managers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from langchain_classic.indexes import SQLRecordManager
from langchain_core.documents import Document
from langchain_core.indexing import InMemoryRecordManager, aindex, index
from zeroshot_core.encoders import HashEncoder

from langchain_zeroshot import ZeroShotEmbeddings, ZeroShotVectorStore


def in_memory() -> Any:
    return InMemoryRecordManager("shop")


def in_sql() -> Any:
    return SQLRecordManager("shop", db_url="sqlite:///:memory:")


@pytest.fixture
def store() -> Iterator[ZeroShotVectorStore]:
    made = ZeroShotVectorStore.from_texts([], ZeroShotEmbeddings(HashEncoder(64)))
    yield made
    made._owner.close()


def page(text: str, source: str) -> Document:
    return Document(page_content=text, metadata={"source": source})


def texts(store: ZeroShotVectorStore) -> list[str]:
    return sorted(document.page_content for document in store.similarity_search("wine", k=10))


@pytest.mark.parametrize("manager", [in_memory, in_sql])
def test_documents_are_added_skipped_updated_and_deleted(manager: Any, store: ZeroShotVectorStore) -> None:
    records = manager()
    records.create_schema()
    options = {"source_id_key": "source", "key_encoder": "sha256"}
    pages = [page("red wine", "a"), page("white wine", "a"), page("pasta", "b")]
    assert index(pages, records, store, cleanup="incremental", **options)["num_added"] == 3
    assert index(pages, records, store, cleanup="incremental", **options)["num_skipped"] == 3
    pages[1] = page("rose wine", "a")
    changed = index(pages, records, store, cleanup="incremental", **options)
    assert (changed["num_added"], changed["num_deleted"], changed["num_skipped"]) == (1, 1, 2)
    assert texts(store) == ["pasta", "red wine", "rose wine"]
    left = index([pages[0]], records, store, cleanup="full", **options)
    assert left["num_deleted"] == 2
    assert texts(store) == ["red wine"]
    assert index([], records, store, cleanup="full", **options)["num_deleted"] == 1
    assert texts(store) == []


async def test_it_is_async_too(store: ZeroShotVectorStore) -> None:
    records = in_memory()
    await records.acreate_schema()
    pages = [page("red wine", "a"), page("pasta", "b")]
    await aindex(pages, records, store, cleanup="full", key_encoder="sha256")
    left = await aindex(pages[:1], records, store, cleanup="full", key_encoder="sha256")
    assert left["num_deleted"] == 1
    assert texts(store) == ["red wine"]
