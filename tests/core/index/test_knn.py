"""Exact neighbours in memory, compared with sorting all products."""

import numpy as np
import pytest
from zeroshot_core.index import knn
from zeroshot_core.index.knn import nearest_rows


def unit_rows(n: int, dimension: int = 16, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(n, dimension)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("top_k", [1, 7, 200, 900])
def test_they_are_those_of_sorting_all_products(top_k: int) -> None:
    queries, vectors = unit_rows(30, seed=1), unit_rows(200)
    rows, scores = nearest_rows(queries, vectors, top_k)

    products = queries.astype(np.float64) @ vectors.astype(np.float64).T
    order = np.argsort(-products, axis=1, kind="stable")[:, :top_k]
    np.testing.assert_array_equal(rows, order)
    np.testing.assert_allclose(scores, np.take_along_axis(products, order, axis=1), atol=1e-12)


def test_blocks_side_by_side_give_what_one_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    queries, vectors = unit_rows(50, seed=1), unit_rows(80)
    whole = nearest_rows(queries, vectors, 5)
    monkeypatch.setattr(knn, "_BLOCK_BYTES", 1)
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    parts = nearest_rows(queries, vectors, 5)

    np.testing.assert_array_equal(whole[0], parts[0])
    np.testing.assert_array_equal(whole[1], parts[1])


def test_a_query_finds_the_same_alone_and_among_others() -> None:
    queries, vectors = unit_rows(40, 384, seed=1), unit_rows(500, 384)
    together = nearest_rows(queries, vectors, 9)
    for row in range(40):
        alone = nearest_rows(queries[[row]], vectors, 9)
        np.testing.assert_array_equal(alone[0][0], together[0][row])
        np.testing.assert_array_equal(alone[1][0], together[1][row])


def test_of_equal_rows_the_first_come_first() -> None:
    vectors = np.tile(unit_rows(3), (4, 1))
    rows, scores = nearest_rows(vectors[:3], vectors, 3)

    assert rows.tolist() == [[0, 3, 6], [1, 4, 7], [2, 5, 8]]
    np.testing.assert_allclose(scores, 1.0, atol=1e-6)


def test_rows_of_the_own_group_are_not_found() -> None:
    vectors = unit_rows(60)
    groups = np.arange(60) % 3
    rows, scores = nearest_rows(vectors, vectors, 50, groups=(groups, groups))

    assert rows.shape == scores.shape == (60, 50)
    found = rows[:, :40]
    assert (groups[found] != groups[:, None]).all()
    assert (np.diff(scores[:, :40], axis=1) <= 0).all()
    assert (rows[:, 40:] == -1).all()
    assert (scores[:, 40:] == 0).all()


def test_nothing_is_found_where_there_is_nothing() -> None:
    none = np.zeros((0, 8), dtype=np.float32)
    some = unit_rows(2, 8)

    assert [part.shape for part in nearest_rows(none, some, 5)] == [(0, 2), (0, 2)]
    assert [part.shape for part in nearest_rows(some, none, 5)] == [(2, 0), (2, 0)]
