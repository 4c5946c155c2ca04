"""Retriever over vectors and graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from llama_index.core import Settings
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.callbacks import CallbackManager
from llama_index.core.schema import NodeWithScore, QueryBundle
from llama_index.core.vector_stores import MetadataFilters
from pydantic import SecretStr
from zeroshot_core.encoders import joint_vector
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.explain.hit_graph import hits_to_graph
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.index import Filter
from zeroshot_core.index.existing_collection import CollectionFields
from zeroshot_core.retrieval import Retriever
from zeroshot_core.retrieval.existing_retriever import existing_retriever
from zeroshot_core.serving.argument_names import named_arguments
from zeroshot_core.serving.loading import ModelLike
from zeroshot_core.serving.model_handle import ModelHandle
from zeroshot_core.serving.searches import SearchSettings, search
from zeroshot_core.serving.threads import method_in_thread

from llama_index_zeroshot._convert import to_filter, to_node, to_query
from llama_index_zeroshot.embeddings import to_encoder

if TYPE_CHECKING:
    import networkx as nx
    from zeroshot_core.types import Hit


@runtime_checkable
class MilvusStore(Protocol):
    """What names the collection and the fields of a `MilvusVectorStore`, which is of another package."""

    collection_name: str
    embedding_field: str
    text_key: str

    @property
    def client(self) -> Any:
        """A MilvusClient."""


@named_arguments({"similarity_top_k": "k", "top_k": "k", "filters": "filter"})
class ZeroShotRetriever(BaseRetriever):
    """Known items near a query, by their vectors and through the graph.

    The metadata of a node are the item's own, with ``zeroshot_score``, its ``zeroshot_parts``, the
    ``zeroshot_path`` that led to it in words, and its ``zeroshot_concepts``. Nodes of one item are equal, and
    hash alike, whatever the query. A query's `embedding` is searched with if it has one, and the mean of
    its `custom_embedding_strs` if it has these.

    Parameters
    ----------
    model
        Folder of a saved model or retriever, a fitted model, or a `Retriever`.
    k
        Number of nodes; also as ``similarity_top_k`` or ``top_k``.
    graph_weight
        0 is pure vector search, 1 pure graph; None is the model's own.
    lexical_weight
        Share of words (BM25) in what texts say, from 0 to 1; None is the model's own. Above 0 it needs an
        index of words (`IndexParams(lexical=True)`).
    filter
        LlamaIndex's `MetadataFilters`, a filter of the core, or a mapping such as ``{"price": {"$gt": 3}}``;
        also as ``filters``.
    score_threshold
        Least score, from -1 to 1; of the `k` best, those below it are left out.
    uri, token
        Milvus address, where it is a server or not the saved one, and its credentials.
    """

    def __init__(
        self,
        model: ModelLike | Retriever,
        *,
        k: int = 10,
        graph_weight: float | None = None,
        lexical_weight: float | None = None,
        filter: MetadataFilters | Filter | Mapping[str, Any] | None = None,
        score_threshold: float | None = None,
        uri: str | None = None,
        token: SecretStr | str | None = None,
        callback_manager: CallbackManager | None = None,
    ) -> None:
        self.model = model
        self.k = k
        self.graph_weight = graph_weight
        self.lexical_weight = lexical_weight
        self.filter = to_filter(filter)
        self.score_threshold = score_threshold
        self._settings()
        self._handle = ModelHandle(model, uri, token)
        super().__init__(callback_manager=callback_manager)

    @classmethod
    def from_milvus(
        cls,
        store: MilvusStore,
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
            `k`, `graph_weight`, `lexical_weight`, `filter`, `score_threshold` and `callback_manager`.

        Raises
        ------
        InvalidInputError
            If it is another store, the collection or a field is not there, or the vectors are of another
            dimension.
        """
        if not isinstance(store, MilvusStore):
            raise InvalidInputError(
                f"expected a MilvusVectorStore, got a {type(store).__name__}; make items of its nodes by "
                "from_nodes, and fit a model on them"
            )
        fields = CollectionFields(
            primary="id",
            text=store.text_key,
            vector=store.embedding_field,
            concepts=tuple(concept_fields),
        )
        encoder = to_encoder(embed_model or Settings.embed_model)
        core = existing_retriever(store.client, store.collection_name, encoder, graph, fields=fields)
        return cls(core, **settings)

    def evidence_graph(self, query: str | QueryBundle) -> nx.MultiDiGraph:
        """Search, and give what was found with the relations that led there as a graph of networkx.

        `zeroshot_core.retrieval.graph_to_html` draws it, `networkx.write_graphml` keeps it; see
        `hits_to_graph`.
        """
        bundle = QueryBundle(query) if isinstance(query, str) else query
        return hits_to_graph(self._hits(bundle), self._handle.retriever.graph)

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return [*map(to_node, self._hits(query_bundle))]

    def _hits(self, query_bundle: QueryBundle) -> list[Hit]:
        retriever, texts = self._handle.retriever, query_bundle.custom_embedding_strs or ()
        vectors = joint_vector(retriever.encoder, texts, vector=query_bundle.embedding)
        query = to_query(query_bundle)
        (hits,) = search(retriever, [query], self._settings(), vectors=vectors)
        return hits

    def _settings(self) -> SearchSettings:
        return SearchSettings(
            k=self.k,
            graph_weight=self.graph_weight,
            lexical_weight=self.lexical_weight,
            filter=self.filter,
            score_threshold=self.score_threshold,
        )

    _aretrieve = method_in_thread(_retrieve)
