"""Concepts and relations from CSV files and JSON lines, and back to JSON lines."""

from __future__ import annotations

import csv
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph.edges import CONCEPT_COLUMNS, EDGE_COLUMNS, check_columns, concept_list, edge_list
from zeroshot_core.graph.records import Records, collector_paused
from zeroshot_core.graph.validation import refuse_damaged
from zeroshot_core.types import Concept, Relation

__all__ = ["open_text", "read_csv", "read_jsonl", "write_jsonl"]


@collector_paused()
def read_csv(path: Path, concepts: Path | None = None) -> Records:
    """Read an edge list with a header, and where it is given a list of concepts.

    Relations have the columns ``head, type, tail`` and optional ``weight, sources, head_type, tail_type``,
    concepts the column ``id`` and optional ``name, type, synonyms, description``; further columns are passed
    over. Synonyms and sources are separated by bars (``one|two``). Without a list of concepts the ends of
    relations become concepts named by their ids; a type that is left empty is ``"concept"``, a weight 1.

    Raises
    ------
    InvalidInputError
        If a file can't be read, columns are missing, or lines are damaged (one error for all of a file).
    """
    known = None
    if concepts is not None:
        with open_text(concepts) as file:
            known = concept_list(
                _csv_rows(file, concepts, CONCEPT_COLUMNS), origin=str(concepts), unit="line"
            )
    with open_text(path) as file:
        return edge_list(_csv_rows(file, path, EDGE_COLUMNS), known, origin=str(path), unit="line")


def _csv_rows(
    file: TextIO, path: Path, expected: Sequence[str]
) -> Iterator[tuple[int, dict[str | Any, Any]]]:
    """Line number and cells of each row below a header that has the `expected` columns."""
    reader = csv.DictReader(file, strict=True)
    try:
        check_columns(str(path), expected, reader.fieldnames or ())
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise InvalidInputError(f"{path}: line {reader.line_num}: expected CSV, got {error}") from error


@collector_paused()
def read_jsonl(path: Path) -> Records:
    """Read lines ``{"concept": {...}}`` and ``{"relation": {...}}`` with the fields of the records.

    Raises
    ------
    InvalidInputError
        If the file can't be read or lines are damaged (one error for all).
    """
    concepts: list[Concept] = []
    relations: list[Relation] = []
    damaged: list[tuple[int, str]] = []
    with open_text(path) as file:
        for number, line in enumerate(file, start=1):
            try:
                record = _record(json.loads(line))
            except (ValueError, TypeError, RecursionError) as error:
                damaged.append((number, str(error)))
                continue
            if isinstance(record, Concept):
                concepts.append(record)
            else:
                relations.append(record)
    refuse_damaged(str(path), damaged, unit="line")
    return concepts, relations


def _record(line: Any) -> Concept | Relation:
    if isinstance(line, dict) and len(line) == 1:
        if "relation" in line:
            fields = dict(line["relation"])
            # An id is kept once, however many relations end at it.
            ends = {end: sys.intern(fields[end]) for end in ("head", "type", "tail") if end in fields}
            sources = _strings("sources", fields.get("sources", ()))
            return Relation(**{**fields, **ends, "sources": sources})
        if "concept" in line:
            fields = dict(line["concept"])
            return Concept(**{**fields, "synonyms": _strings("synonyms", fields.get("synonyms", ()))})
    raise ValueError("expected one object under 'concept' or 'relation'")


def _strings(name: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"expected a list of {name}, got {value!r}")
    return tuple(value)


def write_jsonl(concepts: Iterable[Concept], relations: Iterable[Relation], path: Path) -> None:
    """Write the records beside `path`, then rename: a reader sees the old file or the new one."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            for concept in concepts:
                file.write(json.dumps({"concept": vars(concept)}) + "\n")
            for r in relations:
                file.write(json.dumps({"relation": {**vars(r), "weight": float(r.weight)}}) + "\n")
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """Open a UTF-8 text (with or without BOM); what can't be read is wrong input."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield file
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"expected a readable UTF-8 file, got {path}: {error}") from error
