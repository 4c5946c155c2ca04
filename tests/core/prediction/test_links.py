from __future__ import annotations

import numpy as np
import pytest
from zeroshot_core import Item, KnowledgeGraph, UnknownConceptError
from zeroshot_core.regression.links import Groupings, link_types
from zeroshot_core.regression.target_encoding import GroupSums
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
    return link_types(items, GRAPH, n_hops=n_hops).by_type[type_].matrix.toarray().tolist()


def test_a_missing_type_is_reached_from_head_to_tail() -> None:
    assert columns("aisle", item("kind:1")) == [[0, 0, 1, 0]]
    assert columns("aisle", item("kind:1"), n_hops=0) == [[1, 0, 0, 0]]
    assert columns("kind", item("aisle:1")) == [[1, 0, 0, 0]]


def test_an_own_link_outdoes_a_reached_one() -> None:
    assert columns("aisle", item("kind:1", "aisle:2")) == [[0, 0, 0, 1]]


def test_several_concepts_of_a_type_share_the_weight() -> None:
    assert columns("kind", item("kind:0", "kind:2"), item()) == [[0, 0.5, 0, 0.5], [1, 0, 0, 0]]


def test_an_unknown_concept_is_refused() -> None:
    with pytest.raises(UnknownConceptError, match="kind:9"):
        link_types([item("kind:9")], GRAPH, n_hops=1)


def test_pairs_nested_in_a_type_say_nothing_new_and_crossed_ones_do() -> None:
    nested = [item(f"kind:{n % 3}") for n in range(9)]
    crossed = [item(f"kind:{n % 3}", f"aisle:{n // 3}") for n in range(9)] * 2

    assert Groupings.choose(link_types(nested, GRAPH, n_hops=1)).pairs == ()
    assert Groupings.choose(link_types(crossed, GRAPH, n_hops=1)).names == ("kind", "aisle", "kind & aisle")


def test_an_unknown_combination_is_in_no_group() -> None:
    crossed = [item(f"kind:{n % 3}", f"aisle:{n % 2}") for n in range(12)]
    groupings = Groupings.choose(link_types(crossed, GRAPH, n_hops=1))
    *_, pairs = groupings.matrices(link_types([item("kind:0", "aisle:2"), crossed[0]], GRAPH, n_hops=1))

    assert np.asarray(pairs.sum(axis=1)).ravel().tolist() == [0.0, 1.0]


def test_sums_of_the_groups_are_those_that_the_matrices_add_up() -> None:
    crossed = [item(f"kind:{n % 3}", f"aisle:{n % 2}") for n in range(12)]
    groupings = Groupings.choose(link_types(crossed, GRAPH, n_hops=1))
    asked = link_types([item("kind:0", "aisle:2"), item("kind:0", "kind:1"), crossed[5]], GRAPH, n_hops=1)
    matrices = groupings.matrices(asked)
    sums = [
        GroupSums(totals=10.0 + np.arange(m.shape[1]), counts=1.0 + np.arange(m.shape[1])) for m in matrices
    ]

    for (totals, counts), matrix, each in zip(groupings.sums(asked, sums), matrices, sums, strict=True):
        np.testing.assert_allclose(totals, matrix @ each.totals)
        np.testing.assert_allclose(counts, matrix @ each.counts)


def test_a_type_that_groups_nothing_is_left_out() -> None:
    alone = [item("kind:0"), item("kind:1"), item("kind:2")]

    assert Groupings.choose(link_types(alone, GRAPH, n_hops=0)).types == ()
