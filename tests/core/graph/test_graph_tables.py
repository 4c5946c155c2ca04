import numpy as np
import pytest
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph import KnowledgeGraph, table_concepts
from zeroshot_core.types import Concept, Relation

ROWS = [
    {"brand": "Acme", "kind": "bread", "shelf": 3},
    {"brand": "Acme", "kind": "bread", "shelf": None},
    {"brand": "", "kind": "cake", "shelf": 3},
    {"brand": "Acme", "kind": "cake", "shelf": float("nan")},
]


def test_distinct_values_become_typed_concepts():
    graph = KnowledgeGraph.from_table(ROWS, ["brand", "kind", "shelf"])
    assert list(graph.concepts.values()) == [
        Concept(id="brand:Acme", name="Acme", type="brand"),
        Concept(id="kind:bread", name="bread", type="kind"),
        Concept(id="kind:cake", name="cake", type="kind"),
        Concept(id="shelf:3", name="3", type="shelf"),
    ]
    assert graph.relations == ()


def test_edge_weights_are_shares_of_the_childs_rows():
    graph = KnowledgeGraph.from_table(
        ROWS, ["brand", "kind", "shelf"], [("brand", "kind"), ("kind", "on", "shelf")]
    )
    assert set(graph.relations) == {
        Relation(head="brand:Acme", type="kind", tail="kind:bread", weight=2 / 3),
        Relation(head="brand:Acme", type="kind", tail="kind:cake", weight=1 / 3),
        Relation(head="kind:bread", type="on", tail="shelf:3", weight=1 / 2),
        Relation(head="kind:cake", type="on", tail="shelf:3", weight=1 / 2),
    }


def test_table_concepts_give_the_ids_of_the_graph_and_skip_missing_values():
    assert table_concepts(ROWS, ["shelf", "brand"]) == [
        ("shelf:3", "brand:Acme"),
        ("brand:Acme",),
        ("shelf:3",),
        ("brand:Acme",),
    ]


def test_numpy_and_pandas_values_are_understood():
    pandas = pytest.importorskip("pandas")
    rows = [{"n": np.int64(7)}, {"n": np.float32("nan")}, {"n": pandas.NA}, {"n": True}]
    assert table_concepts(rows, ["n"]) == [("n:7",), (), (), ("n:True",)]


def test_a_column_that_no_row_has_is_refused():
    with pytest.raises(
        InvalidInputError, match=r"columns of the table, \['brand', 'kind', 'shelf'\], got \['maker'\]"
    ):
        KnowledgeGraph.from_table(ROWS, ["brand", "maker"])


@pytest.mark.parametrize("edge", [("brand", "maker"), ("brand",), "ab", ("brand", "x", "y", "kind")])
def test_an_edge_that_does_not_join_two_columns_is_refused(edge):
    with pytest.raises(InvalidInputError, match="expected edges as"):
        KnowledgeGraph.from_table(ROWS, ["brand", "kind"], [edge])


def test_a_list_in_a_cell_is_refused():
    with pytest.raises(InvalidInputError, match=r"column 'kind': expected strings or numbers, got \['a'\]"):
        table_concepts([{"kind": ["a"]}], ["kind"])


def test_an_empty_table_gives_an_empty_graph_only_without_columns():
    assert len(KnowledgeGraph.from_table([], [])) == 0


@pytest.mark.parametrize(
    ("rows", "columns", "edges", "sentence"),
    [
        (3, ["kind"], [], "expected rows as a list of mappings from column to value, got 3"),
        ("kind", ["kind"], [], "expected rows as a list of mappings from column to value, got one"),
        ([["bread"]], ["kind"], [], r"row 0: expected a mapping from column to value, got \['bread'\]"),
        (ROWS, "kind", [], "expected columns as a list of column names, got one"),
        (ROWS, [["kind"]], [], r"expected columns as a list of names, got \['kind'\] in it"),
        (ROWS, ["kind"], 2.5, "expected edges as a list of pairs of columns, got 2.5"),
        (ROWS, ["kind"], [(["kind"], "kind")], "expected edges as"),
    ],
)
def test_what_is_no_table_is_refused(rows, columns, edges, sentence):
    with pytest.raises(InvalidInputError, match=sentence):
        KnowledgeGraph.from_table(rows, columns, edges)
