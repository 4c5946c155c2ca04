"""Both builders with a real, small model: from its own words to concepts and relations that cite the text."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.documents import Document
from llama_index.core.schema import TextNode
from small_llm import SmallChatModel, SmallLLM
from zeroshot_core.construction import GraphBuild

import langchain_zeroshot
import llama_index_zeroshot

TEXT = "Aspirin treats headache. Aspirin is made by Bayer."
TYPES: dict[str, Any] = {
    "concept_types": ["drug", "symptom", "company"],
    "relation_types": ["treats", "made by"],
}


def check(made: GraphBuild) -> None:
    """The answer is valid under the schema, and the graph is made of it; whether it is true is not asked."""
    report, graph = made.report, made.graph
    assert (report.n_texts, report.n_failed, report.n_malformed, report.n_refused) == (1, 0, 0, 0)
    assert report.n_triples >= 1
    assert set(graph.types) <= set(TYPES["concept_types"])
    assert set(graph.relation_types) <= set(TYPES["relation_types"])
    assert all(relation.sources == ("note",) for relation in graph.relations)
    assert set(made.mentions["note"]) == set(graph.concepts)


@pytest.mark.slow
def test_a_real_chat_model_of_langchain_builds_a_graph() -> None:
    builder = langchain_zeroshot.ZeroShotGraphBuilder(SmallChatModel(), **TYPES)
    check(builder.build([Document(id="note", page_content=TEXT)]))


@pytest.mark.slow
def test_a_real_model_of_llama_index_builds_a_graph() -> None:
    builder = llama_index_zeroshot.ZeroShotGraphBuilder(SmallLLM(), **TYPES)
    check(builder.build([TextNode(id_="note", text=TEXT)]))
