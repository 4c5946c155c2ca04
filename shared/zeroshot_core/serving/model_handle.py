"""A model that is opened when it is first used."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypedDict

from zeroshot_core.serving.loading import open_encoder, open_model, open_retriever

if TYPE_CHECKING:
    from zeroshot_core.encoders import Encoder
    from zeroshot_core.retrieval import GraphView, Retriever
    from zeroshot_core.serving.loading import ModelLike, ServedModel

__all__ = ["ModelHandle", "Token"]


class Secret(Protocol):
    """A text that no log shows, such as pydantic's `SecretStr`."""

    def get_secret_value(self) -> str:
        """Show it."""


Token: TypeAlias = "str | Secret | None"


class Address(TypedDict):
    """Milvus address, where it is a server or not the saved one, and its credentials."""

    uri: str | None
    token: str | None


class ModelHandle:
    """A model with all that it holds, opened when it is first used; pickled by its name alone.

    Parameters
    ----------
    model
        Folder of a saved model, name of an encoder, or any of the loaded objects.
    uri, token
        Milvus address, where it is a server or not the saved one, and its credentials.
    """

    def __init__(
        self, model: ModelLike | Retriever | Encoder, uri: str | None = None, token: Token = None
    ) -> None:
        self.source = model
        self._uri = uri
        self._token = token

    @cached_property
    def model(self) -> ServedModel:
        """The model itself."""
        return open_model(self.source, **self._address)

    @cached_property
    def retriever(self) -> Retriever:
        """Its retriever."""
        return open_retriever(self.source, **self._address)

    @cached_property
    def encoder(self) -> Encoder:
        """Its encoder."""
        return open_encoder(self.source, **self._address)

    @cached_property
    def graph(self) -> GraphView:
        """Its graph."""
        from zeroshot_core.retrieval import GraphView

        return GraphView(self.retriever)

    @property
    def encoder_name(self) -> str:
        """Name of its encoder; of a folder that was not opened yet, as its manifest has it."""
        from zeroshot_core.estimators.saving import MANIFEST, read_manifest

        if "retriever" in vars(self) or not isinstance(self.source, str | Path):
            return self.retriever.encoder.name
        folder = Path(self.source)
        if not (folder / MANIFEST).is_file():
            return str(folder)
        config = read_manifest(folder)["encoder"]
        return str(config.get("name") or f"{config['kind']}-{config['dimension']}")

    @property
    def _address(self) -> Address:
        token = self._token
        shown = token if token is None or isinstance(token, str) else token.get_secret_value()
        return {"uri": self._uri, "token": shown}

    def __getstate__(self) -> dict[str, object]:
        return {"source": self.source, "_uri": self._uri, "_token": self._token}
