"""Prices of furniture: a shop's catalogue of 2,962 articles, in a file that is given.

The file, of 3,694 rows, is that of TidyTuesday of 2020-11-03: an article stands in it once for each category
of the shop that shows it.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.datasets.catalogue import Catalogue
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.types import Item

if TYPE_CHECKING:
    from zeroshot_core.types import Scalar

__all__ = ["load_furniture"]

_DATA, _DEFAULT_FOLDER = "ZEROSHOT_DATA", Path("../shared/data")
_CONCEPTS = ("kind", "name", "category", "designer")
_EDGES = (("kind", "category"), ("name", "category"))
_SIZES = ("depth", "height", "width")
_COLUMNS = ("item_id", "name", "category", "price", "short_description", "designer", *_SIZES)
_KIND_ENDS = re.compile(r"[,\d]")


def load_furniture(file: str | Path | None = None) -> Catalogue:
    """Load the articles that have a price, which is what there is to forecast.

    An article's text is its name and its description, which often tells sizes. Its concepts are name,
    category (the first that the file has), designer, and kind: the words of the description before the first
    comma or digit. Depth, height and width, in centimetres, are numbers, missing in a sixth to two fifths of
    the rows. Price and old price are never features.

    Parameters
    ----------
    file
        ``ikea.csv``: fields parted by semicolons, numbers with a decimal comma. None is ``ikea/ikea.csv`` in
        the folder that the environment variable ``ZEROSHOT_DATA`` names, else in ``../shared/data``.

    Raises
    ------
    InvalidInputError
        If there is no such file, or a column is missing.
    """
    path = Path(file or Path(os.environ.get(_DATA) or _DEFAULT_FOLDER, "ikea", "ikea.csv"))
    if not path.is_file():
        raise InvalidInputError(
            f"expected the furniture's prices in {path}, got no such file; give --file, or {_DATA} with the "
            "folder that ikea/ikea.csv lies in"
        )
    with path.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.DictReader(lines, delimiter=";")
        missing = [column for column in _COLUMNS if column not in (reader.fieldnames or ())]
        if missing:
            raise InvalidInputError(f"expected columns {list(_COLUMNS)} in {path}, got none named {missing}")
        articles: dict[str, Mapping[str, str]] = {}
        for line in reader:
            if np.isfinite(_number(line["price"])):
                articles.setdefault(line["item_id"], line)
    lines_of = list(articles.values())
    return Catalogue(
        name="furniture",
        items=tuple(_item(line) for line in lines_of),
        rows=tuple(_row(line) for line in lines_of),
        target=np.array([_number(line["price"]) for line in lines_of]),
        numeric=_SIZES,
        graph_columns=_CONCEPTS,
        graph_edges=_EDGES,
        held_out={"category": "category", "name": "name"},
    )


def _number(cell: str | None) -> float:
    """Read a number with a decimal comma; NaN where there is none."""
    try:
        return float((cell or "").strip().replace(",", "."))
    except ValueError:
        return float("nan")


def _item(line: Mapping[str, str]) -> Item:
    sizes = {name: _number(line[name]) for name in _SIZES}
    metadata: dict[str, Scalar] = {name: size for name, size in sizes.items() if np.isfinite(size)}
    text = f"{line['name']}, {line['short_description']}"
    return Item(id=line["item_id"], text=" ".join(text.split()), metadata=metadata)


def _row(line: Mapping[str, str]) -> dict[str, str]:
    kind = _KIND_ENDS.split(line["short_description"].strip())[0]
    values = {"kind": kind.lower(), **{column: line[column] for column in _CONCEPTS[1:]}}
    # Where no designer was known, an article number and its description stand there.
    values["designer"] = "" if values["designer"][:1].isdigit() else values["designer"]
    return {column: " ".join(value.split()) for column, value in values.items() if value.strip()}
