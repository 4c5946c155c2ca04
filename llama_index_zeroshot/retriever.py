"""Retriever over vectors and graph, and a postprocessor that ranks any retriever's nodes by them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from llama_index.core import Settings
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.callbacks import CallbackManager
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import NodeWithScore, QueryBundle
from llama_index.core.vector_stores import MetadataFilters
from llama_index.core.vector_stores.types import BasePydanticVectorStore
from pydantic import Field, SecretStr
from zeroshot_core.checks import known_arguments
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.index import Filter
from zeroshot_core.index.existing_collection import CollectionFields
from zeroshot_core.retrieval import Retriever, rerank
from zeroshot_core.retrieval.existing_retriever import existing_retriever
from zeroshot_core.serving.handles import Opened, Served, async_twin, hits_of

from llama_index_zeroshot._convert import ModelSource, from_nodes, to_filter, to_node
from llama_index_zeroshot.embeddings import to_encoder


@known_arguments
class ZeroShotRetriever(BaseRetriever):
    """Known items near a query, by their vectors and through the graph.

    The metadata of a node are the item's own, with its `score`, the `parts` of the score, the `path` that led
    to it in words, and its `concepts`. A query's `embedding` is searched with if it has one, and the mean of
    its `custom_embedding_strs` if it has these.

    Parameters
    ----------
    model
        Folder of a saved model, a fitted model, or a `Retriever`.
    k
        Number of nodes.
    graph_weight
        0 is pure vector search, 1 pure graph; None is the model's own.
    filter
        LlamaIndex's `MetadataFilters`, a filter of the core, or a mapping such as ``{"price": {"$gt": 3}}``.
    uri, token
        Milvus address and credentials, where they differ from the saved ones.
    """

    def __init__(
        self,
        model: Served | Retriever,
        *,
        k: int = 10,
        graph_weight: float | None = None,
        filter: MetadataFilters | Filter | Mapping[str, Any] | None = None,
        uri: str | None = None,
        token: SecretStr | str | None = None,
        callback_manager: CallbackManager | None = None,
    ) -> None:
        self.model = model
        self.k = k
        self.graph_weight = graph_weight
        self.filter = to_filter(filter)
        self._opened = Opened(model, uri, token)
        super().__init__(callback_manager=callback_manager)

    @classmethod
    def from_milvus(
        cls,
        store: BasePydanticVectorStore,
        graph: KnowledgeGraph | None = None,
        *,
        concept_fields: Sequence[str] = (),
        embed_model: BaseEmbedding | None = None,
        **settings: Any,
    ) -> ZeroShotRetriever:
        """Retrieve from an existing `MilvusVectorStore` as it is; its nodes come back whole.

        Parameters
        ----------
        store
            Keeps its client; nothing is written to it.
        graph
            Kept in memory; without it only vectors count.
        concept_fields
            Metadata that link a node to concepts: ids, or values such as `KnowledgeGraph.from_table` makes
            ids of (``kind`` links ``wine`` to ``kind:wine``).
        embed_model
            What the vectors of the store come from; None is `Settings.embed_model`.
        settings
            `k`, `graph_weight`, `filter` and `callback_manager`.

        Raises
        ------
        InvalidInputError
            If the collection or a field is not there, or the vectors are of another dimension.
        """
        held, encoder = cast("Any", store), to_encoder(embed_model or Settings.embed_model)
        names = {"text": held.text_key, "vector": held.embedding_field}
        fields = CollectionFields(primary="id", concepts=tuple(concept_fields), **names)
        core = existing_retriever(held.client, held.collection_name, encoder, graph, fields=fields)
        return cls(core, **settings)

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        told = query_bundle.custom_embedding_strs, query_bundle.embedding
        return [*map(to_node, hits_of(self, self._opened.retriever, query_bundle.query_str, *told))]

    _aretrieve = async_twin(_retrieve)


class ZeroShotRerank(ModelSource, BaseNodePostprocessor):
    """Ranks nodes by the scores that `ZeroShotRetriever` would give them; copies carry score, parts and path.

    Nodes that are indexed have the concepts of the index, others those under ``concepts`` of their metadata,
    or the nearest ones of their text.

    Parameters
    ----------
    model
        Folder of a saved model, a fitted model, or a `Retriever`.
    top_n
        Number of nodes that are kept.
    graph_weight
        0 is pure vector search, 1 pure graph; None is the model's own.
    uri, token
        Milvus address and credentials, where they differ from the saved ones.
    """

    top_n: int = Field(default=10, ge=1)
    graph_weight: float | None = Field(default=None, ge=0, le=1)

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        if query_bundle is None:
            raise InvalidInputError("expected a query to rank by, got none; give query_bundle or query_str")
        found = {node.node_id: node.node for node in nodes}
        query, items = query_bundle.query_str, from_nodes(found.values())
        opened, weight = self._opened.retriever, self.graph_weight
        hits = rerank(opened, query, items, top_k=self.top_n, graph_weight=weight)
        return [to_node(hit, found[hit.id]) for hit in hits]
