"""Items from CSV and JSON lines."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zeroshot_core import checks
from zeroshot_core.errors import InvalidInputError

if TYPE_CHECKING:
    from zeroshot_core.types import Floats

__all__ = ["STANDARD_INPUT", "TextTable", "read_table"]

STANDARD_INPUT = Path("-")
_N_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class TextTable:
    """Rows of a file, at least one.

    Parameters
    ----------
    name
        What messages call the file.
    columns
        Names of the columns; for JSON lines, of all keys.
    rows
        Cell by column, without blanks around it; a missing cell is ``""``.
    lines
        Where each row ends in the file, counted from 1.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[Mapping[str, str], ...]
    lines: tuple[int, ...]

    def column(self, name: str) -> list[str]:
        """Give the cells of a column.

        Raises
        ------
        InvalidInputError
            If there is no such column.
        """
        if name not in self.columns:
            raise InvalidInputError(
                f"{self.name}: expected a column {name!r}, got {', '.join(self.columns)}; mend the name"
            )
        return [row[name] for row in self.rows]

    def numbers(self, names: Sequence[str]) -> Floats:
        """Give columns as numbers, shape (n,) for one name, (n, len(names)) for more.

        Raises
        ------
        InvalidInputError
            If a column is not there or a cell is not a number; one error lists the first offenders.
        """
        import numpy as np

        columns = [self._number_column(name) for name in names]
        return np.array(columns[0]) if len(columns) == 1 else np.array(columns).T

    def _number_column(self, name: str) -> list[float]:
        cells = self.column(name)
        wrong = [(line, cell) for line, cell in zip(self.lines, cells, strict=True) if not _is_number(cell)]
        if wrong:
            shown = ", ".join(f"{checks.shown(cell)} in line {line}" for line, cell in wrong[:_N_SHOWN])
            raise InvalidInputError(
                f"{self.name}: expected numbers in column {name!r}, got {len(wrong)} other cells: {shown}; "
                "mend or drop the rows"
            )
        return [float(cell) for cell in cells]


def read_table(path: Path) -> TextTable:
    """Read a table; ``-`` is standard input.

    What begins with ``{`` is JSON lines, one object a row; anything else is CSV with a header.

    Raises
    ------
    InvalidInputError
        If the file can't be read, is empty, or has damaged lines (one error lists the first).
    """
    name = "standard input" if path == STANDARD_INPUT else str(path)
    text = _read_text(path, name)
    parse = _json_rows if text.lstrip().startswith("{") else _csv_rows
    rows: list[dict[str, str]] = []
    lines: list[int] = []
    wrong: list[str] = []
    for line, row in parse(text, name):
        if isinstance(row, str):
            wrong.append(f"line {line}: {row}")
            continue
        rows.append(row)
        lines.append(line)
    if wrong:
        shown = "; ".join(wrong[:_N_SHOWN])
        raise InvalidInputError(
            f"{name}: expected a row a line, got {len(wrong)} damaged: {shown}; mend them"
        )
    if not rows:
        raise InvalidInputError(f"{name}: expected at least one row, got none")
    columns = tuple(dict.fromkeys(column for row in rows for column in row))
    full = tuple({column: row.get(column, "") for column in columns} for row in rows)
    return TextTable(name=name, columns=columns, rows=full, lines=tuple(lines))


def _read_text(path: Path, name: str) -> str:
    try:
        data = sys.stdin.buffer.read() if path == STANDARD_INPUT else path.read_bytes()
        return data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"expected a readable UTF-8 file, got {name}: {error}") from error


def _csv_rows(text: str, name: str) -> Iterator[tuple[int, dict[str, str] | str]]:
    """Line and cells of each row, or what is wrong with it."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        if len(set(header)) != len(header) or not all(header):
            raise InvalidInputError(f"{name}: expected a header of distinct names, got {header}")
        for cells in reader:
            if len(cells) == len(header):
                yield reader.line_num, dict(zip(header, map(str.strip, cells), strict=True))
            elif cells:
                yield reader.line_num, f"expected {len(header)} cells, got {len(cells)}"
    except csv.Error as error:
        yield reader.line_num, f"expected CSV, got {error}"


def _json_rows(text: str, name: str) -> Iterator[tuple[int, dict[str, str] | str]]:
    """Line and cells of each object, or what is wrong with it."""
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                yield number, _cells(json.loads(line))
            except ValueError as error:
                yield number, str(error)
            except RecursionError:
                yield number, "expected a JSON object, got one nested too deeply"


def _cells(row: object) -> dict[str, str]:
    if not isinstance(row, dict):
        raise ValueError("expected a JSON object")
    for column, value in row.items():
        if not isinstance(value, str | int | float | None):
            raise ValueError(f"{column!r}: expected a string, a number or null, got {type(value).__name__}")
    return {column: "" if value is None else str(value).strip() for column, value in row.items()}


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    # Python takes 1_009 for 1009, which nobody meant who wrote a table.
    return "_" not in cell
