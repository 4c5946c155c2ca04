"""Retriever over vectors and graph."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.callbacks import CallbackManager
from llama_index.core.schema import NodeWithScore, QueryBundle
from llama_index.core.vector_stores import MetadataFilters
from pydantic import SecretStr
from zeroshot_core.index import Filter
from zeroshot_core.prediction.opening import open_retriever
from zeroshot_core.retrieval import Retriever

from llama_index_zeroshot._convert import address, to_filter, to_node


class ZeroShotRetriever(BaseRetriever):
    """Known items near a query, by their vectors and through the graph.

    The metadata of a node are the item's own, with its `score`, the `parts` of the score, the `path` that led
    to it in words, and its `concepts`.

    Parameters
    ----------
    model
        Folder of a saved model, a fitted model, or a `Retriever`.
    k
        Number of nodes.
    graph_weight
        0 is pure vector search, 1 pure graph; None is the model's own.
    filter
        LlamaIndex's `MetadataFilters`, or a filter of the core.
    uri, token
        Milvus address and credentials, where they differ from the saved ones.
    """

    def __init__(
        self,
        model: str | Path | Any,
        *,
        k: int = 10,
        graph_weight: float | None = None,
        filter: MetadataFilters | Filter | None = None,
        uri: str | None = None,
        token: SecretStr | str | None = None,
        callback_manager: CallbackManager | None = None,
    ) -> None:
        self.model = model
        self.k = k
        self.graph_weight = graph_weight
        self.filter = to_filter(filter)
        self._address = address(uri, token)
        self._retriever: Retriever | None = None
        super().__init__(callback_manager=callback_manager)

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        if self._retriever is None:
            self._retriever = open_retriever(self.model, **self._address)
        hits = self._retriever.retrieve(
            [query_bundle.query_str],
            top_k=self.k,
            graph_weight=self.graph_weight,
            filter=self.filter,
        )
        return [to_node(hit) for hit in hits[0]]

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return await asyncio.to_thread(self._retrieve, query_bundle)
