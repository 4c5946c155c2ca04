"""Embedding of an encoder, or of a saved model's encoder."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from llama_index.core.base.embeddings.base import BaseEmbedding, Embedding
from pydantic import Field, model_validator
from typing_extensions import Self
from zeroshot_core.encoders import Encoder, FunctionEncoder
from zeroshot_core.serving.handles import async_twin

from llama_index_zeroshot._convert import ModelSource


class ZeroShotEmbedding(ModelSource, BaseEmbedding):
    """Unit vectors of texts, the same that the saved model searches with.

    An `embeddings_cache` must not be shared with another model: LlamaIndex keys it by the text alone.

    Parameters
    ----------
    model
        Folder of a saved model, name of an encoder (``"all-MiniLM-L6-v2"``), a fitted model, or an `Encoder`.
    uri, token
        Milvus address and credentials of a saved model, where they differ from the saved ones.
    """

    embed_batch_size: int = Field(default=512, gt=0, le=2048)

    @model_validator(mode="after")
    def _named(self) -> Self:
        self.model = str(self.model) if isinstance(self.model, Path) else self.model
        if "model_name" not in self.model_fields_set:
            self.model_name = self.model if isinstance(self.model, str) else self._opened.encoder.name
        return self

    def _get_query_embedding(self, query: str) -> Embedding:
        return cast("Embedding", self._opened.encoder.encode([query], role="query")[0].tolist())

    def _get_text_embedding(self, text: str) -> Embedding:
        return self._get_text_embeddings([text])[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[Embedding]:
        return cast("list[Embedding]", self._opened.encoder.encode(texts).tolist())

    _aget_query_embedding = async_twin(_get_query_embedding)
    _aget_text_embedding = async_twin(_get_text_embedding)
    _aget_text_embeddings = async_twin(_get_text_embeddings)


def to_encoder(embedding: BaseEmbedding) -> Encoder:
    """Make an encoder of any embedding, queries and documents told apart as there."""
    if isinstance(embedding, ZeroShotEmbedding):
        return embedding._opened.encoder
    name, query = embedding.model_name, embedding.get_query_embedding
    documents = embedding.get_text_embedding_batch
    return FunctionEncoder(documents, name=name, query_function=lambda texts: [*map(query, texts)])
