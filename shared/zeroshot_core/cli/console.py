"""What the commands write: results to standard output, everything else to standard error."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from zeroshot_core.checks import repaired_text

__all__ = ["Phases", "note", "shows_progress", "write_json", "write_line", "write_table"]

_PLAIN_WIDTH = 120
# What a terminal would obey instead of showing it; tabs and line breaks are harmless.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def write_json(value: Mapping[str, Any]) -> None:
    """Write one JSON object, on one line, to standard output."""
    written = repaired_text(json.dumps(value, ensure_ascii=False))
    # JSON escapes the first 32 characters only.
    typer.echo(_CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", written))


def write_line(text: str) -> None:
    """Write a line to standard output."""
    typer.echo(_shown(text))


def note(text: str) -> None:
    """Write a line to standard error."""
    typer.echo(_shown(text), err=True)


def write_table(
    title: str, heads: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Iterable[int] = ()
) -> None:
    """Write a table to standard output; the columns at the positions `numbers` are aligned to the right."""
    table = Table(title=_shown(title), title_justify="left", header_style="bold")
    right = set(numbers)
    for position, head in enumerate(heads):
        is_number = position in right
        table.add_column(head, justify="right" if is_number else "left", no_wrap=is_number)
    for row in rows:
        # Text, since cells hold brackets that rich would take for markup.
        table.add_row(*(Text(_shown(cell)) for cell in row))
    console = Console()
    # Into a file or a pipe, rich would fold everything at 80 columns.
    Console(width=None if console.is_terminal else _PLAIN_WIDTH).print(table)


def _shown(text: str) -> str:
    """Write a text so that a terminal shows it, whatever it holds."""
    return _CONTROL.sub("\ufffd", repaired_text(text))


def shows_progress(*, quiet: bool = False) -> bool:
    """Whether bars may be drawn: on a terminal alone, where no log keeps them, and for who wants them."""
    return sys.stderr.isatty() and not quiet


class Phases:
    """A bar on standard error for each phase of a long command.

    `begin` ends the phase before it. A phase that draws its own bars gets a headline instead of a bar, and so
    does each where standard error is no terminal.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._done = 0
        self._bar: Progress | None = None

    def begin(self, name: str, *, draws_bars: bool = False) -> None:
        """End the phase before and begin the next."""
        self.end()
        self._done += 1
        name = f"[{self._done}/{self._count}] {name}"
        if draws_bars or not shows_progress():
            note(name)
            return
        columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
        self._bar = Progress(*columns, console=Console(stderr=True))
        self._bar.add_task(name, total=None)
        self._bar.start()

    def end(self) -> None:
        """Complete the bar of the phase, where one is drawn."""
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], total=1, completed=1)
            self._bar.stop()
            self._bar = None

    def __enter__(self) -> Phases:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
