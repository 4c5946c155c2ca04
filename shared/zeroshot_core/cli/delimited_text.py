"""CSV as spreadsheets and programs write it: in any usual encoding, with any delimiter."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from itertools import islice

from zeroshot_core.checks import shown
from zeroshot_core.errors import InvalidInputError

__all__ = ["DELIMITERS", "csv_rows", "decoded", "find_delimiter", "without_separator_line"]

# Texts hold commas often, the others seldom: what splits a table as well as a comma is the delimiter.
DELIMITERS = {"\t": "tabs", "|": "bars", ";": "semicolons", ",": "commas"}

_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    # Before those of UTF-16, with one of which it begins.
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_WINDOWS = "cp1252"
_N_SAMPLED = 200
_SAMPLE = 4096
_BINARY = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_SEPARATOR_LINE = re.compile(r"sep=(.)\r?\n")


def decoded(data: bytes, encoding: str | None) -> tuple[str, str]:
    """Give the text of a file, and its encoding.

    Unless an encoding is given, it is what a byte order mark says, else UTF-8, UTF-16 where every other byte
    is NUL, or at last Windows-1252, which spreadsheets of western Europe write. Nothing else is guessed:
    detectors of encodings are often wrong about a few accents in a short table.

    Raises
    ------
    InvalidInputError
        If the bytes are no text, or not in that encoding.
    """
    chosen = encoding or next((name for mark, name in _MARKS.items() if data.startswith(mark)), None)
    try:
        return _guessed(data) if chosen is None else (data.decode(chosen), chosen)
    except LookupError:
        raise InvalidInputError(
            f"expected the name of an encoding, such as utf-16 or cp1250, got {shown(encoding)}"
        ) from None
    except UnicodeError as error:
        tried = f"text in {chosen}" if chosen else "text in UTF-8, UTF-16 or Windows-1252"
        raise InvalidInputError(f"expected {tried}, got {error}; say its encoding with --encoding") from error


def _guessed(data: bytes) -> tuple[str, str]:
    sample = data[:_SAMPLE]
    n_even, n_odd = sample[::2].count(0), sample[1::2].count(0)
    if max(n_even, n_odd) > len(sample) / 6 and min(n_even, n_odd) == 0:
        name = "utf-16-le" if n_odd else "utf-16-be"
        return data.decode(name), name
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        text = data.decode(_WINDOWS)
    if _BINARY.search(text, 0, _SAMPLE):
        raise UnicodeError("bytes that are no text")
    return text, _WINDOWS


def without_separator_line(text: str) -> tuple[str, str | None]:
    """Take off the first line ``sep=;`` that Excel reads and writes; the text below it, and the delimiter."""
    line = _SEPARATOR_LINE.match(text)
    return (text[line.end() :], line[1]) if line else (text, None)


def find_delimiter(text: str) -> str:
    """Find what cuts the header and most rows below it into equally many cells, at least two.

    `csv.Sniffer` would take a comma within quotes for the delimiter, and refuses a table of one column.
    """
    scores = {mark: _evenness(text, mark) for mark in DELIMITERS}
    best = max(scores.values())
    return next(mark for mark, score in scores.items() if score == best) if best[1] else ","


def csv_rows(text: str, delimiter: str) -> Iterator[tuple[int, list[str] | str]]:
    """Line and cells of each row that is not empty, the header first, or what is wrong with a row.

    Rows have as many cells as the header: those that are empty at the end may be missing in the header, or be
    too many in a row.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] = []
    try:
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            if not any(cells):
                continue
            if not header:
                header = cells
            fitting = _fitted(cells, header)
            problem = f"expected {len(header)} cells, got {len(cells)}"
            yield reader.line_num, problem if fitting is None else fitting
    except csv.Error as error:
        yield reader.line_num, f"expected CSV, got {error}"


def _fitted(cells: list[str], header: Sequence[str]) -> list[str] | None:
    """Give as many cells as the header has, None where that takes more than empty ones at the end."""
    n = len(header)
    while n and not header[n - 1]:
        n -= 1
    if len(cells) < n or any(cells[len(header) :]):
        return None
    return (cells + [""] * (len(header) - len(cells)))[: len(header)]


def _evenness(text: str, delimiter: str) -> tuple[float, int]:
    """Share of the first rows that fit the header, and its number of cells; zeros where that is one."""
    rows = [cells for _, cells in islice(csv_rows(text, delimiter), _N_SAMPLED + 1)]
    n_columns = len(rows[0]) if rows and not isinstance(rows[0], str) else 0
    if n_columns < 2:
        return 0.0, 0
    n_fitting = sum(not isinstance(cells, str) for cells in rows[1:])
    return n_fitting / max(len(rows) - 1, 1), n_columns
