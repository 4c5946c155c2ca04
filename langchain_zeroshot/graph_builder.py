"""Graph builder: Documents in, a knowledge graph that cites them out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import RunnableConfig
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

from langchain_zeroshot._convert import off_loop


class ZeroShotGraphBuilder:
    """Knowledge graph of what a chat model reads in texts; relations cite the ids of the Documents.

    A text for which the model fails, and a triple that is malformed, is left out and named in the report.

    Parameters
    ----------
    llm
        Any chat model with structured output.
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
        llm: BaseChatModel,
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

    def build(self, documents: Sequence[Document | Item | str], *, show_progress: bool = False) -> GraphBuild:
        """Build or extend the graph; a Document without an id is cited by a digest of its text."""
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
        self, documents: Sequence[Document | Item | str], *, show_progress: bool = False
    ) -> GraphBuild:
        """Build or extend the graph off the loop."""
        return await off_loop(self.build)(documents, show_progress=show_progress)

    def _extractor(self) -> Extractor:
        types: dict[str, Any] = {"concept_types": self.concept_types, "relation_types": self.relation_types}
        # As a dictionary the schema guides the model, and one malformed triple does not cost its neighbours.
        chain = self.llm.with_structured_output(triples_schema(**types))

        def extract(texts: Sequence[str]) -> list[Any]:
            prompts = [extraction_prompt(text, **types, instructions=self.instructions) for text in texts]
            config = RunnableConfig(max_concurrency=self.max_concurrency)
            return chain.batch([*prompts], config, return_exceptions=True)

        return extract


def _source(document: Document | Item | str) -> Item | str:
    if not isinstance(document, Document):
        return document
    return document.page_content if document.id is None else Item(id=document.id, text=document.page_content)
