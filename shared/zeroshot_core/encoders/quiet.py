"""Keeping the libraries' own progress bars off the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["no_library_bars"]


@contextmanager
def no_library_bars() -> Iterator[None]:
    """Silence the bars that transformers draws while it reads or writes weights."""
    from transformers.utils import logging

    was_on = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if was_on:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]
