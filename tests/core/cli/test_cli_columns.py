import pytest
from zeroshot_core import Concept, KnowledgeGraph
from zeroshot_core.cli.columns import TableColumns, graph_of_columns, linked_columns, new_values, to_items
from zeroshot_core.cli.tables import TextTable
from zeroshot_core.errors import InvalidInputError

COLUMNS = TableColumns(text="text", targets=("units",), concepts=("kind", "aisle"))


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


def test_each_value_of_a_column_is_part_of_the_one_wider_value_that_it_stands_with(known: TextTable) -> None:
    graph = graph_of_columns(known, ["kind", "aisle"])

    assert {(r.head, r.type, r.tail, r.weight) for r in graph.relations} == {
        ("kind:wine", "aisle", "aisle:drinks", 1.0),
        ("kind:beer", "aisle", "aisle:drinks", 1.0),
        ("kind:pasta", "aisle", "aisle:pantry", 1.0),
    }


def test_columns_that_cross_are_not_linked() -> None:
    table = table_of("text,kind,brand", "a,wine,x", "b,wine,y", "c,beer,x", "d,pasta,y")

    assert not graph_of_columns(table, ["kind", "brand"]).relations


def test_a_column_of_concepts_named_twice_is_refused(known: TextTable) -> None:
    with pytest.raises(InvalidInputError, match="expected distinct columns of concepts, got kind, kind"):
        graph_of_columns(known, ["kind", "kind"])


def test_items_are_linked_to_what_the_graph_holds_and_to_nothing_else(known: TextTable) -> None:
    graph = graph_of_columns(known, ["kind", "aisle"])
    new = table_of("text,kind,aisle", "rosé,wine,drinks", "cat toy,toy,", "cat bed,bed,pets")

    items = to_items(new, COLUMNS, graph, prefix="row")

    assert [item.concepts for item in items] == [("kind:wine", "aisle:drinks"), (), ()]
    assert [item.id for item in items] == ["row-1", "row-2", "row-3"]
    assert new_values(new, COLUMNS.concepts, graph) == {"kind": 2, "aisle": 1}


def test_values_that_the_graph_holds_are_not_new(known: TextTable) -> None:
    graph = graph_of_columns(known, ["kind", "aisle"])

    assert new_values(known, COLUMNS.concepts, graph) == {}


def test_cells_name_concepts_of_an_edge_list_by_their_ids(known: TextTable) -> None:
    graph = KnowledgeGraph([Concept(id="wine", name="wine"), Concept(id="aisle:pantry", name="pantry")])
    linked = linked_columns(known, graph, ["text", "units"])

    items = to_items(known, TableColumns(text="text", concepts=linked), graph, prefix="row")

    assert linked == ("kind", "aisle")
    assert [item.concepts for item in items] == [("wine",), ("wine",), (), ("aisle:pantry",)]


def test_a_graph_that_no_cell_names_is_refused_with_examples_of_its_ids(known: TextTable) -> None:
    graph = KnowledgeGraph([Concept(id="HP:1", name="seizure")])

    with pytest.raises(InvalidInputError, match="got none; the graph's begin with 'HP:1'"):
        linked_columns(known, graph, ["text"])


def test_ids_come_from_their_column(known: TextTable) -> None:
    items = to_items(known, TableColumns(text="text", id="units"), None, prefix="row")

    assert [item.id for item in items] == ["1", "2", "3", "4"]


def test_what_an_item_is_of_can_be_filtered_by(known: TextTable) -> None:
    items = to_items(known, COLUMNS, None, prefix="row")

    assert items[0].metadata == {"kind": "wine", "aisle": "drinks"}
