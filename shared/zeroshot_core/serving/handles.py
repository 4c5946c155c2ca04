"""What every adapter needs: a model opened when it is first used, its hits, calls off the loop."""

from __future__ import annotations

import asyncio
from collections.abc import (
    Callable,
    Coroutine,
    Sequence,
)
from functools import cached_property, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, Protocol, TypeAlias, TypeVar

from typing_extensions import ParamSpec

from zeroshot_core.index import Filter
from zeroshot_core.serving.loading import open_encoder, open_model, open_retriever
from zeroshot_core.types import Hit

if TYPE_CHECKING:
    from zeroshot_core.encoders import Encoder
    from zeroshot_core.prompting.prompted_classifier import PromptedClassifier
    from zeroshot_core.retrieval import GraphView, Retriever
    from zeroshot_core.serving.loading import Model

__all__ = ["Opened", "Searching", "Served", "async_twin", "hits_of", "off_loop"]

P = ParamSpec("P")
T = TypeVar("T")

Served: TypeAlias = "str | Path | Model | PromptedClassifier"
"""Folder of a saved model, or a fitted one."""


def off_loop(function: Callable[P, T]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Make an async function of one that blocks: it runs in a thread, and the event loop turns on."""

    @wraps(function)
    async def run(*args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.to_thread(function, *args, **kwargs)

    return run


def async_twin(
    method: Callable[Concatenate[Any, P], T],
) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]:
    """Make the async twin of a method by `off_loop`, whatever class overrides it."""
    return off_loop(method)


class Opened:
    """A model with all that it holds, opened when it is first used; pickled by its name alone.

    Parameters
    ----------
    model
        Folder of a saved model, name of an encoder, or any of the loaded objects.
    uri, token
        Milvus address and credentials, where they differ from the saved ones; the token may be a secret that
        has `get_secret_value`.
    """

    def __init__(self, model: Any, uri: str | None = None, token: Any = None) -> None:
        self.source = model
        self._address = {"uri": uri, "token": token}

    @cached_property
    def model(self) -> Any:
        """The regressor, classifier or ranker."""
        return open_model(self.source, **self._revealed)

    @cached_property
    def retriever(self) -> Retriever:
        """Its retriever."""
        return open_retriever(self.source, **self._revealed)

    @cached_property
    def encoder(self) -> Encoder:
        """Its encoder."""
        return open_encoder(self.source, **self._revealed)

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
    def _revealed(self) -> dict[str, str | None]:
        token = self._address["token"]
        return {**self._address, "token": getattr(token, "get_secret_value", lambda: token)()}

    def __getstate__(self) -> dict[str, Any]:
        return {"source": self.source, "_address": self._address}


class Searching(Protocol):
    """What searches a model: for how many items, by what share of the graph, and for which."""

    k: int
    graph_weight: float | None
    filter: Filter | None


def hits_of(
    searching: Searching,
    retriever: Retriever,
    query: str,
    texts: Sequence[str] | None = None,
    vector: Sequence[float] | None = None,
) -> list[Hit]:
    """Retrieve for one query, by its vector or several texts where it is told in these (`joint_vector`)."""
    from zeroshot_core.encoders import joint_vector

    return retriever.retrieve(
        [query],
        top_k=searching.k,
        graph_weight=searching.graph_weight,
        filter=searching.filter,
        vectors=joint_vector(retriever.encoder, texts or (), vector=vector),
    )[0]
