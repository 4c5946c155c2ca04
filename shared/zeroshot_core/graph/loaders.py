"""Concepts and relations from CSV files, data frames, JSON lines, networkx and GraphML, and back.

Ontologies have files of their own: `obo` and `rdf`.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeAlias, TypeVar

from zeroshot_core.checks import shown
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.files import replacing
from zeroshot_core.graph.records import (
    Records,
    collector_paused,
    concept_of,
    merge_relations,
    relation_of,
    text_of,
)
from zeroshot_core.graph.validation import brief, reason_of, refuse_damaged
from zeroshot_core.graph.xml_limits import check_xml
from zeroshot_core.types import Concept, Relation

if TYPE_CHECKING:
    import networkx as nx
    import pandas as pd

__all__ = [
    "open_text",
    "read_csv",
    "read_frame",
    "read_graphml",
    "read_jsonl",
    "read_networkx",
    "to_networkx",
    "write_jsonl",
]

_EDGE_COLUMNS = ("head", "type", "tail")
_CONCEPT_COLUMNS = ("id",)
_LISTS_AND_NUMBERS = frozenset({"synonyms", "sources", "weight"})

_Rows: TypeAlias = Iterable[tuple[int, Mapping[Any, Any]]]
_Record = TypeVar("_Record", Concept, Relation)


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
            known = _concept_list(
                _csv_rows(file, concepts, _CONCEPT_COLUMNS), origin=str(concepts), unit="line"
            )
    with open_text(path) as file:
        return _edge_list(_csv_rows(file, path, _EDGE_COLUMNS), known, origin=str(path), unit="line")


def _csv_rows(
    file: TextIO, path: Path, expected: Sequence[str]
) -> Iterator[tuple[int, dict[str | Any, Any]]]:
    """Line number and cells of each row below a header that has the `expected` columns."""
    reader = csv.DictReader(file, strict=True)
    try:
        _check_columns(str(path), expected, reader.fieldnames or ())
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise InvalidInputError(f"{path}: line {reader.line_num}: expected CSV, got {error}") from error


@collector_paused()
def read_frame(relations: pd.DataFrame, concepts: pd.DataFrame | None = None) -> Records:
    """Read an edge list, and where it is given a list of concepts, with the columns of `read_csv`.

    Missing cells count as empty, ids that are numbers as their text; synonyms and sources may also be lists.

    Raises
    ------
    InvalidInputError
        If columns are missing or rows are damaged (one error for all).
    """
    _check_columns("relations", _EDGE_COLUMNS, _columns("relations", relations))
    known = None
    if concepts is not None:
        _check_columns("concepts", _CONCEPT_COLUMNS, _columns("concepts", concepts))
        known = _concept_list(_frame_rows(concepts), origin="concepts", unit="row")
    return _edge_list(_frame_rows(relations), known, origin="relations", unit="row")


def _columns(name: str, frame: object) -> list[Any]:
    """List the columns of a frame."""
    if not hasattr(frame, "columns") or not hasattr(frame, "notna"):
        raise InvalidInputError(f"expected {name} as a pandas frame, got {shown(frame)}")
    return list(frame.columns)


def _frame_rows(frame: pd.DataFrame) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the number, from 0, and the cells of each row."""
    columns = [str(column) for column in frame.columns]
    cells = frame.astype(object).where(frame.notna(), None)
    values = (cells[column].tolist() for column in frame.columns)
    for number, row in enumerate(zip(*values, strict=True)):
        yield number, {column: _cell(column, value) for column, value in zip(columns, row, strict=True)}


def _cell(column: str, value: Any) -> Any:
    return value if value is None or column in _LISTS_AND_NUMBERS or isinstance(value, str) else str(value)


def _check_columns(origin: str, expected: Sequence[str], columns: Collection[str]) -> None:
    """Refuse a table that lacks one of the `expected` columns."""
    missing = [column for column in expected if column not in columns]
    if missing:
        raise InvalidInputError(
            f"{origin}: expected columns {', '.join(expected)}, got none for {missing}; mend the header"
        )


def _edge_list(rows: _Rows, concepts: Sequence[Concept] | None, *, origin: str, unit: str) -> Records:
    """Relations of rows, between `concepts` or, where None are given, between concepts named by their ids.

    Parameters
    ----------
    rows
        Number and cells of each row: head, type, tail and where known weight, sources, head_type, tail_type.
    origin, unit
        What the rows come from, and what one is called, for messages.

    Raises
    ------
    InvalidInputError
        If rows are damaged (one error for all).
    """
    types = {concept.id: concept.type for concept in concepts or ()}
    relations = _records(rows, lambda row: _relation_of_row(row, types), origin=origin, unit=unit)
    if concepts is not None:
        return list(concepts), relations
    return [Concept(id=id_, name=id_, type=type_ or "concept") for id_, type_ in types.items()], relations


def _concept_list(rows: _Rows, *, origin: str, unit: str) -> list[Concept]:
    """Concepts of rows with an id and where known a name, type, synonyms and description."""
    return _records(rows, _concept_of_row, origin=origin, unit=unit)


def _records(
    rows: _Rows, read: Callable[[Mapping[Any, Any]], _Record], *, origin: str, unit: str
) -> list[_Record]:
    records: list[_Record] = []
    damaged: list[tuple[int, str]] = []
    for number, row in rows:
        try:
            records.append(read(row))
        except ValueError as error:
            damaged.append((number, str(error)))
    refuse_damaged(origin, damaged, unit=unit)
    return records


def _relation_of_row(row: Mapping[Any, Any], types: dict[str, str]) -> Relation:
    """Relation of a row; notes the types of its ends in `types`."""
    # The csv module puts cells beyond the header under None.
    if None in row or not (row["head"] and row["type"] and row["tail"]):
        raise ValueError("expected as many cells as columns, with head, type and tail filled")
    relation = relation_of(row["head"], row["type"], row["tail"], row)
    for id_, type_ in ((relation.head, row.get("head_type")), (relation.tail, row.get("tail_type"))):
        known = types.get(id_, "")
        if known and type_ and known != type_:
            raise ValueError(f"{brief(id_)} is of type {brief(known)} above and {brief(type_)} here")
        types[id_] = known or type_ or ""
    return relation


def _concept_of_row(row: Mapping[Any, Any]) -> Concept:
    if None in row or not row["id"]:
        raise ValueError("expected as many cells as columns, with the id filled")
    return concept_of(row["id"], row, type_=row.get("type") or "concept")


@collector_paused()
def read_jsonl(path: Path) -> tuple[list[Concept], list[Relation], dict[str, str]]:
    """Read lines ``{"concept": {...}}`` and ``{"relation": {...}}`` with the fields of the records.

    A line ``{"alternative_ids": {...}}`` maps ids to those of the concepts that they mean.

    Raises
    ------
    InvalidInputError
        If the file can't be read or lines are damaged (one error for all).
    """
    concepts: list[Concept] = []
    relations: list[Relation] = []
    alternative_ids: dict[str, str] = {}
    damaged: list[tuple[int, str]] = []
    with open_text(path) as file:
        for number, line in enumerate(file, start=1):
            try:
                record = _record(json.loads(line))
            except (ValueError, TypeError, RecursionError) as error:
                damaged.append((number, reason_of(error)))
                continue
            if isinstance(record, Concept):
                concepts.append(record)
            elif isinstance(record, Relation):
                relations.append(record)
            else:
                alternative_ids |= record
    refuse_damaged(str(path), damaged, unit="line")
    return concepts, relations, alternative_ids


def _record(line: Any) -> Concept | Relation | dict[str, str]:
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
        if isinstance(line.get("alternative_ids"), dict):
            return dict(line["alternative_ids"])
    raise ValueError("expected one object under 'concept' or 'relation'")


def _strings(name: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"expected a list of {name}, got {shown(value)}")
    return tuple(value)


def write_jsonl(
    concepts: Iterable[Concept],
    relations: Iterable[Relation],
    alternative_ids: Mapping[str, str],
    path: Path,
) -> None:
    """Write the records that `read_jsonl` reads; the file appears whole or never."""
    with replacing(path) as beside, beside.open("w", encoding="utf-8", newline="\n") as file:
        for concept in concepts:
            file.write(json.dumps({"concept": vars(concept)}) + "\n")
        for r in relations:
            file.write(json.dumps({"relation": {**vars(r), "weight": float(r.weight)}}) + "\n")
        if alternative_ids:
            file.write(json.dumps({"alternative_ids": dict(alternative_ids)}) + "\n")


def read_networkx(g: nx.Graph) -> tuple[list[Concept], list[Relation], dict[str, str]]:
    """Take over nodes and edges of any networkx graph.

    Ids are ``str(node)``; the node attributes name, type, synonyms and description and the edge attributes
    type, weight and sources are used where they are filled: None and NaN count as empty, numbers as their
    text. An edge without a type takes its relation, predicate or label, else its key if that is a string,
    else ``"related"``. An undirected edge gives one relation; parallel edges of the same type unite, with the
    largest weight and all sources. The graph attribute ``alternative_ids`` maps ids to those of the concepts
    that they mean.

    Raises
    ------
    InvalidInputError
        If it is no networkx graph, a name, type or description is neither a text nor a number, synonyms or
        sources are not lists, or a weight is not a number.
    """
    import networkx as nx

    if not isinstance(g, nx.Graph):
        raise InvalidInputError(f"expected a networkx graph, got {type(g).__name__}")
    edges = (
        g.edges(keys=True, data=True)
        if g.is_multigraph()
        else ((head, tail, None, attributes) for head, tail, attributes in g.edges(data=True))
    )
    relations = [
        relation_of(
            str(head),
            _edge_type(attributes) or (isinstance(key, str) and key) or "related",
            str(tail),
            attributes,
        )
        for head, tail, key, attributes in edges
    ]
    alternative_ids = g.graph.get("alternative_ids")
    return (
        _node_concepts(g.nodes(data=True)),
        merge_relations(relations),
        dict(alternative_ids) if isinstance(alternative_ids, Mapping) else {},
    )


def _edge_type(attributes: Mapping[str, Any]) -> str:
    """First of the attributes that may name a relation's type; empty if none is filled."""
    names = ("type", "relation", "predicate", "label")
    return next((text for name in names if (text := text_of(name, attributes.get(name)))), "")


def read_graphml(path: Path) -> Records:
    """Read a GraphML file.

    Attributes are those of `read_networkx`; where a node has no name or an edge no type, its ``label``
    serves. Synonyms and sources are separated by bars (``"one|two"``).

    Raises
    ------
    InvalidInputError
        If the file can't be read, is no GraphML, or declares entities.
    """
    import networkx as nx

    try:
        content = path.read_bytes()
        check_xml(path, content)
        g = nx.read_graphml(BytesIO(content), force_multigraph=True)
    except InvalidInputError:
        raise
    except Exception as error:  # networkx fails in whatever way the damage makes it
        raise InvalidInputError(f"expected a GraphML file, got {path}: {reason_of(error)}") from error
    labelled = (
        (node, {"name": attributes.get("label"), **attributes}) for node, attributes in g.nodes(data=True)
    )
    # The keys of edges are the ids that the file numbers them by, not types.
    relations = [
        relation_of(head, _edge_type(attributes) or "related", tail, attributes)
        for head, tail, attributes in g.edges(data=True)
    ]
    return _node_concepts(labelled), merge_relations(relations)


def _node_concepts(nodes: Iterable[tuple[Any, Mapping[str, Any]]]) -> list[Concept]:
    return [
        concept_of(str(node), attributes, type_=text_of("type", attributes.get("type")) or "concept")
        for node, attributes in nodes
    ]


def to_networkx(
    concepts: Iterable[Concept], relations: Iterable[Relation], alternative_ids: Mapping[str, str]
) -> nx.MultiDiGraph:
    """Copy the records into a MultiDiGraph from which `read_networkx` reads the same."""
    import networkx as nx

    g = nx.MultiDiGraph(**({"alternative_ids": dict(alternative_ids)} if alternative_ids else {}))
    for c in concepts:
        g.add_node(c.id, name=c.name, type=c.type, synonyms=c.synonyms, description=c.description)
    for r in relations:
        g.add_edge(r.head, r.tail, key=r.type, type=r.type, weight=r.weight, sources=r.sources)
    return g


@contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """Open a UTF-8 text (with or without BOM); what can't be read is wrong input."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield file
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(
            f"expected a readable UTF-8 file, got {shown(str(path))}: {reason_of(error)}"
        ) from error
