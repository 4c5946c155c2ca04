"""Answers written as a table into a file: CSV, JSON lines, Parquet or Excel."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from zeroshot_core.checks import repaired_text
from zeroshot_core.cli.number_style import as_number
from zeroshot_core.errors import require
from zeroshot_core.files import replacing

__all__ = ["FORMATS", "write_columns"]

# What a spreadsheet takes for the beginning of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
# What XML, of which workbooks are made, cannot hold.
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_LONGEST_CELL = 32_767

Columns = Mapping[str, Sequence[Any]]


def write_columns(path: Path, columns: Columns) -> None:
    """Write columns of one length into a file, whole or not at all, in the format that its name ends with.

    Texts that a spreadsheet would take for a formula stay texts: in Excel they are marked as such, in CSV an
    apostrophe is put before them. None is an empty cell.

    Raises
    ------
    MissingExtraError
        If what writes Parquet or Excel is not installed.
    OSError
        If the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part:
        FORMATS[path.suffix.lower()](part, columns)


def _write_csv(path: Path, columns: Columns) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(map(_harmless, columns))
        writer.writerows([_harmless(cell) for cell in row] for row in zip(*columns.values(), strict=True))


def _harmless(cell: Any) -> Any:
    """Put an apostrophe before a text that looks like a formula; signed numbers written as text are none."""
    if not isinstance(cell, str):
        return cell
    text = repaired_text(cell)
    return f"'{text}" if text.startswith(_FORMULA) and as_number(text, ".") is None else text


def _write_json_lines(path: Path, columns: Columns) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in zip(*columns.values(), strict=True):
            line = json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False)
            file.write(f"{repaired_text(line)}\n")


def _write_parquet(path: Path, columns: Columns) -> None:
    arrow, parquet = require("pyarrow", extra="tables"), require("pyarrow.parquet", extra="tables")
    repaired = {
        repaired_text(name): [repaired_text(cell) if isinstance(cell, str) else cell for cell in cells]
        for name, cells in columns.items()
    }
    parquet.write_table(arrow.table(repaired), path)


def _write_excel(path: Path, columns: Columns) -> None:
    openpyxl = require("openpyxl", extra="tables")
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title, sheet.freeze_panes = "forecast", "B2"
    rows = [list(columns), *zip(*columns.values(), strict=True)]
    for number, row in enumerate(rows, start=1):
        for place, value in enumerate(row, start=1):
            cell = sheet.cell(number, place)
            if isinstance(value, str):
                cell.value = _NOT_IN_XML.sub("\ufffd", repaired_text(value))[:_LONGEST_CELL]
                # Excel would make a formula of it again when somebody edits the cell.
                cell.data_type, cell.quotePrefix = "s", value.startswith(_FORMULA)
            else:
                cell.value = value
    book.save(path)


FORMATS: Mapping[str, Callable[[Path, Columns], None]] = {
    ".csv": _write_csv,
    ".jsonl": _write_json_lines,
    ".parquet": _write_parquet,
    ".xlsx": _write_excel,
}
