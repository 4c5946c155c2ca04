"""A document compressor that ranks any retriever's Documents by vectors and graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, ClassVar

from langchain_core.callbacks import Callbacks
from langchain_core.documents import BaseDocumentCompressor, Document
from pydantic import BeforeValidator, Field
from zeroshot_core.checks import real, whole
from zeroshot_core.explain.attributes import IMAGE

from langchain_zeroshot._convert import from_documents, to_document
from langchain_zeroshot._source import ModelSource


class ZeroShotReranker(ModelSource, BaseDocumentCompressor):
    """Ranks Documents by the scores that `ZeroShotRetriever` would give them; copies carry score and path.

    Documents whose id is indexed have the concepts of the index, others those under ``concepts`` of their
    metadata, or the nearest ones of their text. Of several with one id the last is kept. A Document of an
    image must be one of the index: what its metadata name is not opened.

    Parameters
    ----------
    model
        Folder of a saved model or retriever, a fitted model, or a `Retriever`.
    top_n
        Number of Documents that are kept; also as ``k`` or ``top_k``.
    graph_weight
        0 is pure vector search, 1 pure graph; None is the model's own.
    uri, token
        Milvus address, where it is a server or not the saved one, and its credentials.
    """

    top_n: Annotated[int, BeforeValidator(partial(whole, "top_n", least=1))] = Field(default=10, ge=1)
    graph_weight: Annotated[float, BeforeValidator(partial(real, "graph_weight", least=0, most=1))] | None = (
        Field(default=None, ge=0, le=1)
    )
    _synonyms: ClassVar[Mapping[str, str]] = {"k": "top_n", "top_k": "top_n"}

    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> Sequence[Document]:
        """Give the best Documents, best first; those that are given stay as they are."""
        from zeroshot_core.retrieval import rerank

        pictures = [one.id for one in documents if one.id and IMAGE in one.metadata]
        known = self._handle.retriever.version.known_items(pictures)
        others = [one for one in documents if one.id not in known]
        pairs = [(known[one.id], one) for one in documents if one.id and one.id in known]
        pairs += zip(from_documents(others), others, strict=True)
        found = {item.id: (item, document) for item, document in pairs}
        unique = [item for item, _ in found.values()]
        hits = rerank(self._handle.retriever, query, unique, top_k=self.top_n, graph_weight=self.graph_weight)
        return [to_document(hit, found[hit.id][1]) for hit in hits]
