"""Many inputs through one call, the wrong ones told apart from the good."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from zeroshot_core.errors import InvalidInputError

__all__ = ["answer_all"]

In = TypeVar("In")
Out = TypeVar("Out")


def answer_all(
    ask: Callable[[list[In]], list[Out]], inputs: list[In], *, apart: bool
) -> list[Out | Exception]:
    """Answer all inputs by one call; an error stands in the place of every input that it concerns.

    Parameters
    ----------
    ask
        Answers in the order of the inputs.
    apart
        After an `InvalidInputError` ask again one by one, so that the good inputs are answered.
    """
    try:
        return [*ask(inputs)]
    except InvalidInputError as error:
        if apart and len(inputs) > 1:
            return [answer for value in inputs for answer in answer_all(ask, [value], apart=True)]
        return [error] * len(inputs)
    except Exception as error:  # the caller reports it for every input
        return [error] * len(inputs)
