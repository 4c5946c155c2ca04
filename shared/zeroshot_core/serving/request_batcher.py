"""One call of the model for all requests that wait for it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from zeroshot_core.errors import ZeroShotError
from zeroshot_core.serving.inputs import answer_batch

__all__ = ["BusyError", "RequestBatcher"]

In = TypeVar("In")
Out = TypeVar("Out")


class BusyError(ZeroShotError):
    """More waits already than will be answered soon."""


@dataclass(kw_only=True, eq=False)
class _Request:
    """What waits: inputs that are answered by one call with those of the same key."""

    key: Hashable
    answer: Callable[[list[Any]], list[Any]]
    inputs: list[Any]
    reply: asyncio.Future[list[Any]] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class RequestBatcher:
    """Answers requests in a thread, all that wait and ask alike by one call, in the order of the first.

    While the model answers some, the next ones gather, so a batch grows with the load, and a lone request
    waits for nobody. What is wrong with one request is told to that one alone.

    Parameters
    ----------
    most
        Inputs of one call; a request that has more is a call of its own.
    most_waiting
        Inputs that may wait; more are refused.
    note
        Is told how many inputs each call has.
    """

    def __init__(self, *, most: int, most_waiting: int, note: Callable[[int], None] = lambda n: None) -> None:
        self._most, self._most_waiting, self._note = most, most_waiting, note
        self._requests: deque[_Request] = deque()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="model")
        self._turn: asyncio.Task[None] | None = None

    @property
    def n_waiting(self) -> int:
        """Inputs that wait for the model."""
        return sum(len(each.inputs) for each in self._requests)

    async def ask(
        self, key: Hashable, answer: Callable[[list[In]], list[Out]], inputs: list[In]
    ) -> list[Out]:
        """Answer inputs, together with what else of the same key waits.

        Raises
        ------
        BusyError
            If too much waits.
        """
        if self.n_waiting + len(inputs) > self._most_waiting and self._requests:
            raise BusyError("expected a service with time, got one with too many requests waiting; ask later")
        request = _Request(key=key, answer=answer, inputs=inputs)
        self._requests.append(request)
        if self._turn is None:
            self._turn = asyncio.create_task(self._answer_all())
        return await request.reply

    async def close(self) -> None:
        """End when all that waits is answered."""
        if self._turn is not None:
            await self._turn
        self._pool.shutdown()

    async def _answer_all(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while batch := self._next_batch():
                replies = await loop.run_in_executor(self._pool, _replies, batch)
                for request, reply in zip(batch, replies, strict=True):
                    if request.reply.done():
                        continue  # who asked has left
                    if isinstance(reply, Exception):
                        request.reply.set_exception(reply)
                    else:
                        request.reply.set_result(reply)
        finally:
            self._turn = None

    def _next_batch(self) -> list[_Request]:
        batch: list[_Request] = []
        later: deque[_Request] = deque()
        n_inputs = 0
        for request in self._requests:
            is_alike = not batch or request.key == batch[0].key
            if request.reply.done():
                continue
            if is_alike and (not batch or n_inputs + len(request.inputs) <= self._most):
                batch.append(request)
                n_inputs += len(request.inputs)
            else:
                later.append(request)
        self._requests = later
        if batch:
            self._note(n_inputs)
        return batch


def _replies(batch: list[_Request]) -> list[list[Any] | Exception]:
    """Answer requests by one call; after an input that is wrong, each by its own."""

    def answer(requests: list[_Request]) -> list[list[Any]]:
        answers = iter(requests[0].answer([each for request in requests for each in request.inputs]))
        return [[next(answers) for _ in request.inputs] for request in requests]

    return answer_batch(answer, batch, apart=True)
