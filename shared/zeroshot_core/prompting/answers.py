"""What a language model is asked about one text, and what becomes of its answer."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, TypeAlias

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph.names import word_key
from zeroshot_core.types import Prediction

__all__ = ["ANSWER_FORMAT", "Answer", "LabelQuestion", "answer_schema", "read_answer"]

Answer: TypeAlias = "str | Mapping[str, Any]"
"""A text, with JSON in it or a label alone; or the fields ``reason`` and ``label``."""

# The reason comes first: a label that is chosen after the reasons is chosen for them.
ANSWER_FORMAT = """
Answer with a JSON object alone, such as {"reason": "what decides it, in a sentence", "label": "a label"}."""

_REASON = re.compile(r'"reason"\s*:\s*"((?:[^"\\]|\\u[0-9a-fA-F]{4}|\\[^u])*)')
_MOST_CHARACTERS = 300


def answer_schema(labels: Mapping[str, str]) -> dict[str, Any]:
    """JSON schema of an answer: an object with a reason, and a label that is one of the names given."""
    reason = {"type": "string", "description": "What decides it, in one sentence."}
    label = {"type": "string", "enum": list(labels), "description": "The label that fits the text best."}
    return {
        "title": "ChosenLabel",
        "description": "The label of a text.",
        "type": "object",
        "properties": {"reason": reason, "label": label},
        "required": ["reason", "label"],
        "additionalProperties": False,
    }


def read_answer(answer: Any, labels: Mapping[str, str]) -> tuple[str, str]:
    """Find label and reason in an answer; without fields, its last line has to be the label.

    Case, spaces and punctuation don't count where they tell no candidates apart.

    Parameters
    ----------
    labels
        Id of each candidate by the name that the model was given.

    Raises
    ------
    InvalidInputError
        If there is no answer, or it names none of the candidates.
    """
    fields = answer if isinstance(answer, Mapping) else _fields(answer)
    if fields is not None:
        said, reason = fields.get("label"), fields.get("reason")
    else:
        said, reason = answer, ""
    if isinstance(said, str | int):
        lines = [line.strip() for line in str(said).splitlines() if line.strip()][-1:]
        for words in chain.from_iterable((line, line.rpartition(":")[2]) for line in lines):
            label = _candidate(words, labels)
            if label is not None:
                return label, reason if isinstance(reason, str) else ""
    raise InvalidInputError(f"expected one of {_short(', '.join(labels))}, got {_short(repr(said))}")


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
        What a model is told whose answer is held to `schema` by other means.
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
            return replace(self.prediction, fallback=f"it failed with {_named_error(answer)}")
        try:
            label, reason = read_answer(answer, self.labels)
        except InvalidInputError as error:
            return replace(self.prediction, fallback=f"it answered badly, {error}")
        return replace(self.prediction, value=label, reason=reason)

    def draft(self, so_far: Answer | None) -> Prediction:
        """Give the classifier's prediction with what there is of the reason."""
        if isinstance(so_far, Mapping):
            reason = so_far.get("reason")
            return replace(self.prediction, reason=reason if isinstance(reason, str) else "")
        written = _REASON.search(so_far or "")
        return replace(self.prediction, reason=_unescaped(written[1]) if written else "")

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


def _fields(text: Any) -> Mapping[str, Any] | None:
    """Find the first JSON object with a label; models write around it."""
    for brace in re.finditer(r"\{", text) if isinstance(text, str) else ():
        try:
            found, _ = json.JSONDecoder(strict=False).raw_decode(text, brace.start())
        except json.JSONDecodeError:
            continue
        if "label" in found:
            return dict(found)
    return None


def _candidate(words: str, labels: Mapping[str, str]) -> str | None:
    if words.strip() in labels:
        return labels[words.strip()]
    folded = word_key(words)
    alike = {id_ for name, id_ in labels.items() if folded and folded in {word_key(name), word_key(id_)}}
    return alike.pop() if len(alike) == 1 else None


def _unescaped(written: str) -> str:
    # Half of a surrogate pair is no character yet.
    return re.sub(r"[\ud800-\udfff]$", "", json.loads(f'"{written}"', strict=False))


def _named_error(error: Exception) -> str:
    return _short(f"{type(error).__name__}: {error}".strip(": "))


def _short(words: str) -> str:
    line = " ".join(words.split())
    return line if len(line) <= _MOST_CHARACTERS else f"{line[:_MOST_CHARACTERS]}..."
