"""Both builders, on recorded answers: what is said of one holds for the other."""

from __future__ import annotations

import copy
import inspect
from pathlib import Path
from typing import Any, Literal

import pytest
from langchain_core.documents import Document
from llama_index.core.graph_stores.types import KG_RELATIONS_KEY
from llama_index.core.indices.property_graph import SchemaLLMPathExtractor
from llama_index.core.schema import TextNode
from recorded_llms import MODELS, RecordedLLM
from zeroshot_core import Concept, InvalidInputError, Item, KnowledgeGraph
from zeroshot_core.construction import GraphBuild

import langchain_zeroshot
import llama_index_zeroshot

KAFKA = "Kafka is written in Scala; {braces} stay."
SPARK = "Spark is written in Scala, and reads from Kafka."
BUILDERS = {
    "langchain": langchain_zeroshot.ZeroShotGraphBuilder,
    "llama_index": llama_index_zeroshot.ZeroShotGraphBuilder,
}


def triple(head: str, relation: str, tail: str, tail_type: str = "language") -> dict[str, str]:
    return {"head": head, "head_type": "software", "relation": relation, "tail": tail, "tail_type": tail_type}


ANSWERS = {
    KAFKA: {"triples": [triple("Kafka", "written in", "Scala")]},
    SPARK: {
        "triples": [triple("Spark", "written_in", "scala"), triple("Spark", "reads", "kafka", "software")]
    },
}


def sources(framework: str) -> list[Any]:
    if framework == "langchain":
        return [
            Document(id="d1", page_content=KAFKA),
            Document(id="d2", page_content=SPARK, metadata={"k": 1}),
        ]
    return [TextNode(id_="d1", text=KAFKA), TextNode(id_="d2", text=SPARK, metadata={"k": 1})]


def build(framework: str, answers: dict[str, Any], **options: Any) -> GraphBuild:
    return BUILDERS[framework](MODELS[framework](answers=answers), **options).build(sources(framework))


@pytest.mark.parametrize("framework", BUILDERS)
def test_a_model_reads_texts_into_a_graph_that_cites_them(framework: str) -> None:
    graph = build(framework, ANSWERS).graph

    assert [(r.head, r.type, r.tail, r.sources) for r in graph.relations] == [
        ("software:kafka", "written_in", "language:scala", ("d1",)),
        ("software:spark", "written_in", "language:scala", ("d2",)),
        ("software:spark", "reads", "software:kafka", ("d2",)),
    ]


def test_both_frameworks_build_the_same_graph() -> None:
    damaged = {KAFKA: {"triples": [{"head": "x"}, *ANSWERS[KAFKA]["triples"]]}, SPARK: ANSWERS[SPARK]}
    with pytest.warns(UserWarning, match="left out 1 malformed triples"):
        langchain, llama_index = (build(framework, damaged) for framework in BUILDERS)

    assert langchain == llama_index
    assert langchain.report.n_malformed == 1
    assert langchain.report.n_triples == 3


def test_both_take_the_same_arguments() -> None:
    for method in ("__init__", "build", "abuild"):
        first, second = (inspect.signature(getattr(builder, method)) for builder in BUILDERS.values())
        assert list(first.parameters) == list(second.parameters)
        assert [p.default for p in first.parameters.values()] == [
            p.default for p in second.parameters.values()
        ]


@pytest.mark.parametrize("framework", BUILDERS)
def test_the_model_is_told_the_types_the_schema_and_what_else_it_must_know(framework: str) -> None:
    model = MODELS[framework](answers=ANSWERS)
    builder = BUILDERS[framework](
        model,
        concept_types=["software", "language"],
        relation_types=["written in", "reads"],
        instructions="Leave out companies.",
    )
    graph = builder.build(sources(framework)).graph

    assert graph.relation_types == ("written in", "reads")
    (prompt,) = [prompt for prompt in model.prompts if KAFKA in prompt]
    for said in ("software, language", "written in, reads", "Leave out companies."):
        assert said in prompt


@pytest.mark.parametrize("framework", BUILDERS)
@pytest.mark.parametrize(
    "failure", [TimeoutError("too slow"), pytest.param({"facts": 1}, id="other JSON"), {"triples": "none"}]
)
def test_a_text_on_which_the_model_fails_costs_only_itself(framework: str, failure: Any) -> None:
    with pytest.warns(UserWarning, match=r"left out .*first: d1: "):
        made = build(framework, {**ANSWERS, KAFKA: failure})

    assert made.report.n_failed + made.report.n_malformed == 1
    assert len(made.graph.relations) == 2


@pytest.mark.parametrize("framework", BUILDERS)
def test_a_model_that_answers_nonsense_throughout_is_refused(framework: str) -> None:
    with pytest.raises(InvalidInputError, match="expected usable triples from 2 texts, got none"):
        build(framework, {text: {"triples": [{"head": "x"}]} for text in ANSWERS})


@pytest.mark.parametrize("framework", BUILDERS)
def test_a_given_graph_is_extended(framework: str) -> None:
    known = KnowledgeGraph([Concept(id="Q1", name="Apache Kafka", synonyms=("Kafka",), type="software")])
    exact = build(framework, ANSWERS, graph=known)
    linked = build(framework, ANSWERS, graph=known, link=lambda names: ["Q1"] * len(names))

    assert exact.mentions == {
        "d1": ("Q1", "language:scala"),
        "d2": ("software:spark", "language:scala", "Q1"),
    }
    assert set(linked.graph.concepts) == {"Q1"}


@pytest.mark.parametrize("framework", BUILDERS)
def test_answers_are_kept_for_the_next_run(framework: str, tmp_path: Path) -> None:
    once = build(framework, ANSWERS, checkpoint=tmp_path / "answers.jsonl")
    again = build(framework, {}, checkpoint=tmp_path / "answers.jsonl")

    assert once == again


@pytest.mark.parametrize("framework", BUILDERS)
async def test_a_graph_is_built_off_the_loop(framework: str) -> None:
    builder = BUILDERS[framework](MODELS[framework](answers=ANSWERS))

    assert await builder.abuild(sources(framework)) == builder.build(sources(framework))


@pytest.mark.parametrize("framework", BUILDERS)
def test_items_and_bare_texts_are_read_too_and_nothing_is_changed(framework: str) -> None:
    given = [*sources(framework), Item(id="i", text=KAFKA), SPARK]
    before = copy.deepcopy(given)
    graph = BUILDERS[framework](MODELS[framework](answers=ANSWERS)).build(given).graph

    assert given == before
    assert graph.relations[0].sources == ("d1", "i")
    assert graph.relations[1].sources[1].startswith("text-")


def test_a_document_without_an_id_is_cited_as_its_bare_text() -> None:
    builder = langchain_zeroshot.ZeroShotGraphBuilder(MODELS["langchain"](answers=ANSWERS))

    assert builder.build([Document(page_content=KAFKA)]) == builder.build([KAFKA])


@pytest.mark.parametrize("running", [False, True])
async def test_a_path_extractor_of_llama_index_reads_for_the_builder(running: bool) -> None:
    def path(head: str, relation: str, tail: str, tail_type: str) -> dict[str, Any]:
        subject = {"name": head, "type": "SOFTWARE"}
        return {
            "subject": subject,
            "relation": {"type": relation},
            "object": {"name": tail, "type": tail_type},
        }

    answers = {
        KAFKA: {"triplets": [path("Kafka", "WRITTEN_IN", "Scala", "LANGUAGE")]},
        SPARK: {"triplets": [path("Spark", "READS", "Kafka", "SOFTWARE")]},
    }
    extractor = SchemaLLMPathExtractor(
        RecordedLLM(answers=answers),
        possible_entities=Literal["SOFTWARE", "LANGUAGE"],
        possible_relations=Literal["WRITTEN_IN", "READS"],
        kg_validation_schema=[("SOFTWARE", "WRITTEN_IN", "LANGUAGE"), ("SOFTWARE", "READS", "SOFTWARE")],
    )
    nodes = sources("llama_index")
    builder = llama_index_zeroshot.ZeroShotGraphBuilder(extractor)
    graph = (builder.build(nodes) if running else await builder.abuild(nodes)).graph

    assert [(r.head, r.type, r.tail, r.sources) for r in graph.relations] == [
        ("software:kafka", "written_in", "language:scala", ("d1",)),
        ("software:spark", "reads", "software:kafka", ("d2",)),
    ]
    assert all(KG_RELATIONS_KEY not in node.metadata for node in nodes)
