"""Rows of Excel workbooks and columns of Parquet files, which the extra ``tables`` opens."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Sequence
from typing import Any

from zeroshot_core.checks import listed, shown
from zeroshot_core.errors import InvalidInputError, require

__all__ = ["excel_rows", "parquet_columns"]

_WORKBOOK = "xl/workbook.xml"


def parquet_columns(data: bytes) -> list[tuple[str, list[Any]]]:
    """Name and values of each column.

    Raises
    ------
    InvalidInputError
        If the file is damaged.
    MissingExtraError
        If pyarrow is not installed.
    """
    arrow, parquet = require("pyarrow", extra="tables"), require("pyarrow.parquet", extra="tables")
    try:
        table = parquet.read_table(io.BytesIO(data))
        columns = [column.to_pylist() for column in table.columns]
    except (arrow.ArrowException, OSError, ValueError) as error:
        reason = listed([str(error).split("\n")[0]])
        raise InvalidInputError(f"expected a whole Parquet file, got a damaged one ({reason})") from error
    return list(zip(table.column_names, columns, strict=True))


def excel_rows(data: bytes) -> tuple[str, list[tuple[int, Sequence[Any]]]]:
    """Words for the sheet where there are several, and number and cells of each row that is not empty.

    The first sheet that holds anything is read, and of formulas what they gave when the file was saved.

    Raises
    ------
    InvalidInputError
        If the file is damaged, or no workbook.
    MissingExtraError
        If openpyxl is not installed.
    """
    openpyxl = require("openpyxl", extra="tables")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            is_workbook = _WORKBOOK in archive.namelist()
        if is_workbook:
            return _first_sheet(openpyxl, data)
    except Exception as error:  # whatever a damaged file brings the library's code to do
        reason = listed([f"{type(error).__name__}: {error}"])
        raise InvalidInputError(f"expected a whole Excel workbook, got a damaged one ({reason})") from error
    raise InvalidInputError(
        "expected an Excel workbook (.xlsx), got an archive of other files; save the table as .xlsx or .csv"
    )


def _first_sheet(openpyxl: Any, data: bytes) -> tuple[str, list[tuple[int, Sequence[Any]]]]:
    with warnings.catch_warnings():
        # What it does not know of a workbook (styles, checks of cells, prints) is not read here anyway.
        warnings.simplefilter("ignore")
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        for sheet in book.worksheets:
            rows = [
                (number, cells)
                for number, cells in enumerate(sheet.iter_rows(values_only=True), start=1)
                if any(cell is not None and str(cell).strip() for cell in cells)
            ]
            if rows:
                return f"sheet {shown(sheet.title)}" if len(book.worksheets) > 1 else "", rows
    return "", []
