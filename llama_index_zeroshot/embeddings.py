"""Embedding of an encoder, or of a saved model's encoder."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding, Embedding
from llama_index.core.embeddings.multi_modal_base import MultiModalEmbedding
from llama_index.core.schema import ImageType
from pydantic import Field, model_validator
from typing_extensions import Self
from zeroshot_core.encoders import Encoder, FunctionEncoder
from zeroshot_core.serving.threads import method_in_thread
from zeroshot_core.types import Item

from llama_index_zeroshot._source import ModelSource, Source


class ZeroShotEmbedding(ModelSource, MultiModalEmbedding):
    """Unit vectors of texts, and of images where the encoder takes them, as the saved model searches with.

    An `embeddings_cache` must not be shared with another model: LlamaIndex keys it by the text alone.

    Parameters
    ----------
    model
        Folder of a saved model, name of an encoder, a fitted model, or an `Encoder`; also as ``model_name``,
        which is what the embedding is called where both are given.
        The default encoder reads English.
    uri, token
        Milvus address and credentials of a saved model, where they differ from the saved ones.
    """

    model: Source = "all-MiniLM-L6-v2"
    embed_batch_size: int = Field(default=512, gt=0, le=2048)

    @model_validator(mode="before")
    @classmethod
    def _known_by_name(cls, given: Any) -> Any:
        if isinstance(given, dict) and "model_name" in given and "model" not in given:
            return {**given, "model": given["model_name"]}
        return given

    @model_validator(mode="after")
    def _named(self) -> Self:
        if "model_name" not in self.model_fields_set:
            self.model_name = self.model if isinstance(self.model, str) else self._handle.encoder.name
        return self

    def to_dict(self, **kwargs: Any) -> dict[str, Any]:
        """Dump it with the fingerprint of its encoder.

        The cache of an `IngestionPipeline` keeps vectors by it, and two encoders may have one name.
        """
        data: dict[str, Any] = super().to_dict(**kwargs)
        return data | {"fingerprint": self._handle.encoder_fingerprint}

    def _get_query_embedding(self, query: str) -> Embedding:
        vector: Embedding = self._handle.encoder.encode([query], role="query")[0].tolist()
        return vector

    def _get_text_embedding(self, text: str) -> Embedding:
        return self._get_text_embeddings([text])[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[Embedding]:
        vectors: list[Embedding] = self._handle.encoder.encode(texts).tolist()
        return vectors

    def _get_image_embedding(self, img_file_path: ImageType) -> Embedding:
        return self._get_image_embeddings([img_file_path])[0]

    def _get_image_embeddings(self, img_file_paths: list[ImageType]) -> list[Embedding]:
        images = [one.getvalue() if isinstance(one, BytesIO) else one for one in img_file_paths]
        items = [Item(id=f"image-{number}", image=image) for number, image in enumerate(images)]
        vectors: list[Embedding] = self._handle.encoder.encode(items).tolist()
        return vectors

    _aget_image_embedding = method_in_thread(_get_image_embedding)
    _aget_image_embeddings = method_in_thread(_get_image_embeddings)
    _aget_query_embedding = method_in_thread(_get_query_embedding)
    _aget_text_embedding = method_in_thread(_get_text_embedding)
    _aget_text_embeddings = method_in_thread(_get_text_embeddings)


def to_encoder(embedding: BaseEmbedding) -> Encoder:
    """Make an encoder of any embedding, queries and documents told apart as there."""
    if isinstance(embedding, ZeroShotEmbedding):
        return embedding._handle.encoder
    name, query = embedding.model_name, embedding.get_query_embedding
    documents = embedding.get_text_embedding_batch
    return FunctionEncoder(documents, name=name, query_function=lambda texts: [*map(query, texts)])
