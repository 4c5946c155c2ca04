"""A model that is opened when it is first used."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypedDict

from zeroshot_core.index.uri import HiddenText, uri_and_token
from zeroshot_core.serving.loading import open_encoder, open_model, open_retriever

if TYPE_CHECKING:
    from zeroshot_core.encoders import Encoder
    from zeroshot_core.retrieval import GraphView, Retriever
    from zeroshot_core.serving.loading import ModelLike, ServedModel

__all__ = ["ModelHandle", "Token"]


class Secret(Protocol):
    """A text that no log shows, such as pydantic's `SecretStr`."""

    def get_secret_value(self) -> str | None:
        """Show it."""


Token: TypeAlias = "str | Secret | None"


class Address(TypedDict):
    """Milvus address, where it is a server or not the saved one, and its credentials."""

    uri: str | None
    token: str | None
    read_only: bool


class ModelHandle:
    """A model with all that it holds, opened when it is first used; pickled by its name alone.

    No pickle holds the token: where it is unpickled, ``MILVUS_TOKEN`` of the environment takes its place.

    Parameters
    ----------
    model
        Folder of a saved model, name of an encoder, or any of the loaded objects.
    uri, token
        Milvus address, where it is a server or not the saved one, and its credentials. User and password
        of the address become the token.
    read_only
        Whether a folder's local index is read from a copy, so that others may hold it.
    """

    def __init__(
        self,
        model: ModelLike | Retriever | Encoder,
        uri: str | None = None,
        token: Token = None,
        *,
        read_only: bool = False,
    ) -> None:
        self.source, self._read_only = model, read_only
        given: Token = token
        if uri is not None:
            uri, given = uri_and_token(uri, token)
        self._uri = uri
        self._token: Secret | None = HiddenText(given) if isinstance(given, str) else given

    @cached_property
    def model(self) -> ServedModel:
        """The model itself."""
        return open_model(self.source, **self._address)

    @property
    def retriever(self) -> Retriever:
        """Its retriever as it is now: a model that learns on, by `partial_fit`, has another one then."""
        if isinstance(self.source, str | Path):
            return self._opened
        return open_retriever(self.source, **self._address)

    @cached_property
    def _opened(self) -> Retriever:
        return open_retriever(self.source, **self._address)

    @cached_property
    def encoder(self) -> Encoder:
        """Its encoder."""
        return open_encoder(self.source, **self._address)

    @property
    def graph(self) -> GraphView:
        """Its graph."""
        from zeroshot_core.retrieval import GraphView

        return GraphView(self.retriever)

    @property
    def encoder_name(self) -> str:
        """Name of its encoder; of a folder that was not opened yet, as its manifest has it."""
        if "_opened" in vars(self) or not isinstance(self.source, str | Path):
            return self.retriever.encoder.name
        config = self._encoder_config
        if config is None:
            return str(Path(self.source))
        return str(config.get("name") or f"{config['kind']}-{config['dimension']}")

    @property
    def encoder_fingerprint(self) -> str:
        """Fingerprint of its encoder; of a folder that was not opened yet, as its manifest has it."""
        config = None if {"_opened", "encoder"} & vars(self).keys() else self._encoder_config
        return self.encoder.fingerprint if config is None else str(config["fingerprint"])

    @property
    def _encoder_config(self) -> dict[str, Any] | None:
        """What the manifest of a saved model says of its encoder; None if the source is something else."""
        from zeroshot_core.estimators.saving import MANIFEST, read_manifest

        if not isinstance(self.source, str | Path) or not (Path(self.source) / MANIFEST).is_file():
            return None
        return dict(read_manifest(Path(self.source))["encoder"])

    @property
    def _address(self) -> Address:
        # A pickle holds no secret: where it is opened, the environment does.
        shown = None if self._token is None else self._token.get_secret_value() or os.getenv("MILVUS_TOKEN")
        return {"uri": self._uri, "token": shown, "read_only": self._read_only}

    def __getstate__(self) -> dict[str, object]:
        lost = None if self._token is None else HiddenText(None)
        return {"source": self.source, "_uri": self._uri, "_token": lost, "_read_only": self._read_only}

    def __deepcopy__(self, memo: object) -> ModelHandle:
        return ModelHandle(self.source, self._uri, self._token, read_only=self._read_only)
