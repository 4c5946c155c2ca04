"""Columns of a table by their roles, and its rows as a model takes them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import permutations
from typing import TYPE_CHECKING, Any

from zeroshot_core.checks import shown, warn
from zeroshot_core.errors import ArtifactError, InvalidInputError
from zeroshot_core.frames import TableSchema
from zeroshot_core.frames.frame_items import concept_words, is_long_concept, items_from_columns
from zeroshot_core.images import is_uri

if TYPE_CHECKING:
    from pathlib import Path

    from zeroshot_core.cli.tables import TextTable
    from zeroshot_core.graph import KnowledgeGraph
    from zeroshot_core.serving.loading import Model
    from zeroshot_core.types import Item

__all__ = [
    "linked_columns",
    "names_of",
    "nested_columns",
    "schema_of",
    "tell_long_concepts",
    "there",
    "to_items",
    "typed_rows",
    "with_concept_words",
    "with_image_paths",
]

# Columns of a table for a model that was saved from Python, where nothing else is named.
_TEXT, _ID = "text", "id"


def names_of(option: str | None, columns: Collection[str] = ()) -> tuple[str, ...]:
    """Take an option apart at its commas, unless the whole is one of some columns."""
    if option in columns and option is not None:
        return (option,)
    return tuple(name.strip() for name in option.split(",") if name.strip()) if option else ()


def schema_of(
    table: TextTable, model: Model, *, text: tuple[str, ...] = (), concepts: tuple[str, ...] = ()
) -> TableSchema:
    """Take the columns that were saved with a model, or those that are named for one saved without.

    Parameters
    ----------
    text, concepts
        What the caller names; it goes before what was saved.

    Raises
    ------
    ArtifactError
        If the model knows no column of texts, none is named, and the table has no column ``text``.
    """
    schema = model.schema_ or _noted_schema(model.saved_extra_)
    if schema is not None:
        return replace(schema, text=text or schema.text, concepts=concepts or schema.concepts, edges=())
    if not text and _TEXT not in table.columns:
        raise ArtifactError(
            "expected a model that knows the columns of its tables, got one saved from Python; name the "
            f"column of {table.name} that describes an item with --text"
        )
    return TableSchema(text=text or _TEXT, id=_ID if _ID in table.columns else None, concepts=concepts)


def there(schema: TableSchema, table: TextTable) -> tuple[TableSchema, tuple[str, ...]]:
    """Leave out what a table does not have of the columns that a model can do without; these columns too."""
    known = {*table.columns, *table.unusable}
    absent = tuple(
        dict.fromkeys(
            name for name in (*schema.concepts, *schema.numeric, *schema.dates) if name not in known
        )
    )
    kept: dict[str, Any] = {
        role: tuple(name for name in getattr(schema, role) if name in known)
        for role in ("concepts", "numeric", "dates")
    }
    return replace(schema, **kept, id=schema.id if schema.id in known else None), absent


def typed_rows(table: TextTable, schema: TableSchema) -> list[dict[str, Any]]:
    """Rows as mappings, with numbers and days where the schema says so; NaN and None where they are missing.

    Raises
    ------
    InvalidInputError
        If a column is not there, or a cell is empty or no number or day where it has to be one.
    """
    for name in schema.columns:
        table.column(name)
    described = (*schema.text, *filter(None, [schema.image]))
    what = "a text" if schema.image is None else "a text or an image"
    _check_filled(table, described, what, "describe them")
    if schema.id is not None:
        _check_filled(table, [schema.id], "an id", "number the rows by leaving the option out")
    typed: dict[str, Sequence[Any]] = {name: table.days(name) for name in schema.dates}
    for name in schema.numeric:
        typed[name] = table.numbers([name], gaps=True).tolist()
    return [
        {**row, **{name: values[place] for name, values in typed.items()}}
        for place, row in enumerate(table.rows)
    ]


def to_items(
    table: TextTable, schema: TableSchema, graph: KnowledgeGraph | None, *, prefix: str = "row"
) -> list[Item]:
    """Make an item of each row, linked to those of its concepts that the graph holds.

    Rows without ids are numbered: ``row-1``, or with another prefix.

    Raises
    ------
    InvalidInputError
        As of `typed_rows`.

    Warns
    -----
    UserWarning
        If values of concepts are left out.
    """
    rows = typed_rows(table, schema)
    columns = {name: [row[name] for row in rows] for name in (*schema.columns, *filter(None, [schema.id]))}
    if graph is None:
        schema = replace(schema, concepts=())
    items = items_from_columns(columns, schema, graph, prefix="row-", is_known=False)
    if schema.id is not None:
        return items
    return [replace(item, id=f"{prefix}-{number}") for number, item in enumerate(items, start=1)]


def with_image_paths(table: TextTable, schema: TableSchema, folder: Path) -> TextTable:
    """Write the cells of a column of images, if there is one, as paths from the folder of the table.

    Raises
    ------
    InvalidInputError
        If the column is not there.
    """
    name = schema.image
    if name is None:
        return table
    cells = [cell if not cell or is_uri(cell) else str(folder / cell) for cell in table.column(name)]
    return replace(
        table, rows=tuple({**row, name: cell} for row, cell in zip(table.rows, cells, strict=True))
    )


def linked_columns(table: TextTable, graph: KnowledgeGraph, other: Sequence[str | None]) -> tuple[str, ...]:
    """Find the columns, but for some `other`, in which a cell names a concept of the graph.

    Raises
    ------
    InvalidInputError
        If there is none.
    """
    found = tuple(
        column
        for column in table.columns
        if column not in other
        and any(_is_concept(column, value, graph) for value in dict.fromkeys(table.column(column)))
    )
    if not found:
        raise InvalidInputError(
            f"{table.name}: expected a column whose cells name concepts of the graph, got none; "
            f"the graph's begin with {shown(list(graph.concept_ids[:3]))[1:-1]}"
        )
    return found


def with_concept_words(table: TextTable, columns: Sequence[str]) -> TextTable:
    """Write cells as concepts are named: in one line; what is too long, by mistake, is left out.

    Raises
    ------
    InvalidInputError
        If a column is not there.
    """
    words = {column: concept_words(column, table.column(column)) for column in dict.fromkeys(columns)}
    rows = [dict(row) for row in table.rows]
    for column, cells in words.items():
        for row, word in zip(rows, cells, strict=True):
            row[column] = "" if is_long_concept(column, word) else word
    return replace(table, rows=tuple(rows))


def tell_long_concepts(table: TextTable, columns: Sequence[str]) -> None:
    """Warn of the cells that `with_concept_words` leaves out."""
    long = {
        column: sum(is_long_concept(column, word) for word in concept_words(column, table.column(column)))
        for column in dict.fromkeys(columns)
    }
    told = ", ".join(f"{count} of {shown(column)}" for column, count in long.items() if count)
    if told:
        warn(f"left out: cells too long for the name of a concept, {told}")


def nested_columns(table: TextTable, columns: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Pairs of columns, narrow and wide, where each narrow value stands with the same wide one.

    Raises
    ------
    InvalidInputError
        If a column is not there.
    """
    return tuple(_nested({column: table.column(column) for column in columns}))


def _nested(cells: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    for narrow, wide in permutations(cells, 2):
        pairs = {pair for pair in zip(cells[narrow], cells[wide], strict=True) if all(pair)}
        n_narrow, n_wide = len({pair[0] for pair in pairs}), len({pair[1] for pair in pairs})
        if len(pairs) == n_narrow > n_wide:
            yield narrow, wide


def _is_concept(column: str, value: str, graph: KnowledgeGraph) -> bool:
    return bool(value) and (f"{column}:{value}" in graph or value in graph)


def _check_filled(table: TextTable, columns: Sequence[str], what: str, remedy: str) -> None:
    empty = [
        line
        for line, row in zip(table.lines, table.rows, strict=True)
        if not any(row[column] for column in columns)
    ]
    if empty:
        raise InvalidInputError(
            f"{table.name}: expected {what} in {' or '.join(map(shown, columns))}, got none in {table.unit} "
            f"{empty[0]} ({len(empty)} such rows); drop these rows, or {remedy}"
        )


def _noted_schema(extra: Mapping[str, Any]) -> TableSchema | None:
    """Read the columns that the command noted beside a model before models had a schema."""
    if "text" not in extra:
        return None
    roles = {"text": "text", "target": "targets", "id": "id", "concepts": "concepts"}
    return TableSchema(**{role: extra[name] for role, name in roles.items() if name in extra})
