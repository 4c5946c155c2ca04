from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from zeroshot_core import Item, KnowledgeGraph
from zeroshot_core.regression.concept_links import SparseRows, TypeLinker, TypeLinks
from zeroshot_core.regression.target_encoding import (
    Groupings,
    GroupSums,
    group_sums,
    near_concepts,
    near_means,
    nearest_columns,
    outside,
    shrink,
)
from zeroshot_core.types import Concept, Relation


def sparse_rows(matrix: object) -> SparseRows:
    return SparseRows.of(sparse.csr_matrix(matrix))


# Five items in two groups; the last belongs half to each.
MEMBERS = sparse_rows([[1, 0], [1, 0], [0, 1], [0, 1], [0.5, 0.5]])
TARGETS = np.array([2.0, 4.0, 10.0, 20.0, 6.0])
FOLDS = np.array([0, 1, 0, 1, 1])


def test_sums_by_group_and_fold_are_those_done_by_hand() -> None:
    sums = group_sums(MEMBERS, TARGETS, FOLDS)

    assert sums.totals.tolist() == [[2.0, 4.0 + 3.0], [10.0, 20.0 + 3.0]]
    assert sums.counts.tolist() == [[1.0, 1.5], [1.0, 1.5]]


def test_outside_a_fold_only_other_folds_count() -> None:
    left = outside(group_sums(MEMBERS, TARGETS, FOLDS))

    assert left.totals.tolist() == [[7.0, 2.0], [23.0, 10.0]]
    assert left.counts.tolist() == [[1.5, 1.0], [1.5, 1.0]]


def test_a_target_never_enters_the_sums_outside_its_own_fold() -> None:
    changed = TARGETS.copy()
    changed[0] = 1e9

    before = outside(group_sums(MEMBERS, TARGETS, FOLDS)).totals
    after = outside(group_sums(MEMBERS, changed, FOLDS)).totals

    assert after[:, 0].tolist() == before[:, 0].tolist()
    assert after[0, 1] == pytest.approx(1e9)


def test_means_are_drawn_towards_the_prior_and_an_empty_group_is_the_prior() -> None:
    means = shrink(np.array([0.0, 30.0, 3e6]), np.array([0.0, 3.0, 3e5]), prior=4.0, strength=3.0)

    assert means[:2].tolist() == [4.0, (30.0 + 12.0) / 6.0]
    assert means[2] == pytest.approx(10.0, abs=1e-3)


GRAPH = KnowledgeGraph(
    [
        Concept(id=f"{type_}:{n}", name=f"{type_} {n}", type=type_)
        for type_ in ("kind", "aisle")
        for n in range(3)
    ],
    [Relation(head=f"kind:{n}", type="aisle", tail=f"aisle:{n}") for n in range(3)],
)


def links(*items: tuple[str, ...], n_hops: int = 1) -> TypeLinks:
    return TypeLinker.of(GRAPH, n_hops).link([Item(id="i", text="t", concepts=ids) for ids in items])


def test_pairs_nested_in_a_type_say_nothing_new_and_crossed_ones_do() -> None:
    nested = [(f"kind:{n % 3}",) for n in range(9)]
    crossed = [(f"kind:{n % 3}", f"aisle:{n // 3}") for n in range(9)] * 2

    assert Groupings.choose(links(*nested)).pairs == ()
    chosen = Groupings.choose(links(*crossed))
    assert (chosen.types, chosen.pairs) == (("kind", "aisle"), (("kind", "aisle"),))


def test_an_unknown_combination_is_in_no_group() -> None:
    crossed = [(f"kind:{n % 3}", f"aisle:{n % 2}") for n in range(12)]
    groupings = Groupings.choose(links(*crossed))
    *_, pairs = groupings.members(links(("kind:0", "aisle:2"), crossed[0]))

    assert pairs.matrix.toarray().sum(axis=1).tolist() == [0.0, 1.0]
    assert pairs.matrix.toarray()[1].tolist() == [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]


def test_a_type_that_groups_nothing_is_left_out() -> None:
    assert Groupings.choose(links(("kind:0",), ("kind:1",), ("kind:2",), n_hops=0)).types == ()


# Concepts 0 and 1 are near each other, 2 is far.
CONCEPTS = np.array([[1.0, 0.0], [0.96, 0.28], [0.0, 1.0]], dtype=np.float32)
SUMS = GroupSums(totals=np.array([[4.0], [40.0], [900.0]]), counts=np.array([[4.0], [4.0], [9.0]]))


def test_a_concept_is_not_near_itself() -> None:
    near = nearest_columns(CONCEPTS, CONCEPTS, skip_self=True).toarray()

    assert near.diagonal().tolist() == [0.0] * 3
    np.testing.assert_allclose(near[0, 1:], np.exp([(0.96 - 1) / 0.1, -1 / 0.1]), rtol=1e-5)


def test_an_only_concept_has_none_nearby() -> None:
    alone = CONCEPTS[:1]

    assert nearest_columns(alone, alone, skip_self=True).toarray().tolist() == [[0.0]]


def test_an_unseen_concept_is_judged_by_its_neighbour_and_a_bare_item_by_its_text() -> None:
    none = sparse.csr_matrix((1, len(CONCEPTS)))
    near = sparse.vstack([none, nearest_columns(CONCEPTS, CONCEPTS, skip_self=True)], format="csr")
    of_concept_0, bare, of_0_and_1 = [0, 1, 0, 0], [1, 0, 0, 0], [0, 0.5, 0.5, 0]
    texts = np.array([[0.0, 1.0]] * 3, dtype=np.float32)

    weights = near_concepts(sparse_rows([of_concept_0, bare, of_0_and_1]), near, CONCEPTS, texts)
    means = near_means(weights, SUMS, np.zeros(3, dtype=np.int64), prior=0.0)

    assert means[0] == pytest.approx(10.0, rel=0.02)  # concept 1
    assert means[1] == pytest.approx(100.0, rel=0.02)  # concept 2
    assert weights.matrix.toarray()[2] == pytest.approx(near.toarray()[1:3].mean(axis=0))


def test_nearby_concepts_are_seen_from_outside_the_fold_of_each_item() -> None:
    weights = sparse_rows(np.ones((2, 3)))
    by_fold = GroupSums(totals=SUMS.totals * [1.0, 3.0], counts=SUMS.counts * [1.0, 1.0])

    first, second = near_means(weights, by_fold, np.array([0, 1]), prior=0.0)

    assert second == pytest.approx(3 * first)


def test_where_nothing_is_known_nearby_the_prior_answers() -> None:
    nothing = GroupSums(totals=np.zeros((3, 1)), counts=np.zeros((3, 1)))

    assert near_means(
        sparse_rows(np.ones((1, 3))), nothing, np.zeros(1, dtype=np.int64), prior=7.0
    ).tolist() == [7.0]
