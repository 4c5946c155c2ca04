"""Embeddings of an encoder, or of a saved model's encoder."""

from __future__ import annotations

from typing import cast

from langchain_core.embeddings import Embeddings
from pydantic import PrivateAttr
from zeroshot_core.encoders.base import Encoder, Role
from zeroshot_core.prediction.opening import open_encoder

from langchain_zeroshot._convert import ModelSource


class ZeroShotEmbeddings(ModelSource, Embeddings):
    """Unit vectors of texts, the same that the saved model searches with.

    Parameters
    ----------
    model
        Folder of a saved model, name of an encoder (``"all-MiniLM-L6-v2"``), a fitted model, or an `Encoder`.
    """

    _encoder: Encoder | None = PrivateAttr(default=None)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Embed texts that are searched, in one call of the encoder."""
        return self._embed(texts, "document")

    def embed_query(self, text: str) -> list[float]:
        """Embed a text that is searched with."""
        return self._embed([text], "query")[0]

    def _embed(self, texts: list[str], role: Role) -> list[list[float]]:
        if self._encoder is None:
            self._encoder = open_encoder(self.model, **self._address())
        return cast("list[list[float]]", self._encoder.encode(texts, role=role).tolist())
