"""Rows of JSON lines, an object a line, and of JSON arrays of objects."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["json_rows"]

_ROW = "expected a JSON object"


def json_rows(text: str) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    """Line and object of each row, or what is wrong with it; in an array, rows are counted for lines.

    Lines end at line feeds alone: what else Unicode takes for the end of a line may stand in a JSON string.
    """
    if text.lstrip().startswith("["):
        rows = _parsed(text)
        if isinstance(rows, str):
            yield 1, rows
            return
        for number, row in enumerate(rows, start=1):
            yield number, row if isinstance(row, dict) else _ROW
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            row = _parsed(line)
            yield number, row if isinstance(row, dict | str) else _ROW


def _parsed(text: str) -> Any:
    """Give an object or array, or what is wrong as a text."""
    try:
        value = json.loads(text)
    except ValueError as error:
        return str(error)
    except RecursionError:
        return f"{_ROW}, got one nested too deeply"
    return _ROW if isinstance(value, str) else value
