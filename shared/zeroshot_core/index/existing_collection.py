"""A collection that another library made and fills, read as it is beside a graph that is kept in memory."""

from __future__ import annotations

from collections import abc
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph import KnowledgeGraph, concept_vectors
from zeroshot_core.index.collection import (
    CollectionInfo,
    Direction,
    SearchResult,
    check_ids,
    check_search,
    search_each,
)
from zeroshot_core.index.connection import Connection, begin_each
from zeroshot_core.index.filters import Condition, Filter, FilterColumns, literal, literals, render
from zeroshot_core.index.knn import nearest_rows
from zeroshot_core.index.params import METRICS, to_scores
from zeroshot_core.types import Concept, Item, Relation

if TYPE_CHECKING:
    from pymilvus import MilvusClient

    from zeroshot_core.encoders.base import Encoder
    from zeroshot_core.types import Scalar, Vectors

__all__ = ["CollectionFields", "ExistingCollection"]

_IDS_PER_READ = 4096
# A server sends at most 100 MB: 6 KB a hit.
_HITS_PER_CALL = 16384
_N_SAMPLED = 16
_UNIT_TOLERANCE = 1e-2
_LEAST = -(2**63) + 1


@dataclass(frozen=True, kw_only=True)
class CollectionFields:
    """Names of the fields of a collection.

    Parameters
    ----------
    primary, text, vector
        Field of the ids (strings or whole numbers), of the texts, and of the vectors.
    metadata
        JSON field that holds all metadata; None where each key is a field or a dynamic field of its own.
    concepts
        Metadata that link an item to concepts of the graph: an id or several, or values such as
        `KnowledgeGraph.from_table` makes ids of (``kind`` links ``wine`` to ``kind:wine``).
    """

    primary: str = "pk"
    text: str = "text"
    vector: str = "vector"
    metadata: str | None = None
    concepts: tuple[str, ...] = ()


class ExistingCollection:
    """Reads of a collection as a `Retriever` needs them (a `Collection`); nothing is ever written.

    The graph stays in memory: its concepts are embedded once, when the collection is opened. Made by `open`.
    """

    def __init__(
        self,
        info: CollectionInfo,
        connection: Connection,
        columns: ForeignColumns,
        metric: str,
        graph: KnowledgeGraph,
        vectors_of_concepts: Vectors,
        partitions: Sequence[str] | None = None,
    ) -> None:
        self.info = info
        self._connection = connection
        self._columns = columns
        self._fields = columns.fields
        self._metric = metric
        self._graph = graph
        self._concepts = list(graph.concepts.values())
        self._vectors_of_concepts = vectors_of_concepts
        self._options = {"partition_names": list(partitions)} if partitions else {}

    @classmethod
    def open(
        cls,
        client: MilvusClient,
        collection: str,
        encoder: Encoder,
        graph: KnowledgeGraph | None = None,
        *,
        fields: CollectionFields,
        partitions: Sequence[str] | None = None,
    ) -> ExistingCollection:
        """Open a collection through a client, which stays the caller's.

        Parameters
        ----------
        encoder
            The one whose vectors the collection holds.
        graph
            Its concepts are what `fields.concepts` name.
        partitions
            Names of partitions to stay in; all if None.

        Raises
        ------
        InvalidInputError
            If the collection or a field is not there, its vectors are of another dimension than the
            encoder's, or they are not of unit length while the metric needs that.
        """
        graph = KnowledgeGraph() if graph is None else graph
        connection = Connection(client, address=f"the client of {collection!r}")
        if not connection.call("has_collection", collection):
            raise InvalidInputError(f"expected an existing collection, got {collection!r}; fill it first")
        description = connection.call("describe_collection", collection)
        # A client says nothing else of whether it is one of a local file.
        is_lite = str(connection.call("get_server_version")).startswith("milvus_lite")
        columns = ForeignColumns(description, fields, graph, takes_lists=not is_lite)
        columns.check_dimension(encoder.dimension)
        metric = _metric(connection, collection, fields.vector)
        connection.call("load_collection", collection)
        info = CollectionInfo(
            id=collection,
            fingerprint=encoder.document_fingerprint,
            encoder=encoder.name,
            dimension=encoder.dimension,
            graph_digest=graph.digest,
            counts={"concepts": len(graph), "relations": len(graph.relations), "names": 0},
        )
        opened = cls(info, connection, columns, metric, graph, concept_vectors(graph, encoder), partitions)
        opened._check_lengths()
        opened.info = replace(info, counts={"items": opened.count(), **info.counts})
        return opened

    def count(self) -> int:
        """Count the items, all writes included."""
        answer = self._query("", ["count(*)"], consistency_level="Strong")
        return int(answer[0]["count(*)"])

    def search_items(self, vectors: Vectors, top_k: int, filter: Filter | None = None) -> SearchResult[Item]:
        """Nearest items of each query vector, shape (q, d)."""
        return self._begin_search(vectors, top_k, filter, is_alone=True)()

    def begin_search(
        self, vectors: Vectors, top_k: int, filter: Filter | None = None
    ) -> Callable[[], SearchResult[Item]]:
        """Begin `search_items`: what it returns waits for a server's answer, or searches a local file."""
        return self._begin_search(vectors, top_k, filter, is_alone=False)

    def known_items(self, ids: abc.Collection[str]) -> dict[str, Item]:
        """Items by id; ids that are not there are left out."""
        rows = self._rows_of(list(ids), self._columns.output)
        return {item.id: item for item in map(self._item, rows)}

    def items(self, ids: Sequence[str]) -> list[Item]:
        """Items in the order of the ids.

        Raises
        ------
        InvalidInputError
            If an id is not there.
        """
        found = self.known_items(dict.fromkeys(ids))
        check_ids("items", ids, found)
        return [found[key] for key in ids]

    def item_vectors(self, ids: Sequence[str]) -> Vectors:
        """Vectors of items in the order of the ids, shape (n, d), unit rows.

        Raises
        ------
        InvalidInputError
            If an id is not there.
        """
        primary, vector = self._fields.primary, self._fields.vector
        rows = self._rows_of(list(dict.fromkeys(ids)), [primary, vector])
        found = {str(row[primary]): np.asarray(row[vector], dtype=np.float32) for row in rows}
        check_ids("items", ids, found)
        vectors = np.asarray([found[key] for key in ids], np.float32).reshape(len(ids), self.info.dimension)
        unit: Vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return unit

    def search_linked(
        self,
        vectors: Vectors,
        concept_ids: Sequence[Sequence[str]],
        top_k: int,
        filter: Filter | None = None,
    ) -> SearchResult[Item]:
        """Nearest items of each query among those that a field links to at least one of its concepts.

        Parameters
        ----------
        vectors
            Shape (q, d).
        concept_ids
            For each query; without concepts it finds nothing.
        """
        concepts = concept_ids if self._fields.concepts else [()] * len(vectors)
        return search_each(self.begin_search, vectors, concepts, top_k, filter)

    def search_concepts(self, vectors: Vectors, top_k: int) -> SearchResult[Concept]:
        """Nearest concepts of each query vector, shape (q, d), exactly."""
        queries = check_search(vectors, top_k, self.info.dimension)
        rows, scores = nearest_rows(queries, self._vectors_of_concepts, top_k)
        records = [[self._concepts[row] for row in found] for found in rows.tolist()]
        return SearchResult(
            ids=[[concept.id for concept in found] for found in records], scores=list(scores), records=records
        )

    def known_concepts(self, ids: abc.Collection[str]) -> dict[str, Concept]:
        """Concepts by id; ids that are not in the graph are left out."""
        return {id_: self._graph.concepts[id_] for id_ in ids if id_ in self._graph}

    def concept_vectors(self, ids: Sequence[str]) -> Vectors:
        """Vectors of concepts in the order of the ids, shape (n, d), unit rows.

        Raises
        ------
        InvalidInputError
            If an id is not there.
        """
        check_ids("concepts", ids, self._graph)
        return self._vectors_of_concepts[[self._graph.positions[id_] for id_ in ids]]

    def relations_of(self, concept_ids: Sequence[str], direction: Direction = "both") -> list[Relation]:
        """Relations that begin (``out``), end (``in``) or do either at these concepts, in graph order."""
        ends = set(concept_ids)
        return [
            relation
            for relation in self._graph.relations
            if (direction != "in" and relation.head in ends) or (direction != "out" and relation.tail in ends)
        ]

    def _begin_search(
        self, vectors: Vectors, top_k: int, filter: Filter | None, *, is_alone: bool
    ) -> Callable[[], SearchResult[Item]]:
        queries = check_search(vectors, top_k, self.info.dimension)
        expression = render(filter, self._columns)
        step = max(1, _HITS_PER_CALL // top_k)
        parts = (queries[start : start + step] for start in range(0, len(queries), step))
        is_alone = is_alone and len(queries) <= step
        begun = begin_each(lambda part: self._begin_hits(part, top_k, expression, is_alone=is_alone), parts)
        return lambda: self._result([hits for answer in begun for hits in answer])

    def _begin_hits(
        self, queries: Vectors, top_k: int, expression: str, *, is_alone: bool
    ) -> Callable[[], Any]:
        return self._connection.begin(
            "search",
            self.info.id,
            is_alone=is_alone,
            data=list(queries),
            anns_field=self._fields.vector,
            limit=top_k,
            filter=expression,
            output_fields=self._columns.output,
            **self._options,
        )

    def _result(self, answer: Sequence[Any]) -> SearchResult[Item]:
        known: dict[Any, Item] = {}
        for hits in answer:
            for key, hit in zip(hits.ids, hits, strict=True):
                if key not in known:
                    known[key] = self._item(hit["entity"])
        records = [[known[key] for key in hits.ids] for hits in answer]
        return SearchResult(
            ids=[[item.id for item in found] for found in records],
            scores=[to_scores(np.asarray(hits.distances, dtype=np.float64), self._metric) for hits in answer],
            records=records,
        )

    def _rows_of(self, ids: list[str], output: list[str]) -> Iterator[Mapping[str, Any]]:
        for start in range(0, len(ids), _IDS_PER_READ):
            condition = Condition("id", "in", tuple(ids[start : start + _IDS_PER_READ]))
            yield from self._query(render(condition, self._columns), output)

    def _query(self, expression: str, output: list[str], **options: Any) -> Sequence[Mapping[str, Any]]:
        rows: Sequence[Mapping[str, Any]] = self._connection.call(
            "query", self.info.id, filter=expression, output_fields=output, **options, **self._options
        )
        return rows

    def _item(self, row: Mapping[str, Any]) -> Item:
        metadata = self._columns.metadata(row)
        text = str(row.get(self._fields.text) or "")
        return Item(
            id=str(row[self._fields.primary]),
            text=text if text.strip() else None,
            image=None if text.strip() else "",  # an item without a text must have one
            concepts=self._columns.concepts(metadata),
            metadata=metadata,
        )

    def _check_lengths(self) -> None:
        """Refuse vectors whose distances say nothing about cosines."""
        if self._metric == "COSINE":
            return
        vector = self._fields.vector
        rows = self._query(self._columns.constant(True), [vector], limit=_N_SAMPLED)
        lengths = [float(np.linalg.norm(np.asarray(row[vector], dtype=np.float32))) for row in rows]
        if any(abs(length - 1) > _UNIT_TOLERANCE for length in lengths):
            raise InvalidInputError(
                f"expected vectors of unit length beside the metric {self._metric}, got lengths "
                f"up to {max(lengths):.3g} in {self.info.id!r}; index the field with COSINE"
            )


class ForeignColumns(FilterColumns):
    """Fields of a collection as it describes itself.

    Raises
    ------
    InvalidInputError
        If a named field is not there.
    """

    def __init__(
        self,
        description: Mapping[str, Any],
        fields: CollectionFields,
        graph: KnowledgeGraph,
        *,
        takes_lists: bool = False,
    ) -> None:
        from pymilvus import DataType

        super().__init__(takes_lists=takes_lists)
        self.fields = fields
        self._collection = description["collection_name"]
        self._graph = graph
        self._types = {field["name"]: DataType(field["type"]) for field in description["fields"]}
        self._dimensions = {
            field["name"]: int(field["params"]["dim"])
            for field in description["fields"]
            if field["type"] == DataType.FLOAT_VECTOR
        }
        self._own = {fields.primary, fields.text, fields.vector}
        self._is_dynamic = bool(description.get("enable_dynamic_field"))
        self._check()
        vectors = {name for name, kind in self._types.items() if "VECTOR" in kind.name}
        names = [name for name in self._types if name not in vectors]
        self.output = [*names, "$meta"] if self._is_dynamic else names

    def check_dimension(self, dimension: int) -> None:
        """Refuse an encoder of another dimension."""
        found = self._dimensions[self.fields.vector]
        if found != dimension:
            raise InvalidInputError(
                f"expected an encoder of dimension {found}, as {self.fields.vector!r} of "
                f"{self._collection!r} holds, got {dimension}; take the encoder that made the vectors"
            )

    def metadata(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Metadata of a row, in plain values."""
        given = row.get(self.fields.metadata) or {} if self.fields.metadata else row
        return {key: _plain(value) for key, value in given.items() if key not in self._own | {"$meta"}}

    def concepts(self, metadata: Mapping[str, Any]) -> tuple[str, ...]:
        """Concepts of the graph that metadata name, each once."""
        named: dict[str, None] = {}
        for field in self.fields.concepts:
            value = metadata.get(field)
            for one in value if isinstance(value, list) else [value]:
                for id_ in (str(one), f"{field}:{one}"):
                    if id_ in self._graph:
                        named[id_] = None
        return tuple(named)

    def name(self, field: str) -> str:
        """Write the field of a condition."""
        if field in {"id", "text"}:
            return self.fields.primary if field == "id" else self.fields.text
        if self.fields.metadata:
            return f"{self.fields.metadata}[{literal(field)}]"
        if self.is_column(field):
            return field
        if not self._is_dynamic:
            known = ", ".join(name for name in self._types if name not in self._own)
            raise InvalidInputError(f"expected a field of {self._collection!r} ({known}), got {field!r}")
        return field if field.isidentifier() else f"$meta[{literal(field)}]"

    def is_column(self, field: str) -> bool:
        """Whether the field is there in every row."""
        return field in {"id", "text", "concepts"} or (not self.fields.metadata and field in self._types)

    def value(self, field: str, value: Scalar) -> str:
        """Write a value that a field is compared with; ids are strings here, and may be numbers there."""
        if field == "id" and self._is_numbered:
            return str(value) if str(value).lstrip("-").isdigit() else str(_LEAST)
        return literal(value)

    def linked(self, concept_ids: Sequence[Scalar]) -> str:
        """Write that an item is linked to any of the concepts."""
        parts = [part for field in self.fields.concepts for part in self._links(field, concept_ids)]
        return " or ".join(f"({part})" for part in parts) or self.constant(False)

    def constant(self, value: bool) -> str:
        """Write what holds for every row, or for none."""
        least = _LEAST if self._is_numbered else '""'
        return f"{self.fields.primary} {'!=' if value else '=='} {least}"

    @property
    def _is_numbered(self) -> bool:
        return bool(self._types[self.fields.primary].name == "INT64")

    def _links(self, field: str, concept_ids: Sequence[Scalar]) -> Iterator[str]:
        ids = [str(id_) for id_ in concept_ids]
        values = [*ids, *(id_.removeprefix(f"{field}:") for id_ in ids if id_.startswith(f"{field}:"))]
        name = self.name(field)
        kind = self._types[field].name if self.is_column(field) else "JSON"
        if kind == "ARRAY":
            yield f"array_contains_any({name}, {literals(values)})"
        elif kind == "JSON":
            # The key may be missing, and hold one value or several.
            alone = " or ".join(f"{name} == {literal(value)}" for value in values)
            yield f"(exists {name}) and ({alone} or json_contains_any({name}, {literals(values)}))"
        elif kind == "VARCHAR":
            yield f"{name} in {literals(values)}"
        elif numbers := [value for value in values if value.lstrip("-").isdigit()]:
            yield f"{name} in [{', '.join(numbers)}]"

    def _check(self) -> None:
        named = [self.fields.primary, self.fields.text, self.fields.vector]
        named += [self.fields.metadata] if self.fields.metadata else []
        missing = [name for name in named if name not in self._types]
        if missing or self.fields.vector not in self._dimensions:
            raise InvalidInputError(
                f"expected the fields {', '.join(named)} in {self._collection!r}, the vectors of floats, got "
                f"{', '.join(f'{name} ({kind.name})' for name, kind in self._types.items())}; name them"
            )
        for field in self.fields.concepts:
            self.name(field)


def _metric(connection: Connection, collection: str, vector: str) -> str:
    indexes = [
        connection.call("describe_index", collection, name)
        for name in connection.call("list_indexes", collection)
    ]
    metrics = [index["metric_type"] for index in indexes if index["field_name"] == vector]
    if not metrics or metrics[0] not in METRICS:
        raise InvalidInputError(
            f"expected the field {vector!r} of {collection!r} to be indexed by one of {', '.join(METRICS)}, "
            f"got {metrics[0] if metrics else 'no index'}; index it"
        )
    return str(metrics[0])


def _plain(value: Any) -> Any:
    """Make lists of whatever a client returns as arrays."""
    is_plain = isinstance(value, str | int | float | dict | list) or value is None
    return value if is_plain else list(value)
