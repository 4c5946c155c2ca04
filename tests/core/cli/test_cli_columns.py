import pytest
from zeroshot_core import Concept, KnowledgeGraph, TableSchema
from zeroshot_core.cli.columns import (
    linked_columns,
    names_of,
    nested_columns,
    tell_long_concepts,
    there,
    to_items,
    typed_rows,
    with_concept_words,
)
from zeroshot_core.cli.tables import TextTable
from zeroshot_core.errors import InvalidInputError

SCHEMA = TableSchema(text="text", target="units", concepts=("kind", "aisle"))


def table_of(header: str, *lines: str) -> TextTable:
    names = header.split(",")
    rows = tuple(dict(zip(names, line.split(","), strict=True)) for line in lines)
    return TextTable(name="items.csv", columns=tuple(names), rows=rows, lines=tuple(range(2, len(rows) + 2)))


@pytest.fixture
def known() -> TextTable:
    return table_of(
        "text,kind,aisle,units",
        "dry red,wine,drinks,1",
        "dry white,wine,drinks,2",
        "lager,beer,drinks,3",
        "penne,pasta,pantry,4",
    )


@pytest.fixture
def graph(known: TextTable) -> KnowledgeGraph:
    return KnowledgeGraph.from_table(known.rows, ["kind", "aisle"], edges=[("kind", "aisle")])


def test_columns_whose_values_stand_with_one_wider_value_are_nested(known: TextTable) -> None:
    assert nested_columns(known, ["aisle", "kind"]) == (("kind", "aisle"),)


def test_columns_that_cross_are_not_nested() -> None:
    table = table_of("text,kind,brand", "a,wine,x", "b,wine,y", "c,beer,x", "d,pasta,y")

    assert nested_columns(table, ["kind", "brand"]) == ()


def test_cells_that_are_missing_say_nothing_against_nesting() -> None:
    table = table_of("text,kind,aisle", "a,wine,drinks", "b,wine,", "c,,drinks", "d,,pantry", "e,beer,drinks")

    assert nested_columns(table, ["kind", "aisle"]) == (("kind", "aisle"),)


def test_a_name_with_a_comma_is_one_column_where_there_is_one() -> None:
    assert names_of("size, in cm", ["size, in cm", "kind"]) == ("size, in cm",)
    assert names_of("size, kind", ["size", "kind"]) == ("size", "kind")
    assert names_of(None) == ()


def test_cells_of_concepts_are_written_in_one_line_or_left_out() -> None:
    table = table_of("text,kind", "a,red\nwine", f"b,{'x' * 600}", "c,red wine")

    with pytest.warns(UserWarning, match="too long for the name of a concept, 1 of 'kind'"):
        tell_long_concepts(table, ["kind"])
    written = with_concept_words(table, ["kind"])

    assert written.column("kind") == ["red wine", "", "red wine"]
    assert table.column("kind")[0] == "red\nwine"


@pytest.mark.filterwarnings("ignore:left out")
def test_items_are_linked_to_what_the_graph_holds_and_to_nothing_else(graph: KnowledgeGraph) -> None:
    new = table_of("text,kind,aisle", "rosé,wine,drinks", "cat toy,toy,", "cat bed,bed,pets")

    items = to_items(new, SCHEMA, graph)

    assert [item.concepts for item in items] == [("kind:wine", "aisle:drinks"), (), ()]
    assert [item.id for item in items] == ["row-1", "row-2", "row-3"]


def test_columns_that_a_model_can_do_without_are_left_out_and_named() -> None:
    schema = TableSchema(
        text="text", concepts=("kind", "aisle"), numeric=("price",), dates=("since",), id="sku"
    )

    kept, absent = there(schema, table_of("text,aisle", "rosé,drinks"))

    assert absent == ("kind", "price", "since")
    assert kept == TableSchema(text="text", concepts=("aisle",))


def test_numbers_and_days_are_typed_and_gaps_are_left_out_of_items() -> None:
    table = table_of("text,price,since", "rosé,2.5,31.03.2024", "cava,,")
    schema = TableSchema(text="text", numeric=("price",), dates=("since",))

    (first, second) = to_items(table, schema, None)

    assert first.metadata["price"] == 2.5
    assert first.metadata["since_month_sin"] == pytest.approx(0.866, abs=1e-3)
    assert second.metadata == {}


@pytest.mark.parametrize(
    ("cells", "days"),
    [
        (("2024-03-31", "", "NA"), ["2024-03-31", None, None]),
        (("31.3.2024", "01.04.2024"), ["2024-03-31", "2024-04-01"]),
        (("31/3/2024", "1/4/2024"), ["2024-03-31", "2024-04-01"]),
        (("3/31/2024", "4/1/2024"), ["2024-03-31", "2024-04-01"]),
        (("2024-03-31T09:30:00Z", "4/4/2024"), ["2024-03-31", "2024-04-04"]),
    ],
)
def test_days_are_read_as_people_write_them(cells: tuple[str, ...], days: list[str | None]) -> None:
    found = table_of("since", *cells).days("since")

    assert [day and day.isoformat() for day in found] == days


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (
            ("1/4/2024", "2/4/2024"),
            "days in column 'since' that can be read in one way, got '1/4/2024'; write",
        ),
        (("31/3/2024", "3/31/2024"), "that can be read in one way"),
        (("soon",), "expected days in column 'since', got 'soon' in line 2; write them as 2024-03-31"),
        (("31.02.2024",), r"got '31\.02\.2024' in line 2"),
    ],
)
def test_what_is_no_day_or_two_is_refused(cells: tuple[str, ...], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        table_of("since", *cells).days("since")


def test_an_empty_text_and_an_empty_id_are_named_by_their_lines() -> None:
    table = table_of("text,sku", "rosé,", ",b")

    with pytest.raises(InvalidInputError, match="expected a text in 'text', got none in line 3"):
        typed_rows(table, TableSchema(text="text"))
    with pytest.raises(InvalidInputError, match="expected an id in 'sku', got none in line 2"):
        typed_rows(table.take([0]), TableSchema(text="text", id="sku"))


def test_cells_name_concepts_of_an_edge_list_by_their_ids(known: TextTable) -> None:
    graph = KnowledgeGraph([Concept(id="wine", name="wine"), Concept(id="aisle:pantry", name="pantry")])

    assert linked_columns(known, graph, ["text", "units"]) == ("kind", "aisle")


def test_a_graph_that_no_cell_names_is_refused_with_examples_of_its_ids(known: TextTable) -> None:
    graph = KnowledgeGraph([Concept(id="HP:1", name="seizure")])

    with pytest.raises(InvalidInputError, match="got none; the graph's begin with 'HP:1'"):
        linked_columns(known, graph, ["text"])


def test_ids_come_from_their_column(known: TextTable) -> None:
    items = to_items(known, TableSchema(text="text", id="units"), None)

    assert [item.id for item in items] == ["1", "2", "3", "4"]
