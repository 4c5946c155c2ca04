"""The four collections of a version: their fields, limits and indexes.

========== ============================================================================================
items      id, vector, text, concepts (array of strings), metadata (JSON)
concepts   id, vector, name, type, description, synonyms (array of strings), position in the graph
relations  id (a hash), vector, head, type, tail, weight, sources (array of strings), position
names      id (`rows.name_id`), vector, concept, text: each name and synonym; empty if the vectors of the
           concepts are those of their names
========== ============================================================================================

Each row also has a content_hash, by which a build that is resumed knows what is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zeroshot_core.index.connection import Connection
    from zeroshot_core.index.params import IndexParams

__all__ = [
    "KEY_BYTES",
    "KINDS",
    "MAX_STRINGS",
    "SCHEMA_VERSION",
    "TEXT_BYTES",
    "create_collection",
    "create_indexes",
    "output_fields",
]

SCHEMA_VERSION = 4
KINDS = ("items", "concepts", "relations", "names")
KEY_BYTES = 512
TEXT_BYTES = 65535
MAX_STRINGS = 4096

_OUTPUT_FIELDS = {
    "items": ("id", "text", "concepts", "metadata"),
    "concepts": ("id", "name", "type", "description", "synonyms"),
    "relations": ("id", "head", "type", "tail", "weight", "sources"),
    "names": ("id", "concept", "text"),
}
_GRAPH_KINDS = ("concepts", "relations")
_SCALAR_INDEXES = {"relations": ("head", "tail"), "names": ("concept",)}
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
    schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=KEY_BYTES)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dimension)
    for name in (*_OUTPUT_FIELDS[kind][1:], "content_hash"):
        _add_field(schema, name)
    if kind in _GRAPH_KINDS:
        schema.add_field("position", DataType.INT64)
    connection.clear_remnant(collection)
    connection.call(
        "create_collection", collection, schema=schema, properties=properties, consistency_level="Session"
    )


def create_indexes(
    connection: Connection, collection: str, kind: str, dimension: int, params: IndexParams
) -> None:
    """Index the vectors, and the fields that name concepts, unless that is done; then load the collection."""
    from pymilvus import MilvusClient

    indexes = MilvusClient.prepare_index_params()
    indexes.add_index("vector", **params.build_options(dimension, is_lite=connection.is_lite))
    for name in _SCALAR_INDEXES.get(kind, ()):
        # A server picks the scalar index that its release has; Milvus Lite wants the name.
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
            max_capacity=MAX_STRINGS,
            max_length=KEY_BYTES,
        )
    elif name == "metadata":
        schema.add_field(name, DataType.JSON)
    elif name == "weight":
        schema.add_field(name, DataType.DOUBLE)
    else:
        schema.add_field(name, DataType.VARCHAR, max_length=TEXT_BYTES if name in _TEXT_FIELDS else KEY_BYTES)
