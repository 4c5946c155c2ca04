"""What callers give to models: items, texts, or a table whose columns a schema names; one reading for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from zeroshot_core.checks import instance, known_names, sequence, shown, text, warn
from zeroshot_core.dataframes import column_names, is_frame
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.estimators.indexing import as_items
from zeroshot_core.frames.frame_items import column_numbers, graph_from_columns, items_from_columns, row_ids
from zeroshot_core.frames.table_columns import is_table, table_columns, unused_columns
from zeroshot_core.frames.table_schema import ROLES, TableSchema

if TYPE_CHECKING:
    from zeroshot_core.dataframes import Frame
    from zeroshot_core.graph import KnowledgeGraph
    from zeroshot_core.types import Item

    Entries: TypeAlias = Sequence[Item | str] | Frame

__all__ = ["FitInputs", "read_fit", "read_grid", "read_groups", "read_query", "read_schema"]


@dataclass(frozen=True, kw_only=True)
class FitInputs:
    """What a model is to learn from, a table read as items.

    Parameters
    ----------
    X
        Items, or what was given instead of a table.
    y
        Targets or labels: what was given, else the columns of the target; None without any.
    groups
        What was given, or the values of the column that it names.
    graph
        What was given, else that of the columns of concepts; None without any.
    schema
        With which new tables will be read; None if no columns were named.
    """

    X: Any
    y: Any = None
    groups: Any = None
    graph: KnowledgeGraph | None = None
    schema: TableSchema | None = None


def read_schema(
    who: str, schema: TableSchema | None, columns: Mapping[str, Any], *, roles: Sequence[str] = ROLES
) -> TableSchema | None:
    """Check which columns say what: a schema, keywords, or a schema with some parts by keywords.

    Parameters
    ----------
    who
        What takes them, such as ``"ZeroShotRegressor.fit"``.
    roles
        Those that a model reads; others are refused as keywords, and left out of a schema.

    Raises
    ------
    InvalidInputError
        If a keyword is none of the roles, or they are wrong.
    """
    known_names(who, columns, roles)
    if schema is None:
        return TableSchema(**columns) if columns else None
    instance("schema", schema, TableSchema, remedy="say TableSchema(text=['name'], ...)")
    blank: dict[str, Any] = {role: None if role == "image" else () for role in ROLES if role not in roles}
    return replace(schema, **blank, **columns)


def read_fit(
    X: Any,
    y: Any = None,
    groups: Any = None,
    *,
    schema: TableSchema | None,
    graph: KnowledgeGraph | None = None,
    prefix: str,
) -> FitInputs:
    """Read what a model is to learn from: the rows of a table as items, anything else as it is.

    Parameters
    ----------
    y
        None takes the columns of the schema's target.
    groups
        May be the name of a column.
    graph
        The concepts that cells name; None makes them of the columns of concepts.
    prefix
        Begins the ids of rows that have none.

    Raises
    ------
    InvalidInputError
        If there are columns without a table, a table without columns, a column is missing, or a cell is
        wrong.

    Warns
    -----
    UserWarning
        If columns are not used, or values of concepts are left out.
    """
    if not is_table(X) or (schema is None and not is_frame(X)):
        return FitInputs(X=X, y=y, groups=groups, graph=graph, schema=schema)
    schema = _needed(X, schema)
    target = schema.target if y is None else ()
    others = [groups] if isinstance(groups, str) else []
    ids = [] if schema.id is None else [schema.id]
    columns = table_columns(X, list(dict.fromkeys([*schema.columns, *ids, *target, *others])))
    unused = unused_columns(X, schema, others)
    if unused:
        warn(
            f"columns of the table that are not used: {shown(unused)[1:-1]}; name them in text, concepts, "
            "numeric or dates, or drop them"
        )
    if graph is None and schema.concepts:
        graph = graph_from_columns(columns, schema)
    if target:
        steps = [columns[name] for name in target]
        y = list(zip(*steps, strict=True)) if schema.is_curve else steps[0]
    items = items_from_columns(columns, schema, graph, prefix=prefix, is_known=True)
    found = columns[groups] if isinstance(groups, str) else groups
    return FitInputs(X=items, y=y, groups=found, graph=graph, schema=schema)


def read_query(
    X: Any, schema: TableSchema | None, graph: KnowledgeGraph | None, *, prefix: str = "query-"
) -> Any:
    """Read what a model is asked: the rows of a table as items, anything else as it is.

    Rows may share an id, and need none.

    Raises
    ------
    InvalidInputError
        If the model was fitted without columns, a column is missing, or a cell is wrong.

    Warns
    -----
    UserWarning
        If values of concepts are left out.
    """
    if not is_table(X) or (schema is None and not is_frame(X)):
        return X
    schema = _needed(X, schema)
    columns = table_columns(X, schema.columns, optional=[schema.id])
    return items_from_columns(columns, schema, graph, prefix=prefix, is_known=False)


def read_grid(
    X: Any,
    column: str,
    values: Any,
    schema: TableSchema | None,
    graph: KnowledgeGraph | None,
    known: Sequence[str],
) -> tuple[list[Item], list[Any]]:
    """Read each row of a table, or each item, once for each value that one of its columns might have.

    Parameters
    ----------
    column
        A column of the schema; of items, a numeric metadatum.
    known
        Numeric metadata that a model reads.

    Returns
    -------
    list of Item, list
        The items with each value, shape (q * v,), those of an item together; and the values, shape (v,).

    Raises
    ------
    InvalidInputError
        If the column is none that is read, or there are no values.
    """
    options = sequence("values", values, of="values of a column")
    if not options:
        raise InvalidInputError("expected values to try, got none; give at least one")
    if schema is None or not is_table(X):
        known_names("whatif", [text("column", column)], known)
        items = as_items(read_query(X, schema, graph), prefix="query-")
        numbers_ = column_numbers(column, options)
        grid = [
            replace(item, metadata={**item.metadata, column: number}) for item in items for number in numbers_
        ]
        return grid, options
    known_names("whatif", [text("column", column)], schema.columns)
    columns = table_columns(X, schema.columns, optional=[schema.id])
    ids = row_ids(columns, schema, prefix="query-", is_known=False)
    repeated = {name: [cell for cell in cells for _ in options] for name, cells in columns.items()}
    repeated[column] = options * len(ids)
    grid = items_from_columns(repeated, schema, graph, prefix="query-", is_known=False)
    names = [id_ for id_ in ids for _ in options]
    return [replace(item, id=id_) for item, id_ in zip(grid, names, strict=True)], options


def read_groups(X: Any, groups: Any) -> Any:
    """Read the groups of the rows of a table where one of its columns is named, anything else as it is."""
    return table_columns(X, [groups])[groups] if isinstance(groups, str) and is_table(X) else groups


def _needed(X: Any, schema: TableSchema | None) -> TableSchema:
    """Refuse a table of which nobody has said what its columns hold."""
    if schema is None:
        names = column_names(X)
        raise InvalidInputError(
            f"expected X as items or texts, got a {type(X).__name__} with columns {shown(names)}; say what "
            "they hold in fit, as in fit(X, text=['name'], target='units'), or give one of them as a list"
        )
    return schema
