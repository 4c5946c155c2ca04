from __future__ import annotations

import numpy as np
from zeroshot_core import Item, KnowledgeGraph
from zeroshot_core.regression.concept_links import SparseRows, TypeLinker
from zeroshot_core.types import Concept, Relation

GRAPH = KnowledgeGraph(
    [
        Concept(id=f"{type_}:{n}", name=f"{type_} {n}", type=type_)
        for type_ in ("kind", "aisle")
        for n in range(3)
    ],
    [Relation(head=f"kind:{n}", type="aisle", tail=f"aisle:{n}") for n in range(3)],
)


def item(*concepts: str) -> Item:
    return Item(id="i", text="t", concepts=concepts)


def columns(type_: str, *items: Item, n_hops: int = 1) -> list[list[float]]:
    return TypeLinker.of(GRAPH, n_hops).link(items).by_type[type_].matrix.toarray().tolist()


def test_a_missing_type_is_reached_from_head_to_tail() -> None:
    assert columns("aisle", item("kind:1")) == [[0, 0, 1, 0]]
    assert columns("aisle", item("kind:1"), n_hops=0) == [[1, 0, 0, 0]]
    assert columns("kind", item("aisle:1")) == [[1, 0, 0, 0]]


def test_an_own_link_outdoes_a_reached_one() -> None:
    assert columns("aisle", item("kind:1", "aisle:2")) == [[0, 0, 0, 1]]


def test_several_concepts_of_a_type_share_the_weight() -> None:
    assert columns("kind", item("kind:0", "kind:2"), item()) == [[0, 0.5, 0, 0.5], [1, 0, 0, 0]]


def test_rows_are_multiplied_with_a_column_of_their_own_as_a_matrix_is() -> None:
    rows = SparseRows(
        ends=np.array([0, 2, 2, 3]),
        columns=np.array([1, 3, 0]),
        values=np.array([0.5, 0.25, 2.0]),
        n_columns=4,
    )
    table, places = np.arange(8.0).reshape(4, 2), np.array([1, 0, 1])

    product = rows.times(table, places)

    np.testing.assert_allclose(product, (rows.matrix @ table)[np.arange(3), places])
    assert product[1] == 0.0
    taken = rows.take(np.array([2, 0]))
    assert taken.matrix.toarray().tolist() == rows.matrix.toarray()[[2, 0]].tolist()
