"""Options of the commands that read a table, and how they read it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zeroshot_core.cli.console import note
from zeroshot_core.cli.number_style import DECIMAL_MARKS
from zeroshot_core.cli.tables import Dialect, TextTable, read_table

__all__ = ["Decimal", "Delimiter", "Encoding", "Quiet", "table_of"]

_TAB = {"tab": "\t", r"\t": "\t"}


def _known_delimiter(value: str | None) -> str | None:
    delimiter = value if value is None else _TAB.get(value, value)
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '\r\n"'):
        raise typer.BadParameter(f"expected one character, or tab, got {value!r}")
    return delimiter


def _known_decimal(value: str | None) -> str | None:
    if value is not None and value not in DECIMAL_MARKS:
        raise typer.BadParameter(f"expected . or , got {value!r}")
    return value


Delimiter = Annotated[
    str | None,
    typer.Option(callback=_known_delimiter, help="What stands between cells of CSV; found out without it."),
]
Decimal = Annotated[
    str | None, typer.Option(callback=_known_decimal, help="Decimal mark, . or , (found out without it).")
]
Encoding = Annotated[
    str | None, typer.Option(help="Encoding of a file of text, such as cp1250; found out without it.")
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Say nothing but the answer and errors.")]


def table_of(path: Path, dialect: Dialect, *, quiet: bool) -> TextTable:
    """Read a table, and say in one line on standard error how it is written, unless it is plain CSV or JSON.

    Raises
    ------
    InvalidInputError
        As of `read_table`.
    """
    table = read_table(path, dialect)
    if table.dialect and not quiet:
        note(f"note: {table.name} is read with {table.dialect}")
    return table
