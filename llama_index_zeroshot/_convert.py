"""The only mapping between LlamaIndex's records and the core's."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import cache
from types import new_class
from typing import Annotated, Any, SupportsIndex, cast

from llama_index.core.base.response.schema import AsyncStreamingResponse, Response, StreamingResponse
from llama_index.core.graph_stores.types import TRIPLET_SOURCE_KEY, EntityNode, LabelledNode
from llama_index.core.graph_stores.types import Relation as Triple
from llama_index.core.schema import BaseNode, ImageNode, NodeWithScore, QueryBundle, TextNode
from llama_index.core.vector_stores import FilterCondition, MetadataFilter, MetadataFilters
from llama_index.core.vector_stores.utils import metadata_dict_to_node
from pydantic import BaseModel, ConfigDict, WithJsonSchema, create_model
from zeroshot_core.encoders import Encoder, KnownVectors
from zeroshot_core.explain import attributes
from zeroshot_core.graph.records import concept_attributes, concept_of, relation_attributes, relation_of
from zeroshot_core.images import ImageSource, is_uri, is_url
from zeroshot_core.index import Filter
from zeroshot_core.index.filters import filter_of
from zeroshot_core.retrieval import Fact
from zeroshot_core.serving.argument_names import known_keywords
from zeroshot_core.serving.inputs import item_from_attributes
from zeroshot_core.serving.language_model import stream_words, stream_words_async
from zeroshot_core.types import Concept, Evidence, Hit, Item, Prediction, Relation


def to_item(query: QueryBundle) -> Item:
    """Item that a query describes, by its text, its image, or both."""
    image = query.image_path
    return Item(id="query-0", text=query.query_str if image is None else query.query_str or None, image=image)


def to_query(query: QueryBundle) -> str | Item:
    """Give what a query looks for: its text as it is, or an item with its image."""
    return query.query_str if query.image_path is None else to_item(query)


@known_keywords
def from_nodes(nodes: Iterable[BaseNode], *, concept_fields: Sequence[str] = ()) -> list[Item]:
    """Items of nodes, such as those of an `IngestionPipeline`; the nodes stay as they are.

    Plain metadata are the item's, a list of ids under ``concepts`` its links to the graph. The image of an
    `ImageNode`, or of a `Node` with an image resource, is the item's.

    Parameters
    ----------
    concept_fields
        Metadata that link a node to more concepts: values such as `KnowledgeGraph.from_table` makes ids of
        (``kind`` links ``wine`` to ``kind:wine``), or these ids, one or several.

    Raises
    ------
    InvalidInputError
        If a node has neither a text nor an image, or its concepts are no list of ids.
    """
    return [_from_node(node, concept_fields) for node in nodes]


def _from_node(node: BaseNode, concept_fields: Sequence[str]) -> Item:
    image, text = _image_of(node), node.get_content()
    item = item_from_attributes(
        node.node_id, text if image is None else text or "image", node.metadata, concept_fields
    )
    return item if image is None else replace(item, text=text.strip() or None, image=image)


def _image_of(node: Any) -> ImageSource | None:
    """Image of a node, as its bytes, path or URL."""
    if isinstance(node, ImageNode):
        data, path, url = node.image, node.image_path, node.image_url
    elif (resource := getattr(node, "image_resource", None)) is not None:
        data, path, url = resource.data, resource.path, resource.url
    else:
        return None
    if data is not None:
        return b64decode(data)
    return path if path is not None else None if url is None else str(url)


def reuse_vectors(nodes: Iterable[BaseNode], encoder: Encoder) -> Encoder:
    """Make an encoder that takes the vectors of embedded nodes from them, and encodes all other texts.

    Parameters
    ----------
    encoder
        The one that embedded them, for example `ZeroShotEmbedding`'s. Of nodes with equal texts the last
        one's vector counts.

    Raises
    ------
    InvalidInputError
        If the vectors are of another dimension than the encoder's.
    """
    known = {node.get_content(): node.embedding for node in nodes if node.embedding is not None}
    return KnownVectors(encoder, known)


def to_node(hit: Hit, found: BaseNode | None = None) -> NodeWithScore:
    """Node of a hit; its metadata are the item's, with score, parts, path and concepts added.

    A language model reads all but score and parts; an embedding is made of the text and the item's own.

    Parameters
    ----------
    found
        The node that the hit ranks, which is copied.
    """
    node = (found or _stored(hit)).model_copy()
    node.__class__ = _found_class(type(node))
    added = attributes.hit_reasons(hit)
    node.metadata = attributes.own_attributes(node.metadata) | added
    node.excluded_embed_metadata_keys = [*dict.fromkeys([*node.excluded_embed_metadata_keys, *added])]
    numbers = ("zeroshot_score", "zeroshot_parts", attributes.IMAGE)
    node.excluded_llm_metadata_keys = [*dict.fromkeys([*node.excluded_llm_metadata_keys, *numbers])]
    return NodeWithScore(node=node, score=float(hit.score))


class _Found:
    """Base of nodes that are equal, and hash alike, where the item's own are, however a query found it.

    What fuses the nodes of several queries tells them apart by their hash.
    """

    @property
    def hash(self) -> str:
        """Hash of the node without what a query added to it."""
        return str(super(_Found, _without_reasons(self)).hash)  # type: ignore[misc]

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return bool(super(_Found, _without_reasons(self)).__eq__(_without_reasons(other)))

    __hash__ = None  # type: ignore[assignment]

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        # Its class is made here: what is sent is a node of the stored one's class, with what was added.
        sent: Any = self.model_copy()  # type: ignore[attr-defined]
        sent.__class__ = type(self).__bases__[1]
        return copy, (sent,)


@cache
def _found_class(kind: type[BaseNode]) -> type[BaseNode]:
    """Class of nodes of a kind that were found."""
    if issubclass(kind, _Found):
        return kind
    found: Any = new_class(kind.__name__, (_Found, kind), {}, lambda names: names.update(__module__=__name__))
    return cast("type[BaseNode]", found)


def _without_reasons(node: Any) -> Any:
    return node.model_copy(update={"metadata": attributes.own_attributes(node.metadata)})


def _stored(hit: Hit) -> BaseNode:
    """Node of an item; the whole one where a vector store of LlamaIndex has kept it."""
    if "_node_content" in hit.metadata:
        return metadata_dict_to_node(dict(hit.metadata), text=hit.text)
    if not hit.image:
        return TextNode(id_=hit.id, text=hit.text, metadata=dict(hit.metadata))
    image: dict[str, Any] = {"image_path": hit.image}
    if is_url(hit.image):
        image = {"image_url": hit.image}
    elif is_uri(hit.image):
        head, _, data = hit.image.partition(",")
        image = {"image": data, "image_mimetype": head[5:].partition(";")[0]} if data else {}
    return ImageNode(id_=hit.id, text=hit.text, metadata=dict(hit.metadata), **image)


def to_response(prediction: Prediction, words: Callable[[Prediction], str]) -> Response:
    """Response of a prediction: reasons in words, evidence as source nodes, numbers as metadata."""
    extra = attributes.evidence_attributes(prediction.evidence) | attributes.prediction_attributes(prediction)
    return Response(words(prediction), _nodes(prediction.evidence), extra)


def to_stream(evidence: Evidence, drafts: Iterator[Prediction]) -> StreamingResponse:
    """Response whose text is read as it is written; most of its metadata are there at the end of it."""
    metadata = attributes.evidence_attributes(evidence)
    return StreamingResponse(stream_words(drafts, metadata), _nodes(evidence), metadata)


def to_async_stream(evidence: Evidence, drafts: AsyncIterator[Prediction]) -> AsyncStreamingResponse:
    """Response whose text is read as it is written; most of its metadata are there at the end of it."""
    metadata = attributes.evidence_attributes(evidence)
    return AsyncStreamingResponse(stream_words_async(drafts, metadata), _nodes(evidence), metadata)


def _nodes(evidence: Evidence) -> list[NodeWithScore]:
    return [to_node(hit) for hit in (*evidence.items, *evidence.concepts)]


def to_entity(concept: Concept, **more: str) -> EntityNode:
    """Entity named by the id of a concept, with more properties than the concept's own."""
    return EntityNode(name=concept.id, label=concept.type, properties=concept_attributes(concept) | more)


def to_concept(entity: LabelledNode) -> Concept:
    """Concept of an entity."""
    return concept_of(key_of(entity), entity.properties, type_=entity.label)


def key_of(node: LabelledNode) -> str:
    """Name of an entity where there is one: in its id, quotes are blanks."""
    return node.name if isinstance(node, EntityNode) else node.id


def to_triple(relation: Relation) -> Triple:
    """Relation of LlamaIndex's between entities."""
    start, end = EntityNode(name=relation.head).id, EntityNode(name=relation.tail).id
    properties = relation_attributes(relation)
    return Triple(label=relation.type, source_id=start, target_id=end, properties=properties)


def to_relation(triple: Triple, ids: Mapping[str, str]) -> Relation:
    """Relation between concepts.

    Parameters
    ----------
    ids
        Id of a concept by that of its entity.
    """
    head, tail = (ids.get(end, end) for end in (triple.source_id, triple.target_id))
    source = str(triple.properties.get(TRIPLET_SOURCE_KEY) or "")
    return relation_of(head, triple.label, tail, triple.properties, source=source)


def to_fact(fact: Fact) -> tuple[EntityNode, Triple, EntityNode]:
    """Triplet of a fact; LlamaIndex looks for its source at its head."""
    head, relation, tail = fact
    source = {TRIPLET_SOURCE_KEY: relation.sources[0]} if relation.sources else {}
    return to_entity(head, **source), to_triple(relation), to_entity(tail)


def to_filter(filters: MetadataFilters | Filter | Mapping[str, Any] | None) -> Filter | None:
    """Filter of LlamaIndex's; ``contains``, ``any`` and ``all`` apply to the key ``concepts``.

    Raises
    ------
    InvalidInputError
        If `filters` is of another type, or an operator has no counterpart.
    """
    return filter_of(_mapping(filters) if isinstance(filters, MetadataFilters) else filters)


def _mapping(filters: MetadataFilters) -> dict[str, Any]:
    parts = [
        _mapping(part) if isinstance(part, MetadataFilters) else _condition(part) for part in filters.filters
    ]
    condition = filters.condition or FilterCondition.AND
    return {"$not": {"$or": parts}} if condition == FilterCondition.NOT else {f"${condition.value}": parts}


def _condition(part: MetadataFilter) -> dict[str, Any]:
    return {part.key: {f"${part.operator.name.lower()}": part.value}}


def to_class(schema: Mapping[str, Any]) -> type[BaseModel]:
    """Class with a JSON schema that takes anything: the core says what is wrong with an answer."""
    fields: dict[str, Any] = {
        name: (Annotated[Any, WithJsonSchema(part)], ...) for name, part in schema["properties"].items()
    }
    # A model that is held to the schema must stop after these, though more would be read.
    config = ConfigDict(json_schema_extra={"additionalProperties": False})
    return create_model(schema["title"], __doc__=schema["description"], __config__=config, **fields)
