"""Async functions of those that block: they run in a thread, and the event loop turns on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, TypeVar

from typing_extensions import ParamSpec

__all__ = ["method_in_thread", "run_in_thread"]

P = ParamSpec("P")
T = TypeVar("T")


def run_in_thread(function: Callable[P, T]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Make an async function of one that blocks."""

    @wraps(function)
    async def run(*args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.to_thread(function, *args, **kwargs)

    return run


def method_in_thread(
    method: Callable[Concatenate[Any, P], T],
) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]:
    """Make an async method of one that blocks, whatever class overrides it."""
    return run_in_thread(method)
