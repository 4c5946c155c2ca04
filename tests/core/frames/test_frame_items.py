"""Rows of tables as items: the same from pandas, polars and plain rows, and refused in one sentence."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from zeroshot_core import InvalidInputError, Item, KnowledgeGraph, TableSchema, items_from_frame
from zeroshot_core.frames import graph_from_frame
from zeroshot_core.types import Concept

COLUMNS: dict[str, list[Any]] = {
    "sku": [7, 8, 9],
    "name": ["red wine", "lemonade!", "pasta"],
    "note": [" dry ", "cold", None],
    "kind": ["wine", "soda", "wine"],
    "price": [1.5, None, 2],
    "launch": ["2024-01-31", None, "2024-12-31"],
    "units": [3, 4, 5],
}
SCHEMA = TableSchema(
    text=["name", "note"],
    concepts="kind",
    numeric=["price"],
    dates=["launch"],
    id="sku",
    target="units",
)


def rows_of(columns: dict[str, list[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


TABLES = [
    pd.DataFrame(COLUMNS),
    pd.DataFrame(COLUMNS, index=[9, 9, 1]),
    pd.DataFrame(COLUMNS).convert_dtypes(),
    pl.DataFrame(COLUMNS, strict=False),
    pl.DataFrame(COLUMNS, strict=False).to_arrow(),
    pl.DataFrame(COLUMNS, strict=False).with_columns(pl.col("launch").str.to_date()),
    pd.DataFrame(COLUMNS).assign(
        launch=pd.to_datetime(pd.Series(COLUMNS["launch"])), kind=pd.Categorical(COLUMNS["kind"])
    ),
    rows_of(COLUMNS),
]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: type(table).__module__)
def test_every_kind_of_table_gives_the_same_items(table: Any) -> None:
    items = items_from_frame(table, SCHEMA)

    assert items == items_from_frame(TABLES[0], SCHEMA)
    assert [item.id for item in items] == ["7", "8", "9"]
    assert [item.text for item in items] == ["red wine. dry", "lemonade! cold", "pasta"]
    assert [item.concepts for item in items] == [("kind:wine",), ("kind:soda",), ("kind:wine",)]
    assert items[1].metadata == {"kind": "soda"}
    assert items[2].metadata["price"] == 2.0


def test_dates_go_round() -> None:
    january, _, december = (item.metadata for item in items_from_frame(TABLES[0], SCHEMA))

    assert len(january) == 2 + 8
    assert january["launch_season_sin"] == december["launch_season_sin"] == 0
    assert december["launch_month_sin"] == pytest.approx(-0.5)  # a twelfth before January
    assert january["launch_weekday_cos"] == pytest.approx(np.cos(2 * np.pi * 2 / 7))  # a Wednesday
    assert january["launch_week_sin"] == pytest.approx(np.sin(2 * np.pi * 4 / 53))


def test_items_without_ids_are_numbered_and_booleans_count() -> None:
    frame = pd.DataFrame({"name": ["a", "b"], "promoted": [True, False], "year": [Decimal(3), None]})
    schema = TableSchema(text="name", numeric=["promoted"], concepts=["year"])
    with pytest.warns(UserWarning, match="left out: 1 value of column 'year' missing"):
        items = items_from_frame(frame, schema)

    assert items == [
        Item(id="item-0", text="a", concepts=("year:3",), metadata={"year": "3", "promoted": 1.0}),
        Item(id="item-1", text="b", metadata={"promoted": 0.0}),
    ]


def test_values_that_the_graph_does_not_hold_are_left_out_and_counted_in_one_line() -> None:
    new = pd.DataFrame(COLUMNS | {"kind": ["beer", "beer", None]})
    with pytest.warns(UserWarning, match="left out") as told:
        items = items_from_frame(new, SCHEMA, graph_from_frame(TABLES[0], SCHEMA))

    assert [item.concepts for item in items] == [(), (), ()]
    assert [str(each.message) for each in told] == [
        "left out: 1 value of column 'kind' not in the graph, such as 'beer' (2 rows), 1 value of column "
        "'kind' missing"
    ]
    assert told[0].filename == __file__


def test_cells_name_concepts_of_a_graph_by_id_former_id_or_name() -> None:
    graph = KnowledgeGraph(
        [
            Concept(id="C:1", name="Red Wine", type="kind", synonyms=("vino",)),
            Concept(id="C:2", name="soda"),
            Concept(id="M:1", name="Red Wine", type="maker"),
        ],
        alternative_ids={"C:9": "C:2"},
    )
    frame = pd.DataFrame({"name": list("abcde"), "kind": ["C:1", "red  wine", "vino", "C:9", "soda"]})
    items = items_from_frame(frame, TableSchema(text="name", concepts="kind"), graph)

    assert [item.concepts for item in items] == [("C:1",)] * 3 + [("C:2",)] * 2


@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame])
def test_a_graph_made_of_the_table_itself_is_understood(library: Any) -> None:
    """`from_table` writes a whole number beside NaN with a point."""
    frame = library({"name": ["a", "b"], "year": [1999.0, 2001.0], "maker": [" Acme", "Zeta"]})
    schema = TableSchema(text="name", concepts=["year", "maker"], edges=[("maker", "year")])
    own, made = (
        KnowledgeGraph.from_table(frame, schema.concepts, schema.edges),
        graph_from_frame(frame, schema),
    )

    assert made.concept_ids == ("year:1999", "year:2001", "maker:Acme", "maker:Zeta")
    assert len(made.relations) == len(own.relations) == 2
    assert items_from_frame(frame, schema, own)[0].concepts == ("year:1999.0", "maker: Acme")


def test_a_schema_survives_json() -> None:
    schema = TableSchema(text="name", concepts=["a", "b"], edges=[("a", "of", "b")], target=["w1", "w2"])

    assert TableSchema.from_config(json.loads(json.dumps(schema.to_config()))) == schema
    assert TableSchema.from_config(json.loads(json.dumps(SCHEMA.to_config()))) == SCHEMA


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"text": []}, r"at least one column that describes an item, got none; name it, as in text=\["),
        ({"text": {"name": 1}}, "expected text as a list of column names, got a dict"),
        ({"numeric": [3]}, "expected numeric as names of columns, got 3"),
        ({"dates": ["a", "a"]}, r"expected distinct columns as dates, got \['a', 'a'\]"),
        ({"numeric": "units"}, "expected a target that nothing else reads, got 'units' among"),
        ({"id": ""}, "expected id as a text that is not empty, got ''; None numbers the rows"),
        ({"edges": [("kind", "aisle")]}, r"of the columns \['kind'\], got \('kind', 'aisle'\)"),
        ({"prices": "x"}, "a table's schema does not know 'prices'; it takes"),
    ],
)
def test_a_wrong_schema_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        TableSchema.from_config(SCHEMA.to_config() | change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": None}, r"expected a column 'name' in the table, got none; did you mean 'names'\?"),
        ({"kind": None}, r"expected a column 'kind' in the table, got none; it has \['sku', "),
        ({"sku": None}, "expected a column 'sku' in the table, got none"),
        (
            {"sku": [7, 8, 7]},
            "distinct ids in column 'sku', got '7' 2 times; make them distinct, or leave id",
        ),
        ({"sku": ["a", None, "c"]}, r"expected an id in column 'sku', got none in row 1 \(1 such rows\)"),
        (
            {"name": ["a", " ", "c"], "note": ["", None, ""]},
            r"in 'name' and 'note', got an empty one in row 1",
        ),
        (
            {"price": ["1,5", None, "2"]},
            "expected numbers in column 'price', got the text '1,5' in row 0; con",
        ),
        (
            {"price": [1.0, np.inf, np.inf]},
            r"finite numbers in column 'price', got inf in row 1 \(2 such rows",
        ),
        ({"price": [[1], [2], [3]]}, "one number a row in column 'price'"),
        ({"price": [1j, 2, 3]}, "expected values of column 'price' that are numbers, got"),
        (
            {"launch": ["31.1.2024", None, None]},
            "expected dates in column 'launch', got '31.1.2024' in row 0",
        ),
        ({"kind": [["a"], ["b"], ["c"]]}, r"column 'kind', got \['a'\] in row 0; give a column one value"),
    ],
)
def test_a_wrong_table_is_refused(change: dict[str, Any], message: str) -> None:
    columns = {name: values for name, values in (COLUMNS | change).items() if values is not None}
    if "name" not in columns:
        columns["names"] = COLUMNS["name"]
    for table in (pd.DataFrame(columns), rows_of(columns)):
        with pytest.raises(InvalidInputError, match=message):
            items_from_frame(table, SCHEMA)


def test_lazy_tables_and_columns_of_one_name_are_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"got a LazyFrame; give frame.collect\(\)"):
        items_from_frame(pl.LazyFrame({"name": ["a"]}), SCHEMA)
    with pytest.raises(InvalidInputError, match="expected columns of distinct names, got 'a' twice"):
        items_from_frame(pd.DataFrame([[1, 2]], columns=["a", "a"]), SCHEMA)
    with pytest.raises(InvalidInputError, match="expected columns with one name each, got"):
        items_from_frame(pd.DataFrame({("a", "b"): [1]}), SCHEMA)


def test_times_of_any_kind_are_dates() -> None:
    day = datetime.date(2024, 1, 31)
    values = [day, datetime.datetime(2024, 1, 31, 23), np.datetime64("2024-01-31"), "2024-01-31 10:00:00"]
    rows = [{"name": "a", "day": value} for value in values]
    items = items_from_frame(rows, TableSchema(text="name", dates="day"))

    assert all(item.metadata == items[0].metadata for item in items)


def test_cells_that_cannot_be_ids_of_concepts_are_written_in_one_line_or_left_out() -> None:
    rows = [{"name": f"thing {n}", "kind": kind} for n, kind in enumerate(["a\n b", "é" * 300, "a b"])]
    schema = TableSchema(text="name", concepts="kind")

    graph = graph_from_frame(rows, schema)
    with pytest.warns(UserWarning, match=r"1 value of column 'kind' longer than 512 bytes, .* \(1 row\)"):
        items = items_from_frame(rows, schema, graph)

    assert graph.concept_ids == ("kind:a b",)
    assert [item.concepts for item in items] == [("kind:a b",), (), ("kind:a b",)]
    with pytest.warns(UserWarning, match="longer than 512 bytes"):
        assert items_from_frame(rows, schema) == items


@pytest.mark.parametrize("frame", [3, "a path", {"name": ["a"]}, ["a", 1], np.ones((2, 2)), []])
def test_what_is_no_table_is_refused(frame: Any) -> None:
    for read in (items_from_frame, graph_from_frame):
        with pytest.raises(InvalidInputError, match="expected frame as a table of pandas or polars"):
            read(frame, TableSchema(text="name", concepts="name"))


def test_what_is_no_graph_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="expected graph to be of class KnowledgeGraph, got 'wine'"):
        items_from_frame(TABLES[0], SCHEMA, "wine")  # type: ignore[arg-type]
