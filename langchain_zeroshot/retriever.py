"""Retriever over vectors and graph."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever, LangSmithRetrieverParams
from pydantic import AfterValidator, BeforeValidator, Field
from zeroshot_core.checks import known_names, real, whole
from zeroshot_core.index.filters import filter_of
from zeroshot_core.serving.threads import run_in_thread

from langchain_zeroshot._convert import to_document
from langchain_zeroshot._source import Batched
from langchain_zeroshot.embeddings import to_encoder

if TYPE_CHECKING:
    from langchain_milvus import Milvus
    from zeroshot_core.graph import KnowledgeGraph


class RunParams(LangSmithRetrieverParams, total=False):
    """What traces tell of a run."""

    k: int


class ZeroShotRetriever(Batched[str, list[Document]], BaseRetriever):
    """Known items near a query, by their vectors and through the graph.

    The metadata of a document are the item's own, with its `score`, the `parts` of the score, the `path` that
    led to it in words, and its `concepts`. `k`, `graph_weight` and `filter` may also be given per call.

    Parameters
    ----------
    model
        Folder of a saved model, a fitted model, or a `Retriever`.
    k
        Number of documents.
    graph_weight
        0 is pure vector search, 1 pure graph; None is the model's own.
    filter
        A mapping such as ``{"brand": "acme", "price": {"$gt": 3}}``, or a filter of the core.
    """

    k: Annotated[int, BeforeValidator(partial(whole, "k", least=1))] = Field(default=10, ge=1)
    graph_weight: Annotated[float, BeforeValidator(partial(real, "graph_weight", least=0, most=1))] | None = (
        Field(default=None, ge=0, le=1)
    )
    filter: Annotated[Any, AfterValidator(lambda given: filter_of(given) and given)] = None

    @classmethod
    def from_milvus(
        cls,
        store: Milvus,
        graph: KnowledgeGraph | None = None,
        *,
        concept_fields: Sequence[str] = (),
        **settings: Any,
    ) -> ZeroShotRetriever:
        """Retrieve from an existing store as it is: its collection, fields, metadata and partitions.

        Parameters
        ----------
        store
            Keeps its client; nothing is written to it.
        graph
            Kept in memory; without it only vectors count.
        concept_fields
            Metadata that link a document to concepts: ids, or values such as `KnowledgeGraph.from_table`
            makes ids of (``kind`` links ``wine`` to ``kind:wine``).
        settings
            `k`, `graph_weight`, `filter`, `tags` and `metadata`.

        Raises
        ------
        InvalidInputError
            If the store has no collection yet, several vector fields, or vectors of another dimension.
        """
        from zeroshot_core.index.existing_collection import CollectionFields
        from zeroshot_core.retrieval.existing_retriever import existing_retriever

        fields = CollectionFields(
            primary=store._primary_field,
            text=store._text_field,
            vector=", ".join(store.vector_fields),
            metadata=store._metadata_field,
            concepts=tuple(concept_fields),
        )
        core = existing_retriever(
            store.client,
            store.collection_name,
            to_encoder(store.embeddings),
            graph,
            fields=fields,
            partitions=store.partition_names,
        )
        return cls(model=core, **settings)

    def _get_ls_params(self, **kwargs: Any) -> RunParams:
        return RunParams(
            ls_retriever_name="zeroshot",
            ls_vector_store_provider="milvus",
            ls_embedding_provider="zeroshot",
            ls_embedding_model=self._handle.encoder_name,
            k=kwargs.get("k") or self.k,
        )

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun | None = None, **options: Any
    ) -> list[Document]:
        return [*self._found(query, **options)]

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun | None = None, **options: Any
    ) -> list[Document]:
        return await run_in_thread(self._get_relevant_documents)(query, **options)

    def _look_up(self, inputs: list[str], **options: Any) -> list[list[Document]]:
        known_names("ZeroShotRetriever", options, ("k", "graph_weight", "filter"))
        given = {"k": self.k, "graph_weight": self.graph_weight, "filter": self.filter, **options}
        top_k, filter = given.pop("k"), filter_of(given.pop("filter"))
        hits = self._handle.retriever.retrieve(inputs, top_k=top_k, filter=filter, **given)
        return [[to_document(hit) for hit in row] for row in hits]
