"""Tables of any cells: rows for graphs, frames, and the files of the command line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from zeroshot_core import KnowledgeGraph

from scripts.stability.families.oddities import ODD, TEXTS, shown
from scripts.stability.fuzz import Attempts
from scripts.stability.mutation import mutated
from scripts.stability.samples import Place

__all__ = ["case", "opened"]

_COLUMNS = ("kind", "aisle", "brand", "head", "type", "tail", "weight", "id", "name", "synonyms")
_CELLS = (
    st.sampled_from(("wine", "tea", "drinks", "", "is_a", "a|b", "1", "0.5"))
    | TEXTS
    | st.integers()
    | st.floats()
    | st.none()
)
_ROWS = st.lists(st.dictionaries(st.sampled_from(_COLUMNS), _CELLS | ODD, max_size=5), max_size=5)
_CSV = 'text,label,price\nred wine,drinks,3.5\n"black, tea",drinks,2\nsoap,care,1\n'
_SHEET = "text;label;price\nred wine;drinks;3,5\nblack, tea;drinks;1.234,5\nsoap;care;\n"
_ARRAY = '[{"text": "red wine", "price": 3.5}, {"text": "tea", "label": null, "price": "2,5"}]'
_LINES = (
    '{"text": "red wine", "label": "drinks", "price": 3.5}\n{"text": "tea", "label": null, "price": "2"}\n'
)


@contextlib.contextmanager
def opened(place: Place) -> Iterator[Path]:
    """Give a file to write to."""
    yield place.folder / "table"


def case(case: Attempts, path: Path) -> None:
    """Try one table."""
    kind = case.draw(st.integers(0, 3))
    if kind == 0:
        rows: Any = case.draw(_ROWS | ODD)
        columns: Any = case.draw(st.lists(st.sampled_from(_COLUMNS), max_size=3) | ODD)
        edges: Any = case.draw(st.just([("kind", "aisle")]) | st.just([]) | ODD)
        what = f"from_table({shown(rows)}, {shown(columns)}, {shown(edges)})"
        _graph(case, what, lambda: KnowledgeGraph.from_table(rows, columns, edges))
    elif kind == 1:
        _frame(case)
    else:
        text = case.draw(mutated(case.draw(st.sampled_from((_CSV, _SHEET, _LINES, _ARRAY)))))
        path.write_bytes(text)
        from zeroshot_core.cli.tables import read_table

        is_read, table = case.attempt(f"read_table of {text[:200]!r}", lambda: read_table(path))
        if is_read:
            if any(set(row) != set(table.columns) for row in table.rows):
                case.wrong(f"a row of {text[:200]!r} has other columns than the table")
            case.attempt(f"numbers of {text[:200]!r}", lambda: table.numbers(["price"]))


def _frame(case: Attempts) -> None:
    import pandas as pd

    def frame(columns: tuple[str, ...]) -> Any:
        n = case.draw(st.integers(0, 4))
        chosen = [name for name in columns if case.draw(st.integers(0, 7))]
        cells = {name: [case.draw(_CELLS) for _ in range(n)] for name in chosen}
        return pd.DataFrame({name: pd.Series(column, dtype=object) for name, column in cells.items()})

    relations = (
        frame(("head", "type", "tail", "weight", "sources"))
        if case.draw(st.integers(0, 9))
        else case.draw(ODD)
    )
    concepts = frame(("id", "name", "type", "synonyms")) if case.draw(st.booleans()) else None
    what = f"from_pandas({shown(relations.to_dict('list') if hasattr(relations, 'to_dict') else relations)})"
    _graph(case, what, lambda: KnowledgeGraph.from_pandas(relations, concepts))


def _graph(case: Attempts, what: str, make: Any) -> None:
    is_made, graph = case.attempt(what, make)
    if is_made:
        ids = set(graph.concept_ids)
        if any(relation.head not in ids or relation.tail not in ids for relation in graph.relations):
            case.wrong(f"{what} has a relation that dangles")
