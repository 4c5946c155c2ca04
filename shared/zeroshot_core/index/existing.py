"""A collection that another library made and fills, read as it is beside a graph that is kept in memory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph import KnowledgeGraph, concept_vectors
from zeroshot_core.index.connection import Connection, begin_each
from zeroshot_core.index.existing_columns import CollectionFields, ForeignColumns
from zeroshot_core.index.filters import Condition, Filter, render
from zeroshot_core.index.linked import search_each
from zeroshot_core.index.mirror import nearest_rows
from zeroshot_core.index.params import METRICS, IndexParams, to_scores
from zeroshot_core.index.table import MAX_TOP_K, SearchResult
from zeroshot_core.index.versions import VersionInfo
from zeroshot_core.types import Concept, Item

if TYPE_CHECKING:
    from pymilvus import MilvusClient

    from zeroshot_core.encoders.base import Encoder
    from zeroshot_core.index.open_version import OpenVersion
    from zeroshot_core.types import Floats, Vectors

__all__ = ["CollectionFields", "ExistingCollection", "ItemsAddress", "items_address"]

_IDS_PER_READ = 4096
_QUERIES_PER_CALL = 1024
_N_SAMPLED = 16
_UNIT_TOLERANCE = 1e-2


class ItemsAddress(NamedTuple):
    """Where another library finds the items of a version of ours."""

    uri: str
    db_name: str
    collection: str


def items_address(version: OpenVersion) -> ItemsAddress:
    """Give the address of a version's items, without credentials."""
    connection = version._catalog.connection
    collection = version._catalog.collection(version.info.id, "items")
    return ItemsAddress(connection.path or connection.address, connection.db_name or "", collection)


class ExistingCollection:
    """Reads of a collection as a `Retriever` needs them; nothing is ever written.

    The graph stays in memory: its concepts are embedded once, when the collection is opened.
    """

    def __init__(
        self,
        connection: Connection,
        columns: ForeignColumns,
        info: VersionInfo,
        graph: KnowledgeGraph,
        vectors_of_concepts: Vectors,
        partitions: Sequence[str] | None = None,
    ) -> None:
        self.info = info
        self._connection = connection
        self._columns = columns
        self._fields = columns.fields
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
        connection = Connection(client, address=f"the client of {collection!r}", path=None, db_name=None)
        if not connection.call("has_collection", collection):
            raise InvalidInputError(f"expected an existing collection, got {collection!r}; fill it first")
        columns = ForeignColumns(connection.call("describe_collection", collection), fields, graph)
        columns.check_dimension(encoder.dimension)
        info = VersionInfo(
            id=collection,
            fingerprint=encoder.fingerprint,
            encoder=encoder.name,
            dimension=encoder.dimension,
            graph_digest=graph.digest,
            counts={"concepts": len(graph)},
            params=IndexParams(metric=_metric(connection, collection, fields.vector)),
            state="ready",
        )
        connection.call("load_collection", collection)
        opened = cls(connection, columns, info, graph, concept_vectors(graph, encoder), partitions)
        opened._check_lengths()
        return opened

    def search_items(self, vectors: Vectors, top_k: int, filter: Filter | None = None) -> SearchResult[Item]:
        """Nearest items of each query vector, shape (q, d)."""
        return self._begin_search(vectors, top_k, filter, is_alone=True)()

    def begin_search(
        self, vectors: Vectors, top_k: int, filter: Filter | None = None
    ) -> Callable[[], SearchResult[Item]]:
        """Begin `search_items`: what is given back waits for a server's answer, or searches a local file."""
        return self._begin_search(vectors, top_k, filter, is_alone=False)

    def search_concepts(self, vectors: Vectors, top_k: int) -> SearchResult[Concept]:
        """Nearest concepts of each query vector, shape (q, d), exactly."""
        found = list(nearest_rows(vectors, self._vectors_of_concepts, top_k))
        records = [[self._concepts[row] for row in rows.tolist()] for rows, _ in found]
        return SearchResult(
            ids=[[concept.id for concept in row] for row in records],
            scores=[scores for _, scores in found],
            records=records,
        )

    def known_items(self, ids: Collection[str]) -> dict[str, Item]:
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
        self._require(ids, found)
        return [found[key] for key in ids]

    def item_vectors(self, ids: Sequence[str]) -> Vectors:
        """Give unit vectors of items in the order of the ids, shape (n, d).

        Raises
        ------
        InvalidInputError
            If an id is not there.
        """
        primary, vector = self._fields.primary, self._fields.vector
        rows = self._rows_of(list(dict.fromkeys(ids)), [primary, vector])
        found = {str(row[primary]): np.asarray(row[vector], dtype=np.float32) for row in rows}
        self._require(ids, found)
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

    def neighbourhood(self, concept_ids: Sequence[str], n_hops: int) -> KnowledgeGraph:
        """Give the graph, which is in memory."""
        return self._graph

    def _begin_search(
        self, vectors: Vectors, top_k: int, filter: Filter | None, *, is_alone: bool
    ) -> Callable[[], SearchResult[Item]]:
        if not 1 <= top_k <= MAX_TOP_K:
            raise InvalidInputError(f"expected top_k in 1-{MAX_TOP_K}, got {top_k}")
        expression, queries = render(filter, self._columns), np.asarray(vectors, dtype=np.float32)
        parts = (
            queries[start : start + _QUERIES_PER_CALL] for start in range(0, len(queries), _QUERIES_PER_CALL)
        )
        is_alone = is_alone and len(queries) <= _QUERIES_PER_CALL
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
        records = [[self._item(hit["entity"]) for hit in hits] for hits in answer]
        return SearchResult(
            ids=[[item.id for item in row] for row in records],
            scores=[self._scores([hit["distance"] for hit in hits]) for hits in answer],
            records=records,
        )

    def _rows_of(self, ids: list[str], output: list[str]) -> Iterator[Mapping[str, Any]]:
        for start in range(0, len(ids), _IDS_PER_READ):
            condition = Condition("id", "in", tuple(ids[start : start + _IDS_PER_READ]))
            yield from self._query(render(condition, self._columns), output)

    def _query(self, expression: str, output: list[str], **options: Any) -> Iterable[Mapping[str, Any]]:
        rows: list[Mapping[str, Any]] = self._connection.call(
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

    def _scores(self, distances: Sequence[float]) -> Floats:
        return to_scores(np.asarray(distances, dtype=np.float64), self.info.params.metric)

    def _check_lengths(self) -> None:
        """Refuse vectors whose distances say nothing about cosines."""
        if self.info.params.metric == "COSINE":
            return
        vector = self._fields.vector
        rows = self._query(self._columns.constant(True), [vector], limit=_N_SAMPLED)
        lengths = [float(np.linalg.norm(np.asarray(row[vector], dtype=np.float32))) for row in rows]
        if any(abs(length - 1) > _UNIT_TOLERANCE for length in lengths):
            raise InvalidInputError(
                f"expected vectors of unit length beside the metric {self.info.params.metric}, got lengths "
                f"up to {max(lengths):.3g} in {self.info.id!r}; index the field with COSINE"
            )

    @staticmethod
    def _require(ids: Sequence[str], found: Mapping[str, Any]) -> None:
        missing = [key for key in dict.fromkeys(ids) if key not in found]
        if missing:
            raise InvalidInputError(
                f"expected ids of stored items, got {len(missing)} unknown: {missing[:3]}"
            )


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
