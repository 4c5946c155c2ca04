"""Rows of a table as items, and the values of its columns as a graph."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core.checks import (
    has_control_character,
    instance,
    is_missing,
    numbers,
    shown,
    warn,
    without_control_characters,
)
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.frames.date_features import date_features
from zeroshot_core.frames.table_columns import is_table, table_columns
from zeroshot_core.frames.table_schema import TableSchema
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.types import KEY_BYTES, Item, Scalar

if TYPE_CHECKING:
    from zeroshot_core.dataframes import Frame

__all__ = [
    "cell_words",
    "column_numbers",
    "concept_words",
    "graph_from_frame",
    "is_long_concept",
    "items_from_columns",
    "items_from_frame",
    "row_ids",
]

_STOPS = (".", "!", "?", ":", ";", ",")


def items_from_frame(
    frame: Frame | Sequence[Mapping[str, Any]], schema: TableSchema, graph: KnowledgeGraph | None = None
) -> list[Item]:
    """Make an item of each row of a table, in the order of the rows: an index of pandas plays no role.

    - ``text`` is what the columns of texts say, blank cells left out, joined as sentences:
      ``"name. description"``.
    - ``image`` is what the column of images holds; where it is blank the text is all.
    - ``concepts`` are those that the cells name: as ``column:cell``, as an id of the graph, or by the name
      that one concept of the type ``column``, or one concept alone, has. Whole numbers are written without
      a point, blanks around a cell do not count, and line breaks in it are blanks. Missing values, those that
      the graph does not hold, and those too long for a concept's id are left out, and counted in one warning.
    - ``metadata`` has the cells of concepts as texts, numbers as floats under their column's name, and dates
      as `date_features` says; what is missing is left out. Booleans count as 0 and 1.
    - ``id`` is that of the column, or ``item-<row>``.

    Parameters
    ----------
    frame
        A table of pandas or polars, or a list of rows as mappings.
    graph
        None takes every value as ``column:cell``.

    Raises
    ------
    InvalidInputError
        If a column is missing, a row has neither text nor image, an id is missing or stands twice, a number
        is written as text or infinite, a date is none, or a cell holds several values.

    Warns
    -----
    UserWarning
        If values of concepts are left out.
    """
    _check_table(frame, schema)
    if graph is not None:
        instance("graph", graph, KnowledgeGraph)
    columns = table_columns(frame, schema.columns, optional=[schema.id])
    if schema.id is not None and schema.id not in columns:
        table_columns(frame, [schema.id])
    return items_from_columns(columns, schema, graph, prefix="item-", is_known=True)


def graph_from_frame(frame: Frame | Sequence[Mapping[str, Any]], schema: TableSchema) -> KnowledgeGraph:
    """Make the graph of the columns of concepts, as `KnowledgeGraph.from_table` does of their words."""
    _check_table(frame, schema)
    return graph_from_columns(table_columns(frame, schema.concepts), schema)


def _check_table(frame: object, schema: object) -> None:
    instance("schema", schema, TableSchema, remedy="say TableSchema(text=['name'], ...)")
    if not is_table(frame):
        raise InvalidInputError(
            f"expected frame as a table of pandas or polars, or as a list of mappings, got {shown(frame)}; "
            "pandas.DataFrame makes one"
        )


def graph_from_columns(columns: Mapping[str, Sequence[Any]], schema: TableSchema) -> KnowledgeGraph:
    """Make the graph of columns that are lists; see `graph_from_frame`."""
    words = {
        name: ["" if is_long_concept(name, word) else word for word in concept_words(name, columns[name])]
        for name in schema.concepts
    }
    rows: list[dict[str, Scalar]] = [
        dict(zip(words, cells, strict=True)) for cells in zip(*words.values(), strict=True)
    ]
    return KnowledgeGraph.from_table(rows, schema.concepts, schema.edges)


def items_from_columns(
    columns: Mapping[str, Sequence[Any]],
    schema: TableSchema,
    graph: KnowledgeGraph | None,
    *,
    prefix: str,
    is_known: bool,
) -> list[Item]:
    """Make an item of each row of columns that are lists; see `items_from_frame`.

    Parameters
    ----------
    columns
        Those of the schema, all of one length; that of the ids may be missing.
    prefix
        Begins the ids of rows that have none.
    is_known
        Whether they will be indexed, so that ids must be distinct.
    """
    images = _images(columns, schema)
    texts = _texts(columns, schema, images)
    words = {name: concept_words(name, columns[name]) for name in schema.concepts}
    links = _links(words, columns, graph) if words else [()] * len(texts)
    metadata = _metadata(columns, schema, words)
    ids = row_ids(columns, schema, prefix=prefix, is_known=is_known)
    return [
        Item(id=id_, text=text or None, image=image, concepts=concepts, metadata=facts)
        for id_, text, image, concepts, facts in zip(ids, texts, images, links, metadata, strict=True)
    ]


def cell_words(column: str, values: Sequence[Any]) -> list[str]:
    """Write cells as texts: numbers as people do, an empty text where there is none."""
    return [
        value.strip()
        if type(value) is str
        else str(value)
        if type(value) is int
        else _word(column, row, value)
        for row, value in enumerate(values)
    ]


def column_numbers(column: str, values: Sequence[Any]) -> list[float]:
    """Give cells as floats, NaN where there is none; booleans as 0 and 1.

    Raises
    ------
    InvalidInputError
        If a cell is no finite number, or a number written as text.
    """
    written = next((row for row, value in enumerate(values) if isinstance(value, str)), None)
    if written is not None:
        raise InvalidInputError(
            f"expected numbers in column {shown(column)}, got the text {shown(values[written])} in row "
            f"{written}; convert the column, as with pandas.to_numeric or polars' cast, or name it elsewhere"
        )
    plain = [float(value) if isinstance(value, bool | np.bool_) else value for value in values]
    found = numbers(f"values of column {shown(column)}", plain)
    if found.ndim != 1 and len(plain):
        raise InvalidInputError(
            f"expected one number a row in column {shown(column)}, got {shown(plain[0])}; give each a column"
        )
    infinite = np.flatnonzero(np.isinf(found))
    if len(infinite):
        raise InvalidInputError(
            f"expected finite numbers in column {shown(column)}, got {found[infinite[0]]} in row "
            f"{infinite[0]} ({len(infinite)} such rows); leave them empty, or fill them in"
        )
    return [float(value) for value in found]


def concept_words(column: str, values: Sequence[Any]) -> list[str]:
    """Write cells as `cell_words`, each in one line: ids of concepts hold no control characters."""
    return [
        " ".join(without_control_characters(word).split()) if has_control_character(word) else word
        for word in cell_words(column, values)
    ]


def is_long_concept(column: str, word: str) -> bool:
    """Whether ``column:word`` is longer than Milvus takes as a key."""
    return len(f"{column}:{word}".encode()) > KEY_BYTES


def _images(columns: Mapping[str, Sequence[Any]], schema: TableSchema) -> list[Any]:
    """Cells of the column of images, None where there is none, shape (n,)."""
    if schema.image is None:
        return [None] * _n_rows(columns, schema)
    cells = columns[schema.image]
    return [None if is_missing(cell) or cell == "" else cell for cell in cells]


def _texts(columns: Mapping[str, Sequence[Any]], schema: TableSchema, images: Sequence[Any]) -> list[str]:
    """Join the columns of texts, shape (n,); empty where an image is all there is."""
    words = [cell_words(name, columns[name]) for name in schema.text]
    texts = words[0] if len(words) == 1 else [_sentences(parts) for parts in zip(*words, strict=True)]
    texts = texts or [""] * len(images)
    empty = [row for row, text in enumerate(texts) if not text and images[row] is None]
    if empty:
        what = "a text" if schema.image is None else "a text or an image"
        listed = " and ".join(map(repr, (*schema.text, *filter(None, [schema.image]))))
        raise InvalidInputError(
            f"expected {what} in {listed}, got an empty one in row {empty[0]} ({len(empty)} such rows); drop "
            "these rows, or describe them"
        )
    return texts


def _n_rows(columns: Mapping[str, Sequence[Any]], schema: TableSchema) -> int:
    return len(columns[schema.columns[0]])


def _sentences(parts: Sequence[str]) -> str:
    """Join texts that are not empty: by a blank after a stop, else by a stop and a blank."""
    joined = ""
    for part in parts:
        if part:
            joined += f"{'' if not joined else ' ' if joined.endswith(_STOPS) else '. '}{part}"
    return joined


def _word(column: str, row: int, value: Any) -> str:
    """Write a cell that is no plain string."""
    if is_missing(value):
        return ""
    if isinstance(value, str):
        return str(value).strip()
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    if isinstance(value, Integral):
        return str(int(value))
    if isinstance(value, Real | Decimal):
        return str(math.trunc(value)) if value == value // 1 else str(value)
    if isinstance(value, date):
        return value.isoformat()
    raise InvalidInputError(
        f"expected a text, a number or a date in column {shown(column)}, got {shown(value)} in row {row}; "
        "give a column one value a row"
    )


def row_ids(
    columns: Mapping[str, Sequence[Any]], schema: TableSchema, *, prefix: str, is_known: bool
) -> list[str]:
    """Ids of the rows, those of a column or numbered, shape (n,); see `items_from_columns`."""
    n, column = _n_rows(columns, schema), schema.id
    if column is None or column not in columns:
        return [f"{prefix}{row}" for row in range(n)]
    ids = cell_words(column, columns[column])
    if "" in ids:
        raise InvalidInputError(
            f"expected an id in column {shown(column)}, got none in row {ids.index('')} "
            f"({ids.count('')} such rows); fill them in, or leave id out to number the rows"
        )
    if is_known and len(set(ids)) < n:
        twice, count = Counter(ids).most_common(1)[0]
        raise InvalidInputError(
            f"expected distinct ids in column {shown(column)}, got {shown(twice)} {count} times; make them "
            "distinct, or leave id out to number the rows"
        )
    return ids


def _links(
    words: Mapping[str, Sequence[str]], columns: Mapping[str, Sequence[Any]], graph: KnowledgeGraph | None
) -> list[tuple[str, ...]]:
    """Concepts that the cells of each row name; what is left out is told in one warning."""
    told, by_column = [], []
    for name, cells in words.items():
        raw = dict(zip(cells, columns[name], strict=True))
        meanings = {word: _meaning(name, word, raw[word], graph) for word in raw if word}
        unseen = [word for word, id_ in meanings.items() if not id_]
        for is_long, why in ((False, "not in the graph"), (True, f"longer than {KEY_BYTES} bytes")):
            left_out = {word for word in unseen if is_long_concept(name, word) is is_long}
            if left_out:
                example = next(word for word in cells if word in left_out)
                n_rows = sum(word in left_out for word in cells)
                told.append(
                    f"{_counted(len(left_out), 'value')} of column {shown(name)} {why}, such as "
                    f"{shown(example)} ({_counted(n_rows, 'row')})"
                )
        if "" in raw:
            told.append(f"{_counted(cells.count(''), 'value')} of column {shown(name)} missing")
        by_column.append([meanings.get(word, "") for word in cells])
    if told:
        warn(f"left out: {', '.join(told)}")
    return [tuple(dict.fromkeys(filter(None, ids))) for ids in zip(*by_column, strict=True)]


def _counted(n: int, noun: str) -> str:
    return f"{n} {noun}{'s' * (n != 1)}"


def _meaning(column: str, word: str, raw: Any, graph: KnowledgeGraph | None) -> str:
    """Id of the concept that a cell names; empty if the graph has none."""
    if graph is None:
        return "" if is_long_concept(column, word) else f"{column}:{word}"
    # `KnowledgeGraph.from_table` writes a cell as Python does: with blanks, and 3.0 for a 3 beside NaN.
    for text in dict.fromkeys((word, str(raw))):
        if f"{column}:{text}" in graph:
            return f"{column}:{text}"
    return graph.current_id(word) or graph.named_id(word, column) or graph.named_id(word) or ""


def _metadata(
    columns: Mapping[str, Sequence[Any]], schema: TableSchema, words: Mapping[str, Sequence[str]]
) -> list[dict[str, Scalar]]:
    """Facts of each row by name, what is missing left out, shape (n,)."""
    facts: dict[str, Sequence[Any]] = dict(words)
    for name in schema.dates:
        facts |= date_features(name, columns[name])
    for name in schema.numeric:
        facts[name] = column_numbers(name, columns[name])
    n = _n_rows(columns, schema)
    found: list[dict[str, Scalar]] = [{} for _ in range(n)]
    for name, values in facts.items():
        for row, value in enumerate(values):
            # NaN is not itself.
            if value != "" and value == value:
                found[row][name] = value
    return found
