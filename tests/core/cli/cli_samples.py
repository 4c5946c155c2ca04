"""Small tables of products, and the types of the fixtures that use them."""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

from typer.testing import Result

KINDS = {
    "red wine": ("drinks", 9, "dry red wine from {}"),
    "lemonade": ("drinks", 30, "sparkling lemonade with lemons of {}"),
    "pasta": ("pantry", 50, "durum wheat pasta from {}"),
    "tomato sauce": ("pantry", 40, "tomato sauce with basil of {}"),
}
PLACES = ("Sicily", "Tuscany", "Apulia", "Umbria", "Veneto", "Lazio")
KNOWN = [
    (f"{kind}/{place}", text.format(place), kind, aisle, units + rank, rank)
    for kind, (aisle, units, text) in KINDS.items()
    for rank, place in enumerate(PLACES)
]
NEW = [
    ("dry white wine from Liguria", "white wine", "drinks"),
    ("spelt pasta from Liguria", "pasta", "pantry"),
    ("toys for cats", "cat toy", "pets"),
]

Write = Callable[[str, Sequence[Sequence[object]]], Path]
Run = Callable[..., Result]


def write_csv(path: Path, rows: Sequence[Sequence[object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return path
