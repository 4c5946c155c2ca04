"""Graph builder: nodes in, a knowledge graph that cites them out."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

from llama_index.core.graph_stores.types import KG_NODES_KEY, KG_RELATIONS_KEY
from llama_index.core.llms import LLM
from llama_index.core.prompts import PromptTemplate
from llama_index.core.schema import BaseNode, TextNode, TransformComponent
from pydantic import BaseModel, WithJsonSchema, create_model
from zeroshot_core.construction import (
    Extractor,
    GraphBuild,
    NameLinker,
    build_graph,
    extraction_prompt,
    triples_schema,
)
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.types import Item


class ZeroShotGraphBuilder:
    """Knowledge graph of what a language model reads in texts; relations cite the ids of the nodes.

    A text for which the model fails, and a triple that is malformed, is left out and named in the report. The
    nodes stay as they are.

    Parameters
    ----------
    llm
        Any LLM, or a path extractor of LlamaIndex such as `SchemaLLMPathExtractor`, which has its own prompt.
    graph
        What is known, to be extended; its concepts are kept as they are.
    link
        Names in, for each the id of a concept of `graph` or None out; by default equal names and synonyms.
    concept_types, relation_types
        What is allowed; all where None.
    instructions
        What else the model is told.
    checkpoint
        A file to which answers are added, so that an interrupted run goes on where it stopped; it belongs to
        one model with one prompt.
    max_concurrency
        Most calls of the model at a time.
    """

    def __init__(
        self,
        llm: LLM | TransformComponent,
        *,
        graph: KnowledgeGraph | None = None,
        link: NameLinker | None = None,
        concept_types: Sequence[str] | None = None,
        relation_types: Sequence[str] | None = None,
        instructions: str = "",
        checkpoint: str | Path | None = None,
        max_concurrency: int = 4,
    ) -> None:
        self.llm = llm
        self.graph = graph
        self.link = link
        self.concept_types = concept_types
        self.relation_types = relation_types
        self.instructions = instructions
        self.checkpoint = checkpoint
        self.max_concurrency = max_concurrency

    def build(self, documents: Sequence[BaseNode | Item | str], *, show_progress: bool = False) -> GraphBuild:
        """Build or extend the graph; a bare text is cited by a digest of it."""
        return build_graph(
            [_source(document) for document in documents],
            self._extractor(),
            graph=self.graph,
            link=self.link,
            concept_types=self.concept_types,
            relation_types=self.relation_types,
            checkpoint=self.checkpoint,
            show_progress=show_progress,
        )

    async def abuild(
        self, documents: Sequence[BaseNode | Item | str], *, show_progress: bool = False
    ) -> GraphBuild:
        """Build or extend the graph off the loop."""
        return await asyncio.to_thread(self.build, documents, show_progress=show_progress)

    def _extractor(self) -> Extractor:
        llm = self.llm
        if isinstance(llm, TransformComponent):
            return _path_extractor(llm)
        types: dict[str, Any] = {"concept_types": self.concept_types, "relation_types": self.relation_types}
        output_cls = _output_class(triples_schema(**types))

        def ask(text: str) -> Any:
            question = extraction_prompt(text, **types, instructions=self.instructions)
            # A program writes into its template: each call has its own.
            template = PromptTemplate("{question}")
            try:
                answer = llm.structured_predict(output_cls, template, question=question)
            except Exception as error:  # one text that fails does not cost the others
                return error
            return answer.model_dump() if isinstance(answer, BaseModel) else answer

        def extract(texts: Sequence[str]) -> list[Any]:
            with ThreadPoolExecutor(self.max_concurrency) as pool:
                return list(pool.map(ask, texts))

        return extract


def _output_class(schema: dict[str, Any]) -> type[BaseModel]:
    """Class with that schema that takes any list: one malformed triple does not cost its neighbours."""
    triples = Annotated[list[Any], WithJsonSchema(schema["properties"]["triples"])]
    return create_model(schema["title"], __doc__=schema["description"], triples=(triples, ...))


def _path_extractor(extractor: TransformComponent) -> Extractor:
    def extract(texts: Sequence[str]) -> list[Any]:
        # It opens an event loop of its own, for which the caller's thread may have no room.
        with ThreadPoolExecutor(1) as pool:
            nodes = pool.submit(extractor, [TextNode(text=text) for text in texts]).result()
        return [_triples(node) for node in nodes]

    return extract


def _triples(node: BaseNode) -> list[dict[str, str]]:
    entities = {entity.id: entity for entity in node.metadata.get(KG_NODES_KEY, [])}
    triples = []
    for relation in node.metadata.get(KG_RELATIONS_KEY, []):
        head, tail = entities[relation.source_id], entities[relation.target_id]
        ends = {"head": head.name, "head_type": head.label, "tail": tail.name, "tail_type": tail.label}
        triples.append({**ends, "relation": relation.label})
    return triples


def _source(document: BaseNode | Item | str) -> Item | str:
    if not isinstance(document, BaseNode):
        return document
    return Item(id=document.node_id, text=document.get_content())
