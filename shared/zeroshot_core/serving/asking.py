"""Predictions that a language model may be asked about, whole or as it writes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from inspect import isawaitable
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.explain.attributes import prediction_attributes
from zeroshot_core.explain.wording import prediction_in_words
from zeroshot_core.prompting.answers import Answer, LabelQuestion
from zeroshot_core.prompting.prompt_settings import Prompting

if TYPE_CHECKING:
    from zeroshot_core.types import Item, Prediction

__all__ = [
    "Asked",
    "Asker",
    "Call",
    "Serving",
    "Settled",
    "astream_words",
    "question_of",
    "questions",
    "stream_words",
]


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
    from zeroshot_core.classification.classifier import ZeroShotClassifier
    from zeroshot_core.prompting.label_questions import label_questions
    from zeroshot_core.prompting.prompted_classifier import PromptedClassifier

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
