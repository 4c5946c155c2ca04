"""A property graph store that shows the graph behind a model."""

from __future__ import annotations

from typing import Any, NoReturn, TypeAlias

from llama_index.core.graph_stores import types as graphs
from llama_index.core.schema import BaseNode, TextNode
from llama_index.core.vector_stores import VectorStoreQuery
from pydantic import SecretStr
from zeroshot_core.checks import known_arguments, known_names
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.retrieval import Retriever
from zeroshot_core.serving.loading import ModelLike
from zeroshot_core.serving.model_handle import ModelHandle
from zeroshot_core.serving.threads import method_in_thread, run_in_thread

from llama_index_zeroshot import _convert as convert

Ids: TypeAlias = list[str] | None
Properties: TypeAlias = dict[str, Any] | None
Near: TypeAlias = tuple[list[graphs.LabelledNode], list[float]]


@known_arguments
class ZeroShotPropertyGraphStore(graphs.PropertyGraphStore):
    """View of the graph behind a model, for `PropertyGraphIndex.from_existing` and its retrievers.

    Entities are named by the ids of concepts, and found by their names too; they are searched by the concept
    vectors in Milvus, so `VectorContextRetriever` needs the model's own embedding. The texts that a fact
    cites are those of indexed items. Nothing can be written.

    Parameters
    ----------
    model
        Folder of a saved model or retriever, a fitted model, or a `Retriever`.
    uri, token
        Milvus address, where it is a server or not the saved one, and its credentials.
    """

    supports_vector_queries = True

    def __init__(
        self, model: ModelLike | Retriever, *, uri: str | None = None, token: SecretStr | str | None = None
    ) -> None:
        self.model = model
        self._handle = ModelHandle(model, uri, token)

    def get(self, properties: Properties = None, ids: Ids = None) -> list[graphs.LabelledNode]:
        """Entities with one of these ids or names, and one of these properties."""
        return [convert.to_entity(concept) for concept in self._handle.graph.concepts(ids, properties)]

    def get_triplets(
        self,
        entity_names: Ids = None,
        relation_names: Ids = None,
        properties: Properties = None,
        ids: Ids = None,
    ) -> list[graphs.Triplet]:
        """Triplets at these entities, of these relations, with one of these properties; none without any."""
        if not (entity_names or relation_names or properties or ids):
            return []
        named = [*(entity_names or ()), *(ids or ())] or None
        return [
            convert.to_fact(fact)
            for fact in self._handle.graph.facts(named, relation_names or None, properties)
        ]

    def get_rel_map(
        self, graph_nodes: list[graphs.LabelledNode], depth: int = 2, limit: int = 30, ignore_rels: Ids = None
    ) -> list[graphs.Triplet]:
        """Triplets within `depth` relations of these entities, the nearest first."""
        names = [convert.key_of(node) for node in graph_nodes]
        around = self._handle.graph.around(names, n_hops=depth, limit=limit, without=ignore_rels or ())
        return [convert.to_fact(fact) for fact in around]

    def get_llama_nodes(self, node_ids: list[str]) -> list[BaseNode]:
        """Nodes of the indexed items with these ids."""
        items = self._handle.graph.items(node_ids)
        return [TextNode(id_=item.id, text=item.text or "", metadata=dict(item.metadata)) for item in items]

    def vector_query(self, query: VectorStoreQuery, **kwargs: Any) -> Near:
        """Entities nearest to the query's embedding, or to its text, with their similarities.

        Raises
        ------
        InvalidInputError
            If it has filters: concepts have no metadata.
        """
        known_names("vector_query", kwargs, ["query"])
        if query.filters is not None:
            raise InvalidInputError("expected a query without filters, got some; concepts have no metadata")
        graph, top_k = self._handle.graph, query.similarity_top_k
        near = graph.nearest(query.query_embedding, query.query_str, top_k=top_k)
        return [convert.to_entity(concept) for concept, _ in near], [score for _, score in near]

    aget = method_in_thread(get)
    aget_triplets = method_in_thread(get_triplets)
    aget_rel_map = method_in_thread(get_rel_map)
    aget_llama_nodes = method_in_thread(get_llama_nodes)

    async def avector_query(self, query: VectorStoreQuery, **kwargs: Any) -> Near:
        """Answer as `vector_query`, off the loop."""
        return await run_in_thread(self.vector_query)(query, **kwargs)

    def _refuse(self, *args: object, **kwargs: object) -> NoReturn:
        raise InvalidInputError("expected a read, got a write; extend it with ZeroShotGraphBuilder and fit")

    upsert_nodes = upsert_relations = delete = structured_query = _refuse
