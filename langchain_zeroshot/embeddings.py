"""Embeddings of an encoder, or of a saved model's encoder; and an encoder of any Embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from langchain_core.embeddings import Embeddings
from zeroshot_core.checks import sequence, shown
from zeroshot_core.encoders import Encoder, FunctionEncoder, Role
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.types import Item

from langchain_zeroshot._source import ModelSource, Source


class ZeroShotEmbeddings(ModelSource, Embeddings):
    """Unit vectors of texts and images, the same that the saved model searches with.

    Parameters
    ----------
    model
        Folder of a saved model, name of an encoder, a fitted model, or an `Encoder`; also as ``model_name``.
        The default encoder reads English.
    """

    model: Source = "all-MiniLM-L6-v2"
    _synonyms: ClassVar[Mapping[str, str]] = {"model_name": "model"}

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Embed texts that are searched, in one call of the encoder."""
        return self._embed(texts, "document")

    def embed_query(self, text: str) -> list[float]:
        """Embed a text that is searched with."""
        return self._embed([text], "query")[0]

    def embed_image(self, uris: list[str]) -> list[list[float]]:
        """Embed images: paths, data URIs, or URLs where the encoder may fetch them.

        Raises
        ------
        InvalidInputError
            If the encoder takes texts only, or an image cannot be read.
        """
        given = sequence("uris", uris, of="images")
        items = [Item(id=f"image-{number}", image=uri) for number, uri in enumerate(given)]
        vectors: list[list[float]] = self._handle.encoder.encode(items).tolist()
        return vectors

    def _embed(self, texts: list[str], role: Role) -> list[list[float]]:
        vectors: list[list[float]] = self._handle.encoder.encode(texts, role=role).tolist()
        return vectors


def to_encoder(embeddings: Any) -> Encoder:
    """Make an encoder of any Embeddings, queries and documents told apart as there.

    Raises
    ------
    InvalidInputError
        If it is something else, such as several Embeddings.
    """
    if not isinstance(embeddings, Embeddings):
        raise InvalidInputError(
            f"expected one Embeddings, got {shown(embeddings)}; ZeroShotEmbeddings makes one of an encoder"
        )
    if isinstance(embeddings, ZeroShotEmbeddings):
        return embeddings._handle.encoder
    return FunctionEncoder(
        embeddings.embed_documents,
        name=type(embeddings).__name__,
        query_function=lambda texts: [embeddings.embed_query(text) for text in texts],
    )
