"""Embedding of an encoder, or of a saved model's encoder."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

from llama_index.core.base.embeddings.base import BaseEmbedding, Embedding
from pydantic import Field, PrivateAttr, SecretStr, field_validator, model_validator
from typing_extensions import Self
from zeroshot_core.encoders.base import Encoder, Role
from zeroshot_core.prediction.opening import open_encoder

from llama_index_zeroshot._convert import address


class ZeroShotEmbedding(BaseEmbedding):
    """Unit vectors of texts, the same that the saved model searches with.

    An `embeddings_cache` must not be shared with another model: LlamaIndex keys it by the text alone.

    Parameters
    ----------
    model
        Folder of a saved model, name of an encoder (``"all-MiniLM-L6-v2"``), a fitted model, or an `Encoder`.
    uri, token
        Milvus address and credentials of a saved model, where they differ from the saved ones.
    """

    model: Any = Field(description="Folder of a saved model, name of an encoder, or the loaded object.")
    uri: str | None = None
    token: SecretStr | None = Field(default=None, exclude=True)
    embed_batch_size: int = Field(default=512, gt=0, le=2048)
    _encoder: Encoder | None = PrivateAttr(default=None)

    @field_validator("model", mode="after")
    @classmethod
    def _jsonable(cls, model: Any) -> Any:
        return str(model) if isinstance(model, Path) else model

    @model_validator(mode="after")
    def _named(self) -> Self:
        if "model_name" not in self.model_fields_set:
            self.model_name = self.model if isinstance(self.model, str) else open_encoder(self.model).name
        return self

    @classmethod
    def class_name(cls) -> str:
        """Name in serialised pipelines."""
        return "ZeroShotEmbedding"

    def _get_query_embedding(self, query: str) -> Embedding:
        return self._embed([query], "query")[0]

    async def _aget_query_embedding(self, query: str) -> Embedding:
        return await asyncio.to_thread(self._get_query_embedding, query)

    def _get_text_embedding(self, text: str) -> Embedding:
        return self._embed([text], "document")[0]

    async def _aget_text_embedding(self, text: str) -> Embedding:
        return await asyncio.to_thread(self._get_text_embedding, text)

    def _get_text_embeddings(self, texts: list[str]) -> list[Embedding]:
        return self._embed(texts, "document")

    async def _aget_text_embeddings(self, texts: list[str]) -> list[Embedding]:
        return await asyncio.to_thread(self._get_text_embeddings, texts)

    def _embed(self, texts: list[str], role: Role) -> list[Embedding]:
        if self._encoder is None:
            self._encoder = open_encoder(self.model, **address(self.uri, self.token))
        return cast("list[Embedding]", self._encoder.encode(texts, role=role).tolist())
