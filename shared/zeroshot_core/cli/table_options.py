"""Options of the commands that read a table, and how they read it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from zeroshot_core.checks import shown
from zeroshot_core.cli.columns import names_of
from zeroshot_core.cli.console import note
from zeroshot_core.cli.number_style import DECIMAL_MARKS
from zeroshot_core.cli.tables import Dialect, TextTable, read_table
from zeroshot_core.frames import TableSchema

__all__ = [
    "ConceptColumns",
    "Dates",
    "Decimal",
    "Delimiter",
    "EncoderName",
    "Encoding",
    "ImageColumn",
    "KnownTable",
    "Missing",
    "Numeric",
    "OptionalTextColumns",
    "Quiet",
    "TextColumns",
    "known_word",
    "named_schema",
    "table_of",
]

_TAB = {"tab": "\t", r"\t": "\t"}


def known_word(words: Sequence[str]) -> Callable[[str], str]:
    """Make a check that a value is one of some words."""

    def checked(value: str) -> str:
        if value not in words:
            raise typer.BadParameter(f"expected {' or '.join(words)}, got {shown(value)}")
        return value

    return checked


def _known_delimiter(value: str | None) -> str | None:
    delimiter = value if value is None else _TAB.get(value, value)
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '\r\n"'):
        raise typer.BadParameter(f"expected one character, or tab, got {shown(value)}")
    return delimiter


def _known_decimal(value: str | None) -> str | None:
    if value is not None and value not in DECIMAL_MARKS:
        raise typer.BadParameter(f"expected . or , got {shown(value)}")
    return value


KnownTable = Annotated[Path, typer.Option(help="Table of known items: CSV, JSON, Parquet or Excel.")]
TextColumns = Annotated[
    str, typer.Option(help="Column that describes the item; several, comma-separated, are joined.")
]
OptionalTextColumns = Annotated[
    str | None, typer.Option(help="Column that describes the item; several, comma-separated, are joined.")
]
ImageColumn = Annotated[
    str | None,
    typer.Option("--image", help="Column of paths of pictures, from the folder of the table."),
]
ConceptColumns = Annotated[
    str | None, typer.Option(help="Columns, comma-separated, whose values are the concepts of the graph.")
]
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
Numeric = Annotated[
    str | None, typer.Option(help="Columns of numbers, comma-separated, such as price and size.")
]
Dates = Annotated[
    str | None, typer.Option(help="Columns of dates, comma-separated: season, month, week and weekday.")
]
Missing = Annotated[
    str,
    typer.Option(callback=known_word(("refuse", "drop")), help="Rows without a target: refuse or drop."),
]
EncoderName = Annotated[
    str, typer.Option("--encoder", help="Model of the hub, or folder; the default reads English texts.")
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Say nothing but the answer and errors.")]


def named_schema(
    table: TextTable, *, id: str | None = None, image: str | None = None, **roles: str | None
) -> TableSchema:
    """Make the schema of the columns that options name, comma-separated, by their role."""
    named: dict[str, Any] = {role: names_of(option, table.columns) for role, option in roles.items()}
    return TableSchema(id=id, image=image, **named)


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
