"""Tables in files: CSV, JSON lines and arrays, Parquet and Excel, plain or within gzip."""

from __future__ import annotations

import gzip
import math
import sys
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zeroshot_core.checks import listed, shown
from zeroshot_core.cli.day_style import as_day, day_order, is_open
from zeroshot_core.cli.delimited_text import (
    DELIMITERS,
    csv_rows,
    decoded,
    find_delimiter,
    without_separator_line,
)
from zeroshot_core.cli.json_rows import json_rows
from zeroshot_core.cli.number_style import NumberStyle, as_number
from zeroshot_core.cli.spreadsheets import excel_rows, parquet_columns
from zeroshot_core.errors import InvalidInputError

if TYPE_CHECKING:
    from zeroshot_core.types import Floats

__all__ = ["STANDARD_INPUT", "Dialect", "TextTable", "read_bytes", "read_table"]

STANDARD_INPUT = Path("-")
_N_SHOWN = 3
# Of each of several cells or names in one message.
_MAX_SHOWN = 60
_GZIP, _EXCEL, _PARQUET, _OLD_EXCEL = b"\x1f\x8b", b"PK\x03\x04", b"PAR1", b"\xd0\xcf\x11\xe0"
_ENCODINGS = {"cp1252": "Windows-1252"}


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How a file of text is written, as far as somebody says; None is found out.

    Parameters
    ----------
    delimiter
        The character between the cells of CSV.
    decimal
        ``"."`` or ``","``.
    encoding
        Name of the encoding.
    """

    delimiter: str | None = None
    decimal: str | None = None
    encoding: str | None = None


@dataclass(frozen=True, kw_only=True)
class TextTable:
    """Rows of a file, at least one.

    Parameters
    ----------
    name
        What messages call the file.
    columns
        Names of the columns that can be asked for; for JSON, of all keys.
    rows
        Cell by column, without blanks around it; a missing cell is ``""``.
    lines
        Where each row ends in the file, counted from 1; without lines, the number of the row.
    unit
        What `lines` counts.
    unusable
        What is wrong with further columns, by their names.
    typed
        Columns with numbers that the file holds as such, not as text.
    style
        How its numbers are written.
    dialect
        Words for what is not as in plain CSV: commas, decimal points, UTF-8.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[Mapping[str, str], ...]
    lines: tuple[int, ...]
    unit: str = "line"
    unusable: Mapping[str, str] = field(default_factory=dict)
    typed: frozenset[str] = frozenset()
    style: NumberStyle = field(default_factory=NumberStyle)
    dialect: str = ""

    def column(self, name: str) -> list[str]:
        """Give the cells of a column.

        Raises
        ------
        InvalidInputError
            If there is no such column, or it cannot be used.
        """
        if name in self.unusable:
            raise InvalidInputError(
                f"{self.name}: expected one column {shown(name)} of texts or numbers, got "
                f"{self.unusable[name]}; mend the file"
            )
        if name not in self.columns:
            raise InvalidInputError(
                f"{self.name}: expected a column {shown(name)}, got {listed(self.columns)}; mend the name"
            )
        return [row[name] for row in self.rows]

    def numbers(self, names: Sequence[str], *, gaps: bool = False) -> Floats:
        """Give columns as numbers, shape (n,) for one name, (n, len(names)) for more.

        Parameters
        ----------
        gaps
            Whether a cell may be empty, or say that it is missing; NaN then.

        Raises
        ------
        InvalidInputError
            If a column is not there or a cell is not a number; one error lists the first offenders.
        """
        import numpy as np

        columns = [self._number_column(name, gaps) for name in names]
        return np.array(columns[0]) if len(columns) == 1 else np.array(columns).T

    def days(self, name: str) -> list[date | None]:
        """Give a column as days; a cell may be empty, or say that it is missing.

        Raises
        ------
        InvalidInputError
            If the column is not there, a cell is no day, or nothing tells its day from its month.
        """
        cells = self.column(name)
        order = day_order(cells)
        if order is None:
            raise InvalidInputError(
                f"{self.name}: expected days in column {shown(name)} that can be read in one way, got "
                f"{_short(next(filter(is_open, cells)))}; write them as 2024-03-31"
            )
        days: list[date | None] = []
        for line, cell in zip(self.lines, cells, strict=True):
            try:
                days.append(as_day(cell, order))
            except ValueError:
                raise InvalidInputError(
                    f"{self.name}: expected days in column {shown(name)}, got {_short(cell)} in {self.unit} "
                    f"{line}; write them as 2024-03-31"
                ) from None
        return days

    def take(self, places: Sequence[int]) -> TextTable:
        """Pick some of the rows."""
        return replace(
            self,
            rows=tuple(self.rows[place] for place in places),
            lines=tuple(self.lines[place] for place in places),
        )

    def _number_column(self, name: str, gaps: bool) -> list[float]:
        cells = self.column(name)
        decimal = "." if name in self.typed else self.style.decimal(cells)
        if decimal is None:
            unclear = next(filter(self.style.is_unclear, cells))
            raise InvalidInputError(
                f"{self.name}: expected numbers in column {shown(name)} that can be read in one way, got "
                f"{_short(unclear)}, whose mark may be a decimal one or stand between thousands; say which "
                "is the decimal mark with --decimal"
            )
        numbers = [as_number(cell, decimal) for cell in cells]
        wrong = [
            (line, cell)
            for line, cell, number in zip(self.lines, cells, numbers, strict=True)
            if number is None or (math.isnan(number) and not gaps)
        ]
        if wrong:
            first = ", ".join(f"{_short(cell)} in {self.unit} {line}" for line, cell in wrong[:_N_SHOWN])
            is_empty = all(number is not None for number in numbers)
            remedy = (
                "fill them in, or leave them out with --missing drop" if is_empty else "mend or drop the rows"
            )
            raise InvalidInputError(
                f"{self.name}: expected numbers in column {shown(name)}, got {len(wrong)} other cells: "
                f"{first}; {remedy}"
            )
        return [number for number in numbers if number is not None]


@dataclass(frozen=True, kw_only=True)
class _RawTable:
    """What a file holds, before it is checked.

    Parameters
    ----------
    rows
        Line and cells of each row, in the order of the header, or what is wrong with the row.
    delimiter
        None where nothing stands between cells.
    """

    header: Sequence[Any]
    rows: Sequence[tuple[int, Sequence[Any] | str]]
    unit: str = "line"
    delimiter: str | None = None
    dialect: tuple[str, ...] = ()


def read_table(path: Path, dialect: Dialect | None = None) -> TextTable:
    """Read a table; ``-`` is standard input.

    What a file is shows in its first bytes, whatever its name: gzip of any of these, Parquet, Excel, JSON
    lines (``{``), a JSON array (``[``), and otherwise CSV with a header. Columns without a name, such as the
    index that pandas writes, are left out; so are empty rows of CSV and Excel.

    Raises
    ------
    InvalidInputError
        If the file can't be read, is empty, or has damaged rows (one error lists the first).
    MissingExtraError
        If it is Parquet or Excel, and what opens that is not installed.
    """
    said = dialect or Dialect()
    name = "standard input" if path == STANDARD_INPUT else str(path)
    data = read_bytes(path, name)
    try:
        raw = _raw_table(data, said)
    except InvalidInputError as error:
        raise InvalidInputError(f"{name}: {error}") from error
    wrong = [f"{raw.unit} {line}: {row}" for line, row in raw.rows if isinstance(row, str)]
    if wrong:
        raise InvalidInputError(
            f"{name}: expected a row a {raw.unit}, got {len(wrong)} damaged: {'; '.join(wrong[:_N_SHOWN])}; "
            "mend them"
        )
    if not raw.rows:
        raise InvalidInputError(f"{name}: expected at least one row, got none")
    return _checked(name, raw, said)


def read_bytes(path: Path, name: str) -> bytes:
    """Read a file, plain or within gzip; messages call it by its name.

    Raises
    ------
    InvalidInputError
        If it can't be read.
    """
    try:
        data = sys.stdin.buffer.read() if path == STANDARD_INPUT else path.read_bytes()
        return gzip.decompress(data) if data.startswith(_GZIP) else data
    except (OSError, EOFError, zlib.error) as error:
        raise InvalidInputError(f"expected a readable file, got {name}: {error}") from error


def _raw_table(data: bytes, said: Dialect) -> _RawTable:
    if data.startswith(_OLD_EXCEL):
        raise InvalidInputError(
            "expected a workbook of Excel 2007 or later, got an older one; save it as .xlsx"
        )
    if data.startswith(_PARQUET):
        columns = parquet_columns(data)
        cells = zip(*(values for _, values in columns), strict=True)
        return _RawTable(
            header=[name for name, _ in columns], rows=list(enumerate(cells, start=1)), unit="row"
        )
    if data.startswith(_EXCEL):
        sheet, rows = excel_rows(data)
        return _RawTable(
            header=rows[0][1] if rows else (),
            rows=_even(rows[1:], len(rows[0][1]) if rows else 0),
            unit="row",
            dialect=(sheet,) if sheet else (),
        )
    text, encoding = decoded(data, said.encoding)
    is_plain = said.encoding or encoding in {"utf-8", "utf-8-sig"}
    words = () if is_plain else (_ENCODINGS.get(encoding, encoding.upper()),)
    text = text.removeprefix("\ufeff")
    return _json_table(text, words) if text.lstrip()[:1] in {"{", "["} else _csv_table(text, said, words)


def _even(rows: Sequence[tuple[int, Sequence[Any]]], n: int) -> list[tuple[int, Sequence[Any]]]:
    """Give each row as many cells as the header has; what stands beside has no name."""
    return [(number, [*cells[:n], *[None] * (n - len(cells))]) for number, cells in rows]


def _json_table(text: str, dialect: tuple[str, ...]) -> _RawTable:
    rows = list(json_rows(text))
    header = list(dict.fromkeys(key for _, row in rows if not isinstance(row, str) for key in row))
    return _RawTable(
        header=header,
        rows=[
            (line, row if isinstance(row, str) else [row.get(key) for key in header]) for line, row in rows
        ],
        unit="row" if text.lstrip().startswith("[") else "line",
        dialect=dialect,
    )


def _csv_table(text: str, said: Dialect, dialect: tuple[str, ...]) -> _RawTable:
    text, named = without_separator_line(text)
    delimiter = said.delimiter or named or find_delimiter(text)
    rows = [(line + bool(named), cells) for line, cells in csv_rows(text, delimiter)]
    header = rows[0][1] if rows else []
    if isinstance(header, str):
        raise InvalidInputError(f"line {rows[0][0]}: {header}")
    words = f"{DELIMITERS.get(delimiter, shown(delimiter))} between cells"
    return _RawTable(
        header=header,
        rows=rows[1:],
        delimiter=delimiter,
        dialect=dialect if said.delimiter or delimiter == "," else (words, *dialect),
    )


def _checked(name: str, raw: _RawTable, said: Dialect) -> TextTable:
    """Turn what a file holds into cells of text, and set aside the columns that cannot be used."""
    header = ["" if cell is None else _text_of(cell).strip() for cell in raw.header]
    counts = Counter(header)
    unusable = {column: f"{count} of them" for column, count in counts.items() if count > 1 and column}
    typed = set()
    columns: dict[str, list[str]] = {}
    for place, column in enumerate(header):
        if not column or column in unusable:
            continue
        values = [cells[place] for _, cells in raw.rows]
        if raw.delimiter is not None:
            columns[column] = values
            continue
        strange = next((value for value in values if not isinstance(value, _SCALARS)), None)
        if strange is not None:
            unusable[column] = f"a {type(strange).__name__} in it"
            continue
        if any(isinstance(value, int | float | Decimal) for value in values):
            typed.add(column)
        columns[column] = ["" if value is None else _text_of(value).strip() for value in values]
    if not columns:
        raise InvalidInputError(
            f"{name}: expected a header of distinct names, got {shown(header)}; write them in the first row"
        )
    style = NumberStyle.of_columns(
        (cells for column, cells in columns.items() if column not in typed),
        given=said.decimal,
        takes_points=raw.delimiter != ";",
    )
    marks = ("decimal commas",) if style.found == "," and said.decimal is None else ()
    return TextTable(
        name=name,
        columns=tuple(columns),
        rows=tuple(dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)),
        lines=tuple(line for line, _ in raw.rows),
        unit=raw.unit,
        unusable=unusable,
        typed=frozenset(typed),
        style=style,
        dialect=", ".join((*raw.dialect, *marks)),
    )


_SCALARS = (str, int, float, Decimal, date, type(None))


def _text_of(value: Any) -> str:
    """Write a value of a cell: whole numbers without a decimal point, days without a time."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, datetime):
        is_day = value.time() == datetime.min.time() and value.tzinfo is None
        return value.date().isoformat() if is_day else value.isoformat()
    return value.isoformat() if isinstance(value, date) else str(value)


def _short(cell: str) -> str:
    return shown(cell if len(cell) <= _MAX_SHOWN else f"{cell[: _MAX_SHOWN - 3]}...")
