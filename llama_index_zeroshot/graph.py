"""Knowledge graphs from LlamaIndex's property graphs, entities and relations, and back."""

from __future__ import annotations

from collections.abc import Iterable

from llama_index.core.graph_stores.types import (
    TRIPLET_SOURCE_KEY,
    ChunkNode,
    EntityNode,
    LabelledNode,
    LabelledPropertyGraph,
)
from llama_index.core.graph_stores.types import Relation as Triplet
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.graph.records import (
    concept_attributes,
    concept_of,
    merge_concepts,
    merge_relations,
    relation_attributes,
    relation_of,
)
from zeroshot_core.types import Concept, Relation

__all__ = ["from_entities", "from_property_graph", "to_entities", "to_property_graph"]


def from_property_graph(graph: LabelledPropertyGraph) -> KnowledgeGraph:
    """Take over a property graph, which stays as it is; see `from_entities`."""
    return from_entities(graph.nodes.values(), graph.relations.values())


def to_property_graph(graph: KnowledgeGraph) -> LabelledPropertyGraph:
    """Copy a graph into a property graph; see `to_entities`.

    Raises
    ------
    InvalidInputError
        If LlamaIndex takes two concepts or two relations for one, by the keys that it makes of ids.
    """
    entities, relations = to_entities(graph)
    copy = LabelledPropertyGraph()
    for entity in entities:
        copy.add_node(entity)
    for relation in relations:
        copy.add_relation(relation)
    if len(copy.nodes) < len(graph) or len(copy.relations) < len(graph.relations):
        raise InvalidInputError(
            "expected ids that LlamaIndex tells apart, got concepts or relations that share a key "
            "once quotes are blanks and head, type and tail are joined by '_'; give them other ids"
        )
    return copy


def from_entities(nodes: Iterable[LabelledNode], relations: Iterable[Triplet]) -> KnowledgeGraph:
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
    chunks = {node.id for node in nodes if isinstance(node, ChunkNode)}
    ids = {node.id: _id(node) for node in nodes if node.id not in chunks}
    concepts = merge_concepts(_concept(node) for node in nodes if node.id not in chunks)
    kept = (each for each in relations if not {each.source_id, each.target_id} & chunks)
    return KnowledgeGraph(concepts, merge_relations(_relation(each, ids) for each in kept))


def to_entities(graph: KnowledgeGraph) -> tuple[list[EntityNode], list[Triplet]]:
    """Copy concepts into entities named by their ids, and relations into LlamaIndex's."""
    entities = [_entity(concept) for concept in graph.concepts.values()]
    keys = dict(zip(graph.concept_ids, (entity.id for entity in entities), strict=True))
    relations = [
        Triplet(
            label=relation.type,
            source_id=keys[relation.head],
            target_id=keys[relation.tail],
            properties=relation_attributes(relation),
        )
        for relation in graph.relations
    ]
    return entities, relations


def _id(node: LabelledNode) -> str:
    """Name of an entity where there is one: in its id, quotes are blanks."""
    return node.name if isinstance(node, EntityNode) else node.id


def _concept(node: LabelledNode) -> Concept:
    return concept_of(_id(node), node.properties, type_=node.label)


def _entity(concept: Concept) -> EntityNode:
    return EntityNode(name=concept.id, label=concept.type, properties=concept_attributes(concept))


def _relation(relation: Triplet, ids: dict[str, str]) -> Relation:
    head = ids.get(relation.source_id, relation.source_id)
    tail = ids.get(relation.target_id, relation.target_id)
    source = str(relation.properties.get(TRIPLET_SOURCE_KEY) or "")
    return relation_of(head, relation.label, tail, relation.properties, source=source)
