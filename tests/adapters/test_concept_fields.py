"""Metadata that name concepts link Documents and nodes to the graph, alike in both frameworks."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.documents import Document
from llama_index.core.schema import TextNode
from zeroshot_core import InvalidInputError, KnowledgeGraph, UnknownConceptError
from zeroshot_core.encoders import HashEncoder

from langchain_zeroshot import ZeroShotEmbeddings, ZeroShotRetriever, ZeroShotVectorStore, from_documents
from llama_index_zeroshot import from_nodes

FIELDS = ["kind", "year", "tags"]


@pytest.mark.parametrize(
    ("metadata", "concepts", "kept"),
    [
        ({"kind": "wine", "year": 1999}, ("kind:wine", "year:1999"), {"kind": "wine", "year": 1999}),
        ({"kind": "kind:wine"}, ("kind:wine",), {"kind": "kind:wine"}),
        ({"kind": ["wine", "gift"], "price": 3.0}, ("kind:wine", "kind:gift"), {"price": 3.0}),
        ({"concepts": ["kind:wine"], "kind": "wine"}, ("kind:wine",), {"kind": "wine"}),
        ({"kind": None, "year": " "}, (), {"year": " "}),
    ],
)
def test_fields_link_as_a_table_does(
    metadata: dict[str, Any], concepts: tuple[str, ...], kept: dict[str, Any]
) -> None:
    documents = from_documents([Document(page_content="a text", metadata=metadata)], concept_fields=FIELDS)
    nodes = from_nodes([TextNode(id_="document-0", text="a text", metadata=metadata)], concept_fields=FIELDS)
    assert documents == nodes
    assert (nodes[0].concepts, nodes[0].metadata) == (concepts, kept)


def test_what_is_no_name_or_no_value_is_told() -> None:
    document = Document(page_content="a text", metadata={"kind": {"a": 1}})
    with pytest.raises(InvalidInputError, match="'kind': expected strings or numbers"):
        from_documents([document], concept_fields=["kind"])
    with pytest.raises(
        InvalidInputError, match="expected concept_fields as a list of names, got one: 'kind'"
    ):
        from_documents([document], concept_fields="kind")


def test_a_store_of_documents_is_searched_through_the_graph() -> None:
    graph = KnowledgeGraph.from_table([{"kind": "wine"}, {"kind": "food"}], ["kind"])
    shop = [
        Document(id="a", page_content="a bottle of Chianti", metadata={"kind": ["wine"]}),
        Document(id="b", page_content="chicken pate", metadata={"kind": "food"}),
    ]
    store = ZeroShotVectorStore.from_documents(
        shop, ZeroShotEmbeddings(HashEncoder(64)), graph=graph, concept_fields=["kind"]
    )
    retriever = ZeroShotRetriever(store._retriever, graph_weight=1.0)
    assert retriever.invoke("wine")[0].metadata["zeroshot_path"] == "query -near-> kind:wine <-kind- a"
    store.add_documents([Document(id="c", page_content="Barolo", metadata={"kind": "wine"})])
    assert {d.id for d in retriever.invoke("wine", k=2)} == {"a", "c"}
    with pytest.raises(UnknownConceptError, match="kind:robot"):
        store.add_documents([Document(page_content="a robot", metadata={"kind": "robot"})])
