"""Knowledge graphs from LlamaIndex's and back, and from what a language model reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias, cast

from llama_index.core.graph_stores import types as graphs
from llama_index.core.llms import LLM
from llama_index.core.prompts import PromptTemplate
from llama_index.core.schema import BaseNode, TextNode, TransformComponent
from zeroshot_core.checks import known_arguments
from zeroshot_core.construction import GraphBuilder, ask_all
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.graph.records import merge_concepts, merge_relations
from zeroshot_core.types import Item

from llama_index_zeroshot import _convert as convert

Nodes: TypeAlias = Iterable[graphs.LabelledNode]


def from_property_graph(graph: graphs.LabelledPropertyGraph) -> KnowledgeGraph:
    """Take over a property graph, which stays as it is; see `from_entities`."""
    return from_entities(graph.nodes.values(), graph.relations.values())


def to_property_graph(graph: KnowledgeGraph) -> graphs.LabelledPropertyGraph:
    """Copy a graph into a property graph; see `to_entities`.

    Raises
    ------
    InvalidInputError
        If LlamaIndex takes two concepts or two relations for one, by the keys that it makes of ids.
    """
    entities, relations = to_entities(graph)
    copy = graphs.LabelledPropertyGraph()
    for entity in entities:
        copy.add_node(entity)
    for relation in relations:
        copy.add_relation(relation)
    if len(copy.nodes) < len(graph) or len(copy.relations) < len(graph.relations):
        raise InvalidInputError("expected ids that LlamaIndex tells apart, got some of one key; give others")
    return copy


def from_entities(nodes: Nodes, relations: Iterable[graphs.Relation]) -> KnowledgeGraph:
    """Unite entities and relations, which stay as they are.

    Entities of the same id become one concept, with the properties name, synonyms and description where they
    are filled; equal relations one relation with the largest property weight. Its sources are its properties
    sources and ``triplet_source_id``. Chunks of text are no concepts: they are left out, with the relations
    to them.

    Raises
    ------
    InvalidInputError
        If an entity has several labels, a relation ends at an unknown one, or a property is damaged.
    """
    nodes = list(nodes)
    chunks = {node.id for node in nodes if isinstance(node, graphs.ChunkNode)}
    entities = [node for node in nodes if node.id not in chunks]
    ids = {node.id: convert.key_of(node) for node in entities}
    kept = (each for each in relations if not {each.source_id, each.target_id} & chunks)
    found = merge_relations(convert.to_relation(each, ids) for each in kept)
    return KnowledgeGraph(merge_concepts(map(convert.to_concept, entities)), found)


def to_entities(graph: KnowledgeGraph) -> tuple[list[graphs.EntityNode], list[graphs.Relation]]:
    """Copy concepts into entities named by their ids, and relations into LlamaIndex's."""
    entities = [convert.to_entity(concept) for concept in graph.concepts.values()]
    return entities, [convert.to_triple(relation) for relation in graph.relations]


@known_arguments
class ZeroShotGraphBuilder(GraphBuilder[LLM | TransformComponent, BaseNode]):
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

    def _extract(self, texts: Sequence[str]) -> Sequence[Any]:
        if not isinstance(self.llm, TransformComponent):
            return super()._extract(texts)
        nodes = [TextNode(text=text) for text in texts]
        # It opens an event loop of its own, for which the caller's thread may have no room.
        with ThreadPoolExecutor(1) as pool:
            return [*map(_triples, pool.submit(self.llm, nodes).result())]

    def _answers(self, prompts: list[str], schema: dict[str, Any]) -> Sequence[Any]:
        output_cls, llm = convert.to_class(schema), cast("LLM", self.llm)

        def ask(prompt: str) -> Any:
            # A program writes into its template: each call has its own.
            template = PromptTemplate("{question}")
            return llm.structured_predict(output_cls, template, question=prompt).model_dump()

        return ask_all(ask, prompts, max_concurrency=self.max_concurrency)

    def _source(self, document: BaseNode) -> Item:
        return Item(id=document.node_id, text=document.get_content())


def _triples(node: BaseNode) -> list[dict[str, str]]:
    entities = {entity.id: entity for entity in node.metadata.get(graphs.KG_NODES_KEY, [])}
    relations = node.metadata.get(graphs.KG_RELATIONS_KEY, [])
    ends = [(one, entities[one.source_id], entities[one.target_id]) for one in relations]
    return [
        {"head": h.name, "head_type": h.label, "relation": r.label, "tail": t.name, "tail_type": t.label}
        for r, h, t in ends
    ]
