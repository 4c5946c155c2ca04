"""The four collections of a version: their fields, limits and indexes, and their rows.

========== ============================================================================================
items      id, vector, text, concepts (array of strings), metadata (JSON); where words are indexed, words
           (`word_text`) and lexical (a sparse vector, which Milvus's BM25 function makes of them). What the
           image of an item is stands in the metadata, under `IMAGE` and `MODALITY`; its path is no text
concepts   id, vector, name, type, description, synonyms (array of strings), position in the graph
relations  id (a hash), vector, head, type, tail, weight, sources (array of strings), position
names      id (`name_id`), vector, concept, text: each name and synonym; empty if the vectors of the
           concepts are those of their names
========== ============================================================================================

Each row also has a content_hash, by which a build that is resumed knows what is written. Hashes and ids are
stored: their values must never change within a `SCHEMA_VERSION`.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeAlias

import numpy as np

from zeroshot_core.checks import has_control_character, shown
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.files import digest
from zeroshot_core.graph.names import case_key
from zeroshot_core.images import image_digest, kept_image
from zeroshot_core.index.collection import ConceptName, Record
from zeroshot_core.index.filters import LARGEST, SMALLEST, Condition, check_key
from zeroshot_core.index.tenant import TENANT_BYTES
from zeroshot_core.types import KEY_BYTES, Concept, Item, Relation, Scalar

if TYPE_CHECKING:
    from zeroshot_core.index.connection import Connection
    from zeroshot_core.index.params import IndexParams

__all__ = [
    "CONCEPTS",
    "ITEMS",
    "KINDS",
    "LEXICAL",
    "MODALITIES",
    "NAMES",
    "RELATIONS",
    "SCHEMA_VERSION",
    "TEXT_BYTES",
    "WORDS",
    "RecordKind",
    "Row",
    "check_row",
    "concept_row",
    "create_collection",
    "create_indexes",
    "item_row",
    "kept_metadata",
    "name_id",
    "name_rows",
    "of_modality",
    "relation_row",
]

Row: TypeAlias = dict[str, Any]
"""What the client of Milvus takes and returns for one row."""

SCHEMA_VERSION = 4
WORDS, LEXICAL = "words", "lexical"
# Keys of metadata that say what an item with an image is; items of texts have none.
IMAGE, MODALITY = "zeroshot.image", "zeroshot.modality"
MODALITIES = ("text", "image", "text+image")
TEXT_BYTES = 65535
MAX_STRINGS = 4096
_JSON_BYTES = 65536
_TEXT_FIELDS = ("text", "name", "description")
_NUMBER_FIELDS = {"weight": float, "position": int}
_ARRAY_FIELDS = ("concepts", "sources", "synonyms")


@dataclass(frozen=True, kw_only=True)
class RecordKind(Generic[Record]):
    """What one of the four collections holds.

    Parameters
    ----------
    name
        Of the collection, within a version.
    fields
        Those that make a record.
    record
        Makes it of a row with these fields.
    is_placed
        Whether a row knows its position in the graph.
    indexed
        Fields by which rows are looked up.
    """

    name: str
    fields: tuple[str, ...]
    record: Callable[[Mapping[str, Any]], Record]
    is_placed: bool = False
    indexed: tuple[str, ...] = ()

    @property
    def stored(self) -> tuple[str, ...]:
        """All fields of a row but its vector."""
        return (*self.fields, "content_hash", *(("position",) if self.is_placed else ()))


def item_row(item: Item) -> Row:
    """Row of an item without its vector, checked against the limits of the fields.

    Raises
    ------
    InvalidInputError
        If the id, the text, a concept or the metadata is over its limit in bytes, an id holds a control
        character, or the metadata hold a key or a value that no filter can express.
    """
    where = f"item {shown(item.id)}"
    text = item.text or ""
    _check_id(where, "id", item.id)
    _check_bytes(where, "text", text, TEXT_BYTES)
    _check_strings(where, "concepts", item.concepts)
    metadata = kept_metadata(item, _checked_metadata(where, item.metadata))
    return {
        "id": item.id,
        "text": text,
        "concepts": list(item.concepts),
        "metadata": metadata,
        "content_hash": _hash(_checked_json(where, metadata), text, *item.concepts, _image_digest(item)),
    }


def kept_metadata(item: Item, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata as they are stored: with what the image of the item is, if it has one.

    Raises
    ------
    InvalidInputError
        If a key of the metadata is one of ours, or an image cannot be read.
    """
    if ours := {IMAGE, MODALITY}.intersection(metadata):
        raise InvalidInputError(
            f"item {shown(item.id)}: expected metadata without the key {ours.pop()!r}, which says what an "
            "image is; rename it"
        )
    if item.image is None:
        return dict(metadata)
    try:
        return {**metadata, IMAGE: kept_image(item.image), MODALITY: item.modality}
    except InvalidInputError as error:
        raise InvalidInputError(f"item {shown(item.id)}: {error}") from error


def of_modality(modality: str) -> Condition:
    """Filter items by what they are said by: ``"text"``, ``"image"`` or ``"text+image"``."""
    if modality == MODALITIES[0]:
        return Condition(MODALITY, "not in", MODALITIES[1:])
    return Condition(MODALITY, "==", modality)


def concept_row(concept: Concept, position: int) -> Row:
    """Row of a concept without its vector, checked against the limits of the fields.

    Parameters
    ----------
    position
        Its place in the graph.
    """
    where = f"concept {shown(concept.id)}"
    _check_id(where, "id", concept.id)
    _check_id(where, "type", concept.type)
    _check_bytes(where, "name", concept.name, TEXT_BYTES)
    _check_bytes(where, "description", concept.description, TEXT_BYTES)
    _check_strings(where, "synonyms", concept.synonyms)
    row = {
        "id": concept.id,
        "name": concept.name,
        "type": concept.type,
        "description": concept.description,
        "synonyms": list(concept.synonyms),
    }
    return {**row, "position": position, "content_hash": _hash(_checked_json(where, row))}


def relation_row(relation: Relation, position: int) -> Row:
    """Row of a relation without its vector, checked against the limits of the fields."""
    where = f"relation {shown(relation.head)} -{relation.type}-> {shown(relation.tail)}"
    for name, value in (("head", relation.head), ("type", relation.type), ("tail", relation.tail)):
        _check_id(where, name, value)
    _check_strings(where, "sources", relation.sources)
    key = _hash(relation.head, relation.type, relation.tail)
    weight = float(relation.weight)
    return {
        "id": key,
        "head": relation.head,
        "type": relation.type,
        "tail": relation.tail,
        "weight": weight,
        "sources": list(relation.sources),
        "position": position,
        "content_hash": _hash(key, repr(weight), *relation.sources),
    }


def name_rows(concepts: Iterable[Concept]) -> list[Row]:
    """Rows of the names of checked concepts, without vectors."""
    n_texts: dict[str, Counter[str]] = {}
    rows = []
    for concept in concepts:
        for text in dict.fromkeys((concept.name, *concept.synonyms)):
            known = n_texts.setdefault(case_key(text), Counter())
            known[concept.id] += 1
            key = name_id(text, len(known) - 1, known[concept.id] - 1)
            hash_ = _hash(concept.id, text)
            rows.append({"id": key, "concept": concept.id, "text": text, "content_hash": hash_})
    return rows


def check_row(kind: RecordKind[Any], row: Row) -> None:
    """Refuse a row that was read from a file and does not fit the collection.

    Raises
    ------
    InvalidInputError
        If a field is missing, of another type, or over its limit in bytes.
    """
    where = f"{kind.name} {shown(row.get('id'))}"
    for name in kind.stored:
        value = row.get(name)
        if name in _ARRAY_FIELDS and isinstance(value, list) and all(isinstance(v, str) for v in value):
            _check_strings(where, name, value)
        elif name == "metadata" and isinstance(value, dict):
            _checked_json(where, _checked_metadata(where, value))
        elif name in _TEXT_FIELDS and isinstance(value, str):
            _check_bytes(where, name, value, TEXT_BYTES)
        elif name in _NUMBER_FIELDS and isinstance(value, _NUMBER_FIELDS[name]):
            continue
        elif name not in (*_ARRAY_FIELDS, *_NUMBER_FIELDS, "metadata") and isinstance(value, str):
            _check_id(where, name, value)
        else:
            raise InvalidInputError(
                f"{where}: expected {name} as `VectorIndex.export` writes it, got {shown(value)}"
            )


def name_id(text: str, n_concepts: int = 0, n_texts: int = 0) -> str:
    """Id of the row of a name, so that one read by ids tells whose name a text is.

    Parameters
    ----------
    n_concepts
        Number of concepts before with the same name but for case and spaces.
    n_texts
        Number of names before of the same concept that are the same but for these.
    """
    return f"{_hash(case_key(text))}.{n_concepts}.{n_texts}"


def _item(row: Mapping[str, Any]) -> Item:
    metadata, image = row["metadata"], None
    if MODALITY in metadata:
        image = metadata[IMAGE]
        metadata = {key: value for key, value in metadata.items() if key not in {IMAGE, MODALITY}}
    elif not row["text"]:
        image = ""  # of an index made before images were kept
    return Item(
        id=row["id"],
        text=row["text"] or None,
        image=image,
        concepts=tuple(row["concepts"]),
        metadata=metadata,
    )


def _concept(row: Mapping[str, Any]) -> Concept:
    return Concept(
        id=row["id"],
        name=row["name"],
        type=row["type"],
        description=row["description"],
        synonyms=tuple(row["synonyms"]),
    )


def _relation(row: Mapping[str, Any]) -> Relation:
    return Relation(
        head=row["head"],
        type=row["type"],
        tail=row["tail"],
        weight=row["weight"],
        sources=tuple(row["sources"]),
    )


def _name(row: Mapping[str, Any]) -> ConceptName:
    return ConceptName(concept=row["concept"], text=row["text"])


ITEMS = RecordKind(name="items", fields=("id", "text", "concepts", "metadata"), record=_item)
CONCEPTS = RecordKind(
    name="concepts",
    fields=("id", "name", "type", "description", "synonyms"),
    record=_concept,
    is_placed=True,
)
RELATIONS = RecordKind(
    name="relations",
    fields=("id", "head", "type", "tail", "weight", "sources"),
    record=_relation,
    is_placed=True,
    indexed=("head", "tail"),
)
NAMES = RecordKind(name="names", fields=("id", "concept", "text"), record=_name, indexed=("concept",))
KINDS: tuple[RecordKind[Any], ...] = (ITEMS, CONCEPTS, RELATIONS, NAMES)


def create_collection(
    connection: Connection,
    collection: str,
    kind: RecordKind[Any],
    dimension: int,
    properties: dict[str, str],
    params: IndexParams,
    *,
    of_tenants: bool = False,
) -> None:
    """Make an empty collection without indexes.

    Parameters
    ----------
    of_tenants
        Whether the items are those of many tenants (`index/tenant.py`).
    """
    from pymilvus import DataType, Function, FunctionType, MilvusClient

    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
    is_shared = of_tenants and kind is ITEMS
    if is_shared:
        schema.add_field("key", DataType.VARCHAR, is_primary=True, max_length=TENANT_BYTES + 1 + KEY_BYTES)
        schema.add_field("tenant", DataType.VARCHAR, max_length=TENANT_BYTES, is_partition_key=True)
    schema.add_field("id", DataType.VARCHAR, is_primary=not is_shared, max_length=KEY_BYTES)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dimension)
    for name in (*kind.fields[1:], "content_hash"):
        _add_field(schema, name)
    if params.lexical and kind is ITEMS:
        schema.add_field(WORDS, DataType.VARCHAR, max_length=TEXT_BYTES, enable_analyzer=True)
        schema.add_field(LEXICAL, DataType.SPARSE_FLOAT_VECTOR)
        schema.add_function(
            Function("bm25", FunctionType.BM25, input_field_names=[WORDS], output_field_names=[LEXICAL])
        )
    if kind.is_placed:
        schema.add_field("position", DataType.INT64)
    connection.clear_remnant(collection)
    connection.call(
        "create_collection", collection, schema=schema, properties=properties, consistency_level="Session"
    )


def create_indexes(
    connection: Connection,
    collection: str,
    kind: RecordKind[Any],
    dimension: int,
    n_rows: int,
    params: IndexParams,
    *,
    of_tenants: bool = False,
) -> None:
    """Index the vectors, and the fields that name concepts, unless that is done; then load the collection.

    Parameters
    ----------
    n_rows
        That the collection will have when it is built.
    """
    from pymilvus import MilvusClient

    indexes = MilvusClient.prepare_index_params()
    indexes.add_index("vector", **params.build_options(dimension, n_rows, is_lite=connection.is_lite))
    if params.lexical and kind is ITEMS:
        indexes.add_index(LEXICAL, index_type="SPARSE_INVERTED_INDEX", metric_type="BM25")
    for name in (*kind.indexed, *(("id",) if of_tenants and kind is ITEMS else ())):
        # A server picks the scalar index that its release has; Milvus Lite wants the name.
        indexes.add_index(name, index_type="INVERTED" if connection.is_lite else "")
    if not connection.call("list_indexes", collection):
        # Waiting would poll every half second; a collection is searchable while a server still indexes it.
        connection.call("create_index", collection, indexes, sync=False)
    connection.call("load_collection", collection)


def _add_field(schema: Any, name: str) -> None:
    from pymilvus import DataType

    if name in _ARRAY_FIELDS:
        schema.add_field(
            name,
            DataType.ARRAY,
            element_type=DataType.VARCHAR,
            max_capacity=MAX_STRINGS,
            max_length=KEY_BYTES,
        )
    elif name == "metadata":
        schema.add_field(name, DataType.JSON)
    elif name == "weight":
        schema.add_field(name, DataType.DOUBLE)
    else:
        schema.add_field(name, DataType.VARCHAR, max_length=TEXT_BYTES if name in _TEXT_FIELDS else KEY_BYTES)


def _hash(*parts: str) -> str:
    encoded = [part.encode() for part in parts]
    return digest(*(len(part).to_bytes(8, "little") + part for part in encoded), n=32)


def _image_digest(item: Item) -> str:
    """Digest of an image's bytes; empty for a text."""
    try:
        return "" if item.image is None else image_digest(item.image)
    except InvalidInputError as error:
        raise InvalidInputError(f"item {shown(item.id)}: {error}") from error


def _checked_metadata(where: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata in plain values, which filters can ask for."""
    try:
        metadata = {}
        for key, value in given.items():
            check_key("metadata key", key)
            metadata[key] = _checked_value(key, value.item() if isinstance(value, np.generic) else value)
    except InvalidInputError as error:
        raise InvalidInputError(f"{where}: {error}") from error
    return metadata


def _checked_value(key: str, value: object) -> Scalar:
    """Refuse a value of metadata that a filter cannot be compared with."""
    is_number = isinstance(value, int) and SMALLEST <= value <= LARGEST
    if isinstance(value, str) or is_number or (isinstance(value, float) and math.isfinite(value)):
        return value  # type: ignore[return-value]
    raise InvalidInputError(
        "expected metadata of strings, finite numbers and booleans of at most 64 bits, got "
        f"{shown(key)}: {shown(value)}; write it as a string, or leave it out"
    )


def _check_id(where: str, name: str, value: str) -> None:
    _check_bytes(where, name, value, KEY_BYTES)
    if has_control_character(value):
        raise InvalidInputError(
            f"{where}: expected {name} without control characters, which no filter can express, got "
            f"{shown(value)}; rename it"
        )


def _check_bytes(where: str, name: str, value: str, limit: int) -> None:
    # A character takes at most four bytes, which spares encoding the short ones.
    if len(value) * 4 > limit and len(value.encode()) > limit:
        raise InvalidInputError(
            f"{where}: expected {name} of at most {limit} bytes, got {len(value.encode())}; shorten it"
        )


def _check_strings(where: str, name: str, values: Sequence[str]) -> None:
    if len(values) > MAX_STRINGS:
        raise InvalidInputError(
            f"{where}: expected at most {MAX_STRINGS} {name}, got {len(values)}; keep fewer"
        )
    for value in values:
        _check_id(where, f"string in {name}", value)


def _checked_json(where: str, value: Mapping[str, Any]) -> str:
    try:
        encoded = json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(
            f"{where}: expected metadata of strings, finite numbers and booleans, got {shown(value)}"
        ) from error
    _check_bytes(where, "metadata", encoded, _JSON_BYTES)
    return encoded
