"""``zeroshot evaluate table``: how good forecasts of new items are on a table of one's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zeroshot_core.checks import listed, shown
from zeroshot_core.cli.columns import nested_columns, tell_long_concepts, to_items, with_concept_words
from zeroshot_core.cli.console import notes_for_warnings, shows_progress, write_json, write_line
from zeroshot_core.cli.fit import with_targets
from zeroshot_core.cli.metrics import write_metrics
from zeroshot_core.cli.table_options import (
    ConceptColumns,
    Dates,
    Decimal,
    Delimiter,
    EncoderName,
    Encoding,
    KnownTable,
    Missing,
    Numeric,
    Quiet,
    TextColumns,
    named_schema,
    table_of,
)
from zeroshot_core.cli.tables import Dialect, TextTable
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.frames import TableSchema

if TYPE_CHECKING:
    from zeroshot_core.datasets import Catalogue

__all__ = ["evaluate_table"]

# A fifth of them is held out, and what is left is dealt into folds.
_FEWEST_ROWS = 40
_AT_RANDOM = "lines"


def evaluate_table(
    items: KnownTable,
    text: TextColumns,
    target: Annotated[str, typer.Option(help="Column of a number of at least 0, which is forecast.")],
    concepts: ConceptColumns = None,
    numeric: Numeric = None,
    dates: Dates = None,
    hold_out: Annotated[
        str | None,
        typer.Option(help="One of the concepts: a fifth of its values is new. Without it, rows at random."),
    ] = None,
    missing: Missing = "refuse",
    seed: Annotated[int, typer.Option(min=0, help="Of the split and of the regressor.")] = 0,
    encoder: EncoderName = "all-MiniLM-L6-v2",
    catboost: Annotated[
        bool, typer.Option("--catboost", help="Compare with CatBoost too, which takes minutes.")
    ] = False,
    out: Annotated[Path, typer.Option(help="HTML report to write.")] = Path("report.html"),
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    delimiter: Delimiter = None,
    decimal: Decimal = None,
    encoding: Encoding = None,
    quiet: Quiet = False,
) -> None:
    """Hold a fifth of a table out, forecast it from the rest, and compare with baselines and no graph."""
    from zeroshot_core.encoders import load_encoder
    from zeroshot_core.evaluation import evaluate_catalogue
    from zeroshot_core.evaluation.illustration import illustrate
    from zeroshot_core.report import write_report

    table = table_of(items, Dialect(delimiter=delimiter, decimal=decimal, encoding=encoding), quiet=quiet)
    schema = named_schema(table, text=text, target=target, concepts=concepts, numeric=numeric, dates=dates)
    _check_roles(schema, hold_out)
    if missing == "drop":
        table = with_targets(table, schema.target, is_numeric=True)
    with notes_for_warnings(quiet=quiet):
        report = evaluate_catalogue(
            catalogue_of(table, schema, hold_out),
            hold_out or _AT_RANDOM,
            seed,
            encoder=load_encoder(encoder),
            with_catboost=catboost,
            show_progress=shows_progress(quiet=quiet),
        )
        report.model.show_progress = False  # type: ignore[attr-defined]
        out.parent.mkdir(parents=True, exist_ok=True)
        write_report(out, illustrate(report))
    if json:
        write_json(report.to_dict())
        return
    write_metrics(report)
    if not quiet:
        write_line(f"{report.n_train:,} known items, {report.n_test:,} new ones; report: {out}")


def catalogue_of(table: TextTable, schema: TableSchema, hold_out: str | None) -> Catalogue:
    """Items of a table with their categories and targets, as evaluations take them.

    Raises
    ------
    InvalidInputError
        If there are few rows, a column is not there, or a cell is wrong.
    """
    from zeroshot_core.datasets import Catalogue

    if len(table.rows) < _FEWEST_ROWS:
        raise InvalidInputError(
            f"{table.name}: expected at least {_FEWEST_ROWS} rows to learn from and to hold out, got "
            f"{len(table.rows)}; give more"
        )
    targets = table.numbers(schema.target)
    tell_long_concepts(table, schema.concepts)
    table = with_concept_words(table, schema.concepts)
    edges = nested_columns(table, schema.concepts)
    found = to_items(table, replace(schema, concepts=()), None)
    return Catalogue(
        name=table.name,
        items=tuple(found),
        rows=tuple({name: row[name] for name in schema.concepts if row[name]} for row in table.rows),
        target=targets,
        numeric=tuple(dict.fromkeys(key for item in found for key in item.metadata)),
        graph_columns=tuple(schema.concepts),
        graph_edges=edges,
        held_out={hold_out: hold_out} if hold_out else {},
    )


def _check_roles(schema: TableSchema, hold_out: str | None) -> None:
    if len(schema.target) != 1:
        raise InvalidInputError(f"expected one column as --target, got {listed(schema.target) or 'none'}")
    if hold_out is not None and hold_out not in schema.concepts:
        raise InvalidInputError(
            f"expected --hold-out as one of --concepts ({listed(schema.concepts) or 'none'}), got "
            f"{shown(hold_out)}; name it there too"
        )
