"""What a language model is asked about one text, and the prediction that comes of its answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.prompting.answers import (
    ANSWER_FORMAT,
    Answer,
    answer_schema,
    read_answer,
    read_reason,
    shortened,
)
from zeroshot_core.types import Prediction

__all__ = ["LabelQuestion"]


@dataclass(frozen=True, kw_only=True)
class LabelQuestion:
    """A prompt with candidates and evidence, and the classifier's prediction to fall back on.

    A model that raises, or answers with none of the candidates, leaves the classifier's label, and the
    prediction says in `fallback` why.

    Parameters
    ----------
    prediction
        The classifier's.
    labels
        Id of each candidate by its name, the most probable first.
    prompt
        The prompt for a model whose answer is held to `schema` by other means.
    obstacle
        Why no model can be asked; empty if it can.
    n_left_out
        Number of pieces of evidence for which the prompt had no room.
    """

    prediction: Prediction
    labels: Mapping[str, str]
    prompt: str
    obstacle: str = ""
    n_left_out: int = 0

    @property
    def schema(self) -> dict[str, Any]:
        """JSON schema of the answer."""
        return answer_schema(self.labels)

    @property
    def text_prompt(self) -> str:
        """The prompt for a model that answers in plain text."""
        return self.prompt + ANSWER_FORMAT

    def settle(self, answer: Answer | Exception | None) -> Prediction:
        """Make the answer, or the error that came in its place, a prediction."""
        if self.obstacle:
            return replace(self.prediction, fallback=f"it was not asked, {self.obstacle}")
        if isinstance(answer, Exception):
            error = shortened(f"{type(answer).__name__}: {answer}".strip(": "))
            return replace(self.prediction, fallback=f"it failed with {error}")
        try:
            label, reason = read_answer(answer, self.labels)
        except InvalidInputError as error:
            return replace(self.prediction, fallback=f"it answered badly, {error}")
        return replace(self.prediction, value=label, reason=reason)

    def draft(self, so_far: Answer | None) -> Prediction:
        """Give the classifier's prediction with what there is of the reason."""
        return replace(self.prediction, reason=read_reason(so_far))

    def ask(self, model: Callable[[LabelQuestion], Answer | None]) -> Prediction:
        """Ask a model."""
        try:
            return self.settle(None if self.obstacle else model(self))
        except Exception as error:  # a model that is down does not take the classifier down
            return self.settle(error)

    async def aask(self, model: Callable[[LabelQuestion], Awaitable[Answer | None]]) -> Prediction:
        """Ask a model without holding up the loop."""
        try:
            return self.settle(None if self.obstacle else await model(self))
        except Exception as error:
            return self.settle(error)

    def stream(self, model: Callable[[LabelQuestion], Iterator[Answer | None]]) -> Iterator[Prediction]:
        """Give drafts as the model writes, and the prediction last.

        Parameters
        ----------
        model
            Yields, again and again, all of the answer so far.
        """
        answer: Answer | Exception | None = None
        try:
            for answer in () if self.obstacle else model(self):
                yield self.draft(answer)
        except Exception as error:
            answer = error
        yield self.settle(answer)

    async def astream(
        self, model: Callable[[LabelQuestion], AsyncIterator[Answer | None]]
    ) -> AsyncIterator[Prediction]:
        """Give drafts as the model writes, and the prediction last, without holding up the loop."""
        answer: Answer | Exception | None = None
        try:
            if not self.obstacle:
                async for answer in model(self):
                    yield self.draft(answer)
        except Exception as error:
            answer = error
        yield self.settle(answer)
