"""Spans of OpenTelemetry around what takes time, with counts and never with contents.

A program that traces has imported OpenTelemetry and set a tracer provider; in any other nothing happens here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sized
from contextlib import contextmanager
from functools import wraps
from typing import Any, TypeVar

__all__ = ["span", "traced"]

Method = TypeVar("Method", bound=Callable[..., Any])


@contextmanager
def span(name: str, **counts: int) -> Iterator[None]:
    """Have the block in a span ``zeroshot.<name>`` with attributes ``zeroshot.<count>``.

    Of an error the span holds the class alone: its message may show what was given.
    """
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        yield
        return
    with trace.get_tracer("zeroshot_core").start_as_current_span(
        f"zeroshot.{name}",
        attributes={f"zeroshot.{key}": value for key, value in counts.items()},
        record_exception=False,
        set_status_on_exception=False,
    ) as current:
        try:
            yield
        except BaseException as error:
            current.set_attribute("error.type", type(error).__name__)
            current.set_status(trace.StatusCode.ERROR)
            raise


def traced(name: str, count: str) -> Callable[[Method], Method]:
    """Decorate a method so that each call is a span with the length of its first argument."""

    def decorated(method: Method) -> Method:
        @wraps(method)
        def run(self: Any, *args: Any, **kwargs: Any) -> Any:
            given = next(iter((*args, *kwargs.values())), ())
            with span(name, **{count: len(given) if isinstance(given, Sized) else 0}):
                return method(self, *args, **kwargs)

        return run  # type: ignore[return-value]

    return decorated
