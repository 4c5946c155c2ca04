"""The three collections of a version: their fields, limits and indexes, and records as rows and back.

========== =================================================================================================
items      id, vector, text, concepts (array of strings), metadata (JSON), content_hash
concepts   id, vector, name, type, description, synonyms (array of strings), content_hash
relations  id (a hash of the edge), vector, head, type, tail, weight, sources (array of strings), content_hash
========== =================================================================================================
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.types import Concept, Item, Relation

if TYPE_CHECKING:
    from zeroshot_core.index.connection import Connection
    from zeroshot_core.index.params import IndexParams

__all__ = [
    "KINDS",
    "SCHEMA_VERSION",
    "TEXT_BYTES",
    "Record",
    "concept_row",
    "create_collection",
    "create_indexes",
    "item_row",
    "output_fields",
    "relation_row",
    "to_record",
]

Record = TypeVar("Record", Item, Concept, Relation)

SCHEMA_VERSION = 2
TEXT_BYTES = 65535
KINDS = ("items", "concepts", "relations")

_KEY_BYTES = 512
_JSON_BYTES = 65536
_MAX_STRINGS = 4096
_OUTPUT_FIELDS = {
    "items": ("id", "text", "concepts", "metadata"),
    "concepts": ("id", "name", "type", "description", "synonyms"),
    "relations": ("id", "head", "type", "tail", "weight", "sources"),
}
_TEXT_FIELDS = ("text", "name", "description")


def output_fields(kind: str) -> list[str]:
    """Fields from which `to_record` makes a record."""
    return list(_OUTPUT_FIELDS[kind])


def create_collection(
    connection: Connection, collection: str, kind: str, dimension: int, properties: dict[str, str]
) -> None:
    """Make an empty collection without indexes."""
    from pymilvus import DataType, MilvusClient

    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=_KEY_BYTES)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dimension)
    for name in (*_OUTPUT_FIELDS[kind][1:], "content_hash"):
        _add_field(schema, name)
    connection.clear_remnant(collection)
    connection.call(
        "create_collection", collection, schema=schema, properties=properties, consistency_level="Session"
    )


def create_indexes(
    connection: Connection, collection: str, kind: str, dimension: int, params: IndexParams
) -> None:
    """Index the vectors, and the ends of relations, unless that is done; then load the collection."""
    from pymilvus import MilvusClient

    indexes = MilvusClient.prepare_index_params()
    indexes.add_index("vector", **params.build_options(dimension, is_lite=connection.is_lite))
    if kind == "relations":
        # A server picks the scalar index that its release has; Milvus Lite wants the name.
        for name in ("head", "tail"):
            indexes.add_index(name, index_type="INVERTED" if connection.is_lite else "")
    if not connection.call("list_indexes", collection):
        # Waiting would poll every half second; a collection is searchable while a server still indexes it.
        connection.call("create_index", collection, indexes, sync=False)
    connection.call("load_collection", collection)


def _add_field(schema: Any, name: str) -> None:
    from pymilvus import DataType

    if name in ("concepts", "sources", "synonyms"):
        schema.add_field(
            name,
            DataType.ARRAY,
            element_type=DataType.VARCHAR,
            max_capacity=_MAX_STRINGS,
            max_length=_KEY_BYTES,
        )
    elif name == "metadata":
        schema.add_field(name, DataType.JSON)
    elif name == "weight":
        schema.add_field(name, DataType.DOUBLE)
    else:
        schema.add_field(
            name, DataType.VARCHAR, max_length=TEXT_BYTES if name in _TEXT_FIELDS else _KEY_BYTES
        )


def item_row(item: Item) -> dict[str, Any]:
    """Row of an item without its vector, checked against the limits of the fields.

    Raises
    ------
    InvalidInputError
        If the id, the text, a concept or the metadata is over its limit in bytes, or the metadata is no JSON.
    """
    where = f"item {item.id!r}"
    text = item.text if item.text is not None else _path_of(item.image)
    _check_bytes(where, "id", item.id, _KEY_BYTES)
    _check_bytes(where, "text", text, TEXT_BYTES)
    _check_strings(where, "concepts", item.concepts)
    metadata = {key: _plain(value) for key, value in item.metadata.items()}
    return {
        "id": item.id,
        "text": text,
        "concepts": list(item.concepts),
        "metadata": metadata,
        "content_hash": _hash(_checked_json(where, metadata), text, *item.concepts, _pixels(item)),
    }


def concept_row(concept: Concept) -> dict[str, Any]:
    """Row of a concept without its vector, checked against the limits of the fields."""
    where = f"concept {concept.id!r}"
    for name, value, limit in (
        ("id", concept.id, _KEY_BYTES),
        ("type", concept.type, _KEY_BYTES),
        ("name", concept.name, TEXT_BYTES),
        ("description", concept.description, TEXT_BYTES),
    ):
        _check_bytes(where, name, value, limit)
    _check_strings(where, "synonyms", concept.synonyms)
    row = {
        "id": concept.id,
        "name": concept.name,
        "type": concept.type,
        "description": concept.description,
        "synonyms": list(concept.synonyms),
    }
    return {**row, "content_hash": _hash(_checked_json(where, row))}


def relation_row(relation: Relation) -> dict[str, Any]:
    """Row of a relation without its vector, checked against the limits of the fields."""
    where = f"relation {relation.head!r} -{relation.type}-> {relation.tail!r}"
    for name, value in (("head", relation.head), ("type", relation.type), ("tail", relation.tail)):
        _check_bytes(where, name, value, _KEY_BYTES)
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
        "content_hash": _hash(key, repr(weight), *relation.sources),
    }


def to_record(kind: str, row: Mapping[str, Any]) -> Item | Concept | Relation:
    """Make the record that a row holds. An image that has no path comes back as an empty image."""
    if kind == "items":
        return Item(
            id=row["id"],
            text=row["text"] or None,
            image=None if row["text"] else "",
            concepts=tuple(row["concepts"]),
            metadata=row["metadata"],
        )
    if kind == "concepts":
        return Concept(
            id=row["id"],
            name=row["name"],
            type=row["type"],
            description=row["description"],
            synonyms=tuple(row["synonyms"]),
        )
    return Relation(
        head=row["head"],
        type=row["type"],
        tail=row["tail"],
        weight=row["weight"],
        sources=tuple(row["sources"]),
    )


def _hash(*parts: str) -> str:
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(8, "little") + encoded)
    return digest.hexdigest()[:32]


def _path_of(image: Any) -> str:
    return os.fspath(image) if isinstance(image, (str, os.PathLike)) else ""


def _pixels(item: Item) -> str:
    """Digest of an image's bytes; empty for a text."""
    if item.image is None:
        return ""
    path = _path_of(item.image)
    try:
        return hashlib.sha256(Path(path).read_bytes() if path else item.image.tobytes()).hexdigest()
    except (OSError, AttributeError) as error:
        raise InvalidInputError(
            f"item {item.id!r}: expected an image that is a readable path or a PIL image, got {item.image!r}"
        ) from error


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def _check_bytes(where: str, name: str, value: str, limit: int) -> None:
    # A character takes at most four bytes, which spares encoding the short ones.
    if len(value) * 4 > limit and len(value.encode()) > limit:
        raise InvalidInputError(
            f"{where}: expected {name} of at most {limit} bytes, got {len(value.encode())}; shorten it"
        )


def _check_strings(where: str, name: str, values: Sequence[str]) -> None:
    if len(values) > _MAX_STRINGS:
        raise InvalidInputError(
            f"{where}: expected at most {_MAX_STRINGS} {name}, got {len(values)}; keep fewer"
        )
    for value in values:
        _check_bytes(where, f"string in {name}", value, _KEY_BYTES)


def _checked_json(where: str, value: dict[str, Any]) -> str:
    try:
        encoded = json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(
            f"{where}: expected metadata of strings, finite numbers and booleans, got {value!r}"
        ) from error
    _check_bytes(where, "metadata", encoded, _JSON_BYTES)
    return encoded
