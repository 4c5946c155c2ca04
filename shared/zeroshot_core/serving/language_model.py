"""A framework's language model that is asked label questions, and what it writes as text."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from inspect import isawaitable
from itertools import accumulate
from typing import TYPE_CHECKING, Any, TypeAlias

from zeroshot_core.explain.attributes import prediction_attributes
from zeroshot_core.explain.wording import prediction_in_words

if TYPE_CHECKING:
    from zeroshot_core.prompting.answers import Answer
    from zeroshot_core.prompting.label_question import LabelQuestion
    from zeroshot_core.types import Prediction

__all__ = ["Call", "LanguageModel", "stream_words", "stream_words_async"]

# What a framework's call gives: an answer, an iterator of its pieces, or an awaitable of either.
Call: TypeAlias = tuple[Callable[[], Any], bool]
"""What asks a language model, and whether each piece of its stream is all of the answer so far."""


class LanguageModel(ABC):
    """Answers label questions in each of the four ways in which a `LabelQuestion` asks.

    A subclass says by `_call` how a framework's model is called.
    """

    def ask(self, question: LabelQuestion) -> Answer:
        """Give the answer."""
        call, _ = self._call(question, is_async=False, is_streamed=False)
        return _plain(call())

    async def aask(self, question: LabelQuestion) -> Answer:
        """Give the answer without holding up the loop."""
        call, _ = self._call(question, is_async=True, is_streamed=False)
        return _plain(await call())

    def stream(self, question: LabelQuestion) -> Iterator[Answer]:
        """Give all of the answer so far, again and again."""
        call, is_whole = self._call(question, is_async=False, is_streamed=True)
        return map(_plain, call()) if is_whole else accumulate(call())

    async def astream(self, question: LabelQuestion) -> AsyncIterator[Answer]:
        """Give all of the answer so far, again and again, without holding up the loop."""
        call, is_whole = self._call(question, is_async=True, is_streamed=True)
        text = ""
        pieces = call()
        async for piece in await pieces if isawaitable(pieces) else pieces:
            if is_whole:
                yield _plain(piece)
            else:
                text += piece
                yield text

    @abstractmethod
    def _call(self, question: LabelQuestion, *, is_async: bool, is_streamed: bool) -> Call:
        """Give the call that asks the model."""


def stream_words(drafts: Iterator[Prediction], attributes: dict[str, Any]) -> Generator[str, None, None]:
    """Write a prediction in words piece by piece, as a language model writes its reason.

    Parameters
    ----------
    drafts
        Of `LabelQuestion.stream`.
    attributes
        Gets the `prediction_attributes` before the last piece.
    """
    written = _Written()
    for draft in drafts:
        last = draft
        if new := written.growth(draft):
            yield new
    attributes.update(prediction_attributes(last))
    yield written.rest(last)


async def stream_words_async(
    drafts: AsyncIterator[Prediction], attributes: dict[str, Any]
) -> AsyncGenerator[str, None]:
    """Write a prediction in words piece by piece, as `stream_words`."""
    written = _Written()
    async for draft in drafts:
        last = draft
        if new := written.growth(draft):
            yield new
    attributes.update(prediction_attributes(last))
    yield written.rest(last)


class _Written:
    """What has been written of a prediction in words, which begin with the language model's reason."""

    def __init__(self) -> None:
        self._words = ""

    def growth(self, draft: Prediction) -> str:
        if not draft.reason.startswith(self._words):
            return ""
        new, self._words = draft.reason[len(self._words) :], draft.reason
        return new

    def rest(self, prediction: Prediction) -> str:
        words = prediction_in_words(prediction)
        return words[len(self._words) :] if words.startswith(self._words) else f"\n{words}"


def _plain(answer: Any) -> Answer:
    """Give the fields of an answer that comes as a record of pydantic."""
    fields: Answer = answer.model_dump() if hasattr(answer, "model_dump") else answer
    return fields
