"""``zeroshot classify``: labels for texts, by what the labels mean, by examples, or by a saved model."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zeroshot_core.checks import listed, shown
from zeroshot_core.cli.columns import names_of, schema_of, to_items, with_image_paths
from zeroshot_core.cli.console import notes_for_warnings, shows_progress
from zeroshot_core.cli.predict import label_answers, write_answers
from zeroshot_core.cli.table_options import Delimiter, EncoderName, Encoding, Quiet, table_of
from zeroshot_core.cli.tables import STANDARD_INPUT, Dialect, TextTable
from zeroshot_core.errors import ArtifactError, InvalidInputError
from zeroshot_core.frames import TableSchema
from zeroshot_core.types import Item

if TYPE_CHECKING:
    from zeroshot_core.prediction import ZeroShotClassifier

__all__ = ["classify"]

_TEXT = "text"


def classify(
    texts: Annotated[
        list[str],
        typer.Argument(metavar="TEXT...|FILE|-", help="What to label: texts, a table, or standard input."),
    ],
    labels: Annotated[
        str | None,
        typer.Option(help="Labels, with commas between them; with --examples their column, or more labels."),
    ] = None,
    examples: Annotated[Path | None, typer.Option(help="Table of texts whose labels are known.")] = None,
    model: Annotated[Path | None, typer.Option(help="Folder of a classifier, instead of labels.")] = None,
    text: Annotated[str | None, typer.Option(help="Column of texts in tables; 'text' without it.")] = None,
    encoder: EncoderName = "all-MiniLM-L6-v2",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    delimiter: Delimiter = None,
    encoding: Encoding = None,
    quiet: Quiet = False,
) -> None:
    """Choose the label that fits a text best, by what the labels mean and by examples."""
    if (model is None) == (labels is None):
        raise typer.BadParameter("give --labels or --model, and not both")
    if model is not None and examples is not None:
        raise typer.BadParameter("give --examples or --model, not both")
    dialect = Dialect(delimiter=delimiter, encoding=encoding)
    table = _table(texts, dialect, quiet=quiet)
    known = None if examples is None else table_of(examples, dialect, quiet=quiet)
    with notes_for_warnings(quiet=quiet):
        fitted = _fitted(names_of(labels), known, text, encoder, quiet) if model is None else _saved(model)
        with closing(fitted) as classifier:
            if table is None:
                items = [Item(id=f"text-{number}", text=text) for number, text in enumerate(texts, start=1)]
            elif model is None:
                items = to_items(table, TableSchema(text=_text_column(table, text)), None)
            else:
                schema = schema_of(table, classifier, text=names_of(text, table.columns))
                table = with_image_paths(table, schema, Path(texts[0]).parent)
                items = to_items(table, schema, classifier.retriever_.graph)
            answers = label_answers(classifier, items)
    write_answers(items, answers, out=None, json=json, quiet=quiet)


def _table(texts: Sequence[str], dialect: Dialect, *, quiet: bool) -> TextTable | None:
    """Read the one argument that is a file or ``-``; None if texts were given."""
    is_table = len(texts) == 1 and (texts[0] == str(STANDARD_INPUT) or os.path.isfile(texts[0]))  # noqa: PTH113
    return table_of(Path(texts[0]), dialect, quiet=quiet) if is_table else None


def _text_column(table: TextTable, text: str | None) -> str:
    """Name the column of texts, which has to be said unless it is called so: a header is no text."""
    if text is None and _TEXT not in table.columns:
        raise InvalidInputError(
            f"{table.name}: expected a column {_TEXT!r}, got {listed(table.columns)}; name that of the texts "
            "with --text"
        )
    return text or _TEXT


def _saved(model: Path) -> ZeroShotClassifier:
    from zeroshot_core.prediction import ZeroShotClassifier, load_model

    opened = load_model(model, read_only=True)
    if not isinstance(opened, ZeroShotClassifier):
        opened.close()
        raise ArtifactError(
            f"expected a classifier in {model}, got a {type(opened).__name__}; ask it with zeroshot predict"
        )
    return opened


def _fitted(
    names: Sequence[str], examples: TextTable | None, text: str | None, encoder: str, quiet: bool
) -> ZeroShotClassifier:
    from zeroshot_core.encoders import load_encoder
    from zeroshot_core.prediction import ZeroShotClassifier

    model = ZeroShotClassifier(load_encoder(encoder), show_progress=shows_progress(quiet=quiet))
    if examples is None:
        return model.fit(labels=names)
    column = _label_column(examples, names)
    cells = examples.column(column)
    empty = [line for line, cell in zip(examples.lines, cells, strict=True) if not cell]
    if empty:
        raise InvalidInputError(
            f"{examples.name}: expected a label in column {shown(column)}, got none in {examples.unit} "
            f"{empty[0]} ({len(empty)} such rows); fill it in, or drop these rows"
        )
    more = [name for name in names if name != column]
    known = to_items(examples, TableSchema(text=_text_column(examples, text)), None)
    return model.fit(known, cells, labels=list(dict.fromkeys([*cells, *more])) if more else None)


def _label_column(examples: TextTable, names: Sequence[str]) -> str:
    """Find the one of some names that is the column of the labels."""
    found = [name for name in names if name in examples.columns]
    if len(found) != 1:
        raise InvalidInputError(
            f"{examples.name}: expected one column of labels among --labels {listed(names)}, got "
            f"{listed(found) or 'none'}; its columns are {listed(examples.columns)}"
        )
    return found[0]
