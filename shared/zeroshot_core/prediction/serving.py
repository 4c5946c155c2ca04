"""What every adapter needs: records as attributes, questions to a language model, calls off the loop."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Iterator,
    Sequence,
)
from dataclasses import dataclass
from functools import cached_property, wraps
from inspect import isawaitable
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, Protocol, TypeAlias, TypeVar

from typing_extensions import ParamSpec

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.index import Filter
from zeroshot_core.prediction.opening import open_encoder, open_model, open_retriever
from zeroshot_core.prediction.prompt_settings import Prompting
from zeroshot_core.prediction.questions import Answer, LabelQuestion
from zeroshot_core.prediction.wording import path_in_words, prediction_in_words
from zeroshot_core.types import Evidence, Hit, Item, Prediction, Value

if TYPE_CHECKING:
    from zeroshot_core.encoders import Encoder
    from zeroshot_core.prediction.loading import Model
    from zeroshot_core.prediction.prompted import PromptedClassifier
    from zeroshot_core.retrieval import GraphView, Retriever

__all__ = [
    "Asked",
    "Asker",
    "Call",
    "Opened",
    "Searching",
    "Served",
    "Serving",
    "Settled",
    "astream_words",
    "async_twin",
    "evidence_attributes",
    "hit_attributes",
    "hit_reasons",
    "hits_of",
    "off_loop",
    "prediction_attributes",
    "question_of",
    "questions",
    "stream_words",
]

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


def hit_attributes(hit: Hit) -> dict[str, Any]:
    """Metadata of a hit as JSON-able values: the item's own, and those of `hit_reasons`."""
    return {**hit.metadata, **hit_reasons(hit)}


def hit_reasons(hit: Hit) -> dict[str, Any]:
    """Score, parts, path in words and concepts of a hit as JSON-able values."""
    return {
        "score": float(hit.score),
        "parts": {name: float(part) for name, part in hit.parts.items()},
        "path": path_in_words(hit.path),
        "concepts": list(hit.concepts),
    }


def prediction_attributes(prediction: Prediction) -> dict[str, Any]:
    """Give value, uncertainty and reasons of a prediction as JSON-able values, without its evidence."""
    return {
        "value": _plain(prediction.value),
        "interval": None if prediction.interval is None else [_plain(end) for end in prediction.interval],
        "coverage": prediction.coverage,
        "probabilities": dict(prediction.probabilities),
        "reason": prediction.reason,
        "fallback": prediction.fallback,
    }


def _plain(value: Value) -> Any:
    return list(value) if isinstance(value, tuple) else value


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
        from zeroshot_core.prediction.saved import MANIFEST, read_manifest

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


@dataclass(frozen=True, kw_only=True)
class Settled:
    """A prediction that no language model is asked about; used as a `LabelQuestion` is."""

    prediction: Prediction

    def ask(self, model: Callable[[LabelQuestion], Answer | None]) -> Prediction:
        """Give the prediction."""
        return self.prediction

    async def aask(self, model: Callable[[LabelQuestion], Awaitable[Answer | None]]) -> Prediction:
        """Give the prediction."""
        return self.prediction

    def stream(self, model: Callable[[LabelQuestion], Iterator[Answer | None]]) -> Iterator[Prediction]:
        """Give the prediction once."""
        yield self.prediction

    async def astream(
        self, model: Callable[[LabelQuestion], AsyncIterator[Answer | None]]
    ) -> AsyncIterator[Prediction]:
        """Give the prediction once."""
        yield self.prediction


Asked: TypeAlias = "LabelQuestion | Settled"


def questions(
    model: Any,
    items: Sequence[Item],
    *,
    coverage: float,
    top_k: int,
    is_prompted: bool,
    prompting: Prompting | None = None,
    reject: bool = False,
) -> list[Asked]:
    """Look up predictions for all items by one call of the model; if prompted, questions about them.

    Parameters
    ----------
    reject
        Whether ``""``, none of the labels, may be the answer.

    Raises
    ------
    InvalidInputError
        If an item is wrong, or a language model is to choose among the labels of a model without labels, or
        such a model is to reject.
    """
    from zeroshot_core.prediction.classifier import ZeroShotClassifier
    from zeroshot_core.prediction.prompted import PromptedClassifier
    from zeroshot_core.prediction.prompting import label_questions

    if is_prompted:
        return [*label_questions(model, items, top_k=top_k, prompting=prompting, reject=reject)]
    if reject and not isinstance(model, ZeroShotClassifier | PromptedClassifier):
        raise InvalidInputError(
            f"expected a classifier, whose labels a text can be none of, got {type(model).__name__}; "
            "leave reject out"
        )
    options = {"reject": True} if reject else {}
    found = model.explain(items, top_k=top_k, coverage=coverage, **options)
    return [Settled(prediction=one) for one in found]


class Serving(Protocol):
    """What serves a model: how much is told of a prediction, and by which language model."""

    coverage: float
    top_k: int
    llm: Any
    prompting: Prompting | None
    reject: bool


def question_of(serving: Serving, model: Any, item: Item) -> Asked:
    """Look up the prediction for one item; if there is a language model, the question about it."""
    options: dict[str, Any] = {
        "coverage": serving.coverage,
        "top_k": serving.top_k,
        "prompting": serving.prompting,
        "reject": serving.reject,
    }
    return questions(model, [item], is_prompted=serving.llm is not None, **options)[0]


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


Call: TypeAlias = tuple[Callable[[], Any], bool]
"""What asks a language model, and whether each piece of its stream is all of the answer so far."""


class Asker(ABC):
    """Asks a language model label questions, in each of the four ways in which a `LabelQuestion` takes it."""

    def ask(self, question: LabelQuestion) -> Answer:
        """Give the answer."""
        call, _ = self._call(question, is_async=False, is_streamed=False)
        return _as_fields(call())

    async def aask(self, question: LabelQuestion) -> Answer:
        """Give the answer without holding up the loop."""
        call, _ = self._call(question, is_async=True, is_streamed=False)
        return _as_fields(await call())

    def stream(self, question: LabelQuestion) -> Iterator[Answer]:
        """Give all of the answer so far, again and again."""
        call, is_whole = self._call(question, is_async=False, is_streamed=True)
        return map(_as_fields, call()) if is_whole else accumulate(call())

    async def astream(self, question: LabelQuestion) -> AsyncIterator[Answer]:
        """Give all of the answer so far, again and again, without holding up the loop."""
        call, is_whole = self._call(question, is_async=True, is_streamed=True)
        answer: Any = ""
        pieces = call()
        async for piece in await pieces if isawaitable(pieces) else pieces:
            answer = _as_fields(piece) if is_whole else answer + piece
            yield answer

    @abstractmethod
    def _call(self, question: LabelQuestion, *, is_async: bool, is_streamed: bool) -> Call:
        """Give the call that asks the model."""


def _as_fields(answer: Any) -> Answer:
    """Fields of an answer that comes as a record of pydantic."""
    fields: Answer = answer.model_dump() if hasattr(answer, "model_dump") else answer
    return fields


def stream_words(drafts: Iterator[Prediction], attributes: dict[str, Any]) -> Generator[str, None, None]:
    """Write a prediction in words piece by piece, as a language model writes its reason.

    Parameters
    ----------
    drafts
        Of `LabelQuestion.stream`.
    attributes
        Gets the `prediction_attributes` before the last piece.
    """
    said = _Said()
    for draft in drafts:
        last = draft
        if new := said.grown(draft):
            yield new
    attributes.update(prediction_attributes(last))
    yield said.rest(last)


async def astream_words(
    drafts: AsyncIterator[Prediction], attributes: dict[str, Any]
) -> AsyncGenerator[str, None]:
    """Write a prediction in words piece by piece, as `stream_words`."""
    said = _Said()
    async for draft in drafts:
        last = draft
        if new := said.grown(draft):
            yield new
    attributes.update(prediction_attributes(last))
    yield said.rest(last)


def evidence_attributes(evidence: Evidence) -> dict[str, Any]:
    """Give the paths to known items in words, by the items' ids."""
    return {"paths": {hit.id: path_in_words(hit.path) for hit in evidence.items if hit.path}}


class _Said:
    """What has been said of a prediction in words, which begin with the language model's reason."""

    def __init__(self) -> None:
        self._words = ""

    def grown(self, draft: Prediction) -> str:
        if not draft.reason.startswith(self._words):
            return ""
        new, self._words = draft.reason[len(self._words) :], draft.reason
        return new

    def rest(self, prediction: Prediction) -> str:
        words = prediction_in_words(prediction)
        return words[len(self._words) :] if words.startswith(self._words) else f"\n{words}"
