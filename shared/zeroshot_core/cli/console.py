"""What the commands write: results to standard output, everything else to standard error."""

from __future__ import annotations

import json
import re
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from zeroshot_core.checks import repaired_text

__all__ = [
    "Phases",
    "note",
    "notes_for_warnings",
    "shows_progress",
    "write_json",
    "write_line",
    "write_table",
]

_PLAIN_WIDTH = 120
# Columns of a line that a column of texts needs at least.
_LEAST_TEXT = 16
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
    """Write a table to standard output; the columns at the positions `numbers` are aligned to the right.

    Numbers are neither cut nor folded: columns for which the line is too short follow in a further table,
    beside the first column again.
    """
    console = Console()
    # Into a file or a pipe, rich would fold everything at 80 columns.
    console = Console(width=None if console.is_terminal else _PLAIN_WIDTH)
    right = set(numbers)
    # Text, since cells hold brackets that rich would take for markup.
    cells = [[Text(_shown(cell)) for cell in row] for row in rows]
    columns = [[Text(_shown(head)), *(row[place] for row in cells)] for place, head in enumerate(heads)]
    widths = [
        _natural_width(column) if place in right else min(_natural_width(column), _LEAST_TEXT)
        for place, column in enumerate(columns)
    ]
    for number, block in enumerate(_blocks(widths, console.width)):
        table = Table(title=None if number else _shown(title), title_justify="left", header_style="bold")
        for place in block:
            is_number = place in right
            table.add_column(
                columns[place][0],
                justify="right" if is_number else "left",
                no_wrap=is_number,
                overflow="fold",
                min_width=widths[place],
            )
        for row in cells:
            table.add_row(*(row[place] for place in block))
        console.print(table)


def _natural_width(column: Sequence[Text]) -> int:
    return max(line.cell_len for cell in column for line in cell.split("\n", allow_blank=True))


def _blocks(widths: Sequence[int], width: int) -> list[list[int]]:
    """Deal columns of at least some widths into tables that fit a line, each with the first column."""
    blocks = [[0]]
    for place in range(1, len(widths)):
        block = [*blocks[-1], place]
        # A border and two blanks for each column, and the last border.
        if sum(widths[one] + 3 for one in block) + 1 > width and len(blocks[-1]) > 1:
            blocks.append([0, place])
        else:
            blocks[-1] = block
    return blocks


def _shown(text: str) -> str:
    """Write a text so that a terminal shows it, whatever it holds."""
    return _CONTROL.sub("\ufffd", repaired_text(text))


@contextmanager
def notes_for_warnings(*, quiet: bool = False) -> Iterator[None]:
    """Write what the package warns of as notes, a line each; nothing if quiet."""
    with warnings.catch_warnings():
        as_python_does = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            # Other libraries have categories of their own.
            if category is not UserWarning:
                as_python_does(message, category, *place, **more)
            elif not quiet:
                note(f"note: {message}")

        warnings.simplefilter("default", UserWarning)
        warnings.showwarning = show
        yield


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
