"""Concepts and relations from edge lists, JSON lines and networkx, and back."""

from __future__ import annotations

import csv
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeAlias

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph.validation import N_SHOWN
from zeroshot_core.types import Concept, Relation

if TYPE_CHECKING:
    import networkx as nx

__all__ = [
    "read_csv",
    "read_jsonl",
    "read_networkx",
    "to_networkx",
    "write_jsonl",
]

Records: TypeAlias = tuple[list[Concept], list[Relation]]


def read_csv(path: Path) -> Records:
    """Read an edge list with a header: ``head, type, tail`` and optional ``weight, head_type, tail_type``.

    The ends become concepts named by their ids; a type that is left empty is ``"concept"``, a weight 1.

    Raises
    ------
    InvalidInputError
        If the file can't be read, columns are missing, or lines are damaged (one error for all).
    """
    types: dict[str, str] = {}
    relations: list[Relation] = []
    damaged: list[tuple[int, str]] = []
    with _open(path) as file:
        reader = csv.DictReader(file, strict=True)
        missing = {"head", "type", "tail"} - set(_header(reader, path))
        if missing:
            raise InvalidInputError(
                f"{path}: expected columns head, type, tail, got none for {sorted(missing)}"
            )
        for row in _csv_rows(reader, path):
            try:
                relations.append(_csv_relation(row, types))
            except ValueError as error:
                damaged.append((reader.line_num, str(error)))
    _refuse_damaged(path, damaged)
    return [Concept(id=id_, name=id_, type=type_ or "concept") for id_, type_ in types.items()], relations


def _header(reader: csv.DictReader[str], path: Path) -> Sequence[str]:
    try:
        return reader.fieldnames or ()
    except csv.Error as error:
        raise InvalidInputError(f"{path}: expected a CSV header, got {error}") from error


def _csv_rows(reader: csv.DictReader[str], path: Path) -> Iterator[dict[str | Any, Any]]:
    try:
        yield from reader
    except csv.Error as error:
        raise InvalidInputError(f"{path}: line {reader.line_num}: expected CSV, got {error}") from error


def _csv_relation(row: dict[str | Any, Any], types: dict[str, str]) -> Relation:
    """Relation of a row; notes the types of its ends in `types`."""
    if None in row or not (row["head"] and row["type"] and row["tail"]):
        raise ValueError("expected as many fields as the header, with head, type and tail filled")
    for end in ("head", "tail"):
        id_, type_ = row[end], row.get(f"{end}_type") or ""
        known = types.get(id_, "")
        if known and type_ and known != type_:
            raise ValueError(f"{id_!r} is of type {known!r} above and {type_!r} here")
        types[id_] = known or type_
    return Relation(
        head=row["head"], type=row["type"], tail=row["tail"], weight=float(row.get("weight") or 1.0)
    )


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
    with _open(path) as file:
        for number, line in enumerate(file, start=1):
            try:
                record = _record(json.loads(line))
            except (ValueError, TypeError) as error:
                damaged.append((number, str(error)))
                continue
            if isinstance(record, Concept):
                concepts.append(record)
            else:
                relations.append(record)
    _refuse_damaged(path, damaged)
    return concepts, relations


def _record(line: Any) -> Concept | Relation:
    if isinstance(line, dict) and len(line) == 1:
        if "relation" in line:
            fields = dict(line["relation"])
            return Relation(**{**fields, "sources": _strings("sources", fields.get("sources", ()))})
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


def read_networkx(g: nx.Graph) -> Records:
    """Take over nodes and edges of any networkx graph.

    Ids are ``str(node)``; the node attributes name, type, synonyms and description and the edge attributes
    type, weight and sources are used where they are. An edge without a type takes its key if that is a string, else
    ``"related"``. An undirected edge gives one relation.
    """
    concepts = [
        Concept(
            id=str(node),
            name=attributes.get("name", str(node)),
            type=attributes.get("type", "concept"),
            synonyms=_strings("synonyms", attributes.get("synonyms", ())),
            description=attributes.get("description", ""),
        )
        for node, attributes in g.nodes(data=True)
    ]
    edges = (
        g.edges(keys=True, data=True)
        if g.is_multigraph()
        else ((u, v, None, a) for u, v, a in g.edges(data=True))
    )
    relations = [
        Relation(
            head=str(u),
            type=attributes.get("type", key if isinstance(key, str) else "related"),
            tail=str(v),
            weight=attributes.get("weight", 1.0),
            sources=_strings("sources", attributes.get("sources", ())),
        )
        for u, v, key, attributes in edges
    ]
    return concepts, relations


def to_networkx(concepts: Iterable[Concept], relations: Iterable[Relation]) -> nx.MultiDiGraph:
    """Copy the records into a MultiDiGraph that `read_networkx` gives back exactly."""
    import networkx as nx

    g = nx.MultiDiGraph()
    for c in concepts:
        g.add_node(c.id, name=c.name, type=c.type, synonyms=c.synonyms, description=c.description)
    for r in relations:
        g.add_edge(r.head, r.tail, key=r.type, type=r.type, weight=r.weight, sources=r.sources)
    return g


@contextmanager
def _open(path: Path) -> Iterator[TextIO]:
    """Open a UTF-8 text (with or without BOM); what can't be read is wrong input."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield file
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"expected a readable UTF-8 file, got {path}: {error}") from error


def _refuse_damaged(path: Path, damaged: Sequence[tuple[int, str]]) -> None:
    if damaged:
        shown = "; ".join(f"line {number}: {reason}" for number, reason in damaged[:N_SHOWN])
        raise InvalidInputError(
            f"{path}: expected a record a line, got {len(damaged)} damaged: {shown}; mend or drop them"
        )
