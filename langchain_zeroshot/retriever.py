"""Retriever over vectors and graph."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever, LangSmithRetrieverParams
from langchain_core.runnables.config import get_config_list
from pydantic import Field, PrivateAttr, field_validator
from zeroshot_core.index import Filter
from zeroshot_core.prediction.opening import open_retriever
from zeroshot_core.retrieval import Retriever

from langchain_zeroshot._convert import Configs, ModelSource, answer_all, off_loop, to_document, to_filter


class ZeroShotRetriever(ModelSource, BaseRetriever):
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

    k: int = Field(default=10, ge=1)
    graph_weight: float | None = Field(default=None, ge=0, le=1)
    filter: Any = None
    _retriever: Retriever | None = PrivateAttr(default=None)

    @field_validator("filter", mode="after")
    @classmethod
    def _understood(cls, filter: Any) -> Any:
        to_filter(filter)
        return filter

    def batch(
        self, inputs: list[str], config: Configs = None, *, return_exceptions: bool = False, **kwargs: Any
    ) -> list[list[Document]]:
        """Retrieve for all queries by one search, each with its own callbacks."""
        found = self._search_all(inputs, return_exceptions, kwargs)
        results: list[Any] = []
        for query, own, one in zip(inputs, get_config_list(config, len(inputs)), found, strict=True):
            try:
                results.append(self.invoke(query, own, found=one))
            except Exception as error:
                if not return_exceptions:
                    raise
                results.append(error)
        return results

    async def abatch(
        self, inputs: list[str], config: Configs = None, *, return_exceptions: bool = False, **kwargs: Any
    ) -> list[list[Document]]:
        """Retrieve for all queries by one search off the loop, each with its own callbacks."""
        found = await off_loop(self._search_all)(inputs, return_exceptions, kwargs)
        triples = zip(inputs, get_config_list(config, len(inputs)), found, strict=True)
        calls = [self.ainvoke(query, own, found=one) for query, own, one in triples]
        return await asyncio.gather(*calls, return_exceptions=return_exceptions)  # type: ignore[return-value]

    def _get_ls_params(self, **kwargs: Any) -> LangSmithRetrieverParams:
        params = LangSmithRetrieverParams(ls_retriever_name="zeroshot", ls_vector_store_provider="milvus")
        if self._retriever is not None:
            params["ls_embedding_model"] = self._retriever.encoder.name
        return params

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun | None = None,
        found: list[Document] | Exception | None = None,
        **options: Any,
    ) -> list[Document]:
        if isinstance(found, Exception):
            raise found
        return self._search([query], **options)[0] if found is None else found

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun | None = None, **options: Any
    ) -> list[Document]:
        return await off_loop(self._get_relevant_documents)(query, **options)

    def _search_all(
        self, queries: list[str], apart: bool, options: Mapping[str, Any]
    ) -> list[list[Document] | Exception]:
        return answer_all(lambda some: self._search(some, **options), queries, apart=apart)

    def _search(
        self,
        queries: list[str],
        *,
        k: int | None = None,
        graph_weight: float | None = None,
        filter: Filter | Mapping[str, Any] | None = None,
    ) -> list[list[Document]]:
        if self._retriever is None:
            self._retriever = open_retriever(self.model, **self._address())
        hits = self._retriever.retrieve(
            queries,
            top_k=self.k if k is None else k,
            graph_weight=self.graph_weight if graph_weight is None else graph_weight,
            filter=to_filter(self.filter if filter is None else filter),
        )
        return [[to_document(hit) for hit in row] for row in hits]
