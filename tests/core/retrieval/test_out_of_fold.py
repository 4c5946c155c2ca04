import numpy as np
import pytest
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.retrieval import fold_neighbours, out_of_fold


def unit_rows(n, d, seed=0):
    vectors = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_neighbours_come_from_other_folds_only_best_first():
    vectors = np.array([[1, 0], [0.8, 0.6], [0.6, 0.8], [0, 1]], dtype=np.float32)
    indices, scores = fold_neighbours(vectors, np.array([0, 0, 1, 1]), 2)
    assert indices.tolist() == [[2, 3], [2, 3], [1, 0], [1, 0]]
    np.testing.assert_allclose(scores, [[0.6, 0], [0.96, 0.6], [0.96, 0.6], [0.6, 0]], atol=1e-6)
    assert (indices.dtype, scores.dtype) == (np.int64, np.float32)


def test_blocks_give_what_a_full_sort_gives(monkeypatch):
    monkeypatch.setattr(out_of_fold, "_BLOCK_BYTES", 300 * 10 * 7)
    vectors, folds = unit_rows(300, 16), np.random.default_rng(1).integers(0, 4, 300)
    indices, scores = fold_neighbours(vectors, folds, 9)
    similarities = vectors @ vectors.T
    similarities[folds[:, None] == folds] = -np.inf
    expected = np.argsort(-similarities, axis=1, kind="stable")[:, :9]
    np.testing.assert_array_equal(indices, expected)
    np.testing.assert_allclose(scores, np.take_along_axis(similarities, expected, axis=1), rtol=1e-5)


def test_too_few_rows_in_other_folds_leave_minus_one_and_zero():
    vectors = np.array([[1, 0], [0, 1], [-1, 0]], dtype=np.float32)
    indices, scores = fold_neighbours(vectors, np.array([0, 0, 1]), 5)
    assert indices.tolist() == [[2, -1, -1, -1, -1], [2, -1, -1, -1, -1], [1, 0, -1, -1, -1]]
    np.testing.assert_allclose(scores, [[-1, 0, 0, 0, 0], [0, 0, 0, 0, 0], [0, -1, 0, 0, 0]], atol=1e-6)


def test_a_single_fold_has_no_neighbours():
    indices, scores = fold_neighbours(unit_rows(4, 8), np.zeros(4, dtype=int), 2)
    assert (indices == -1).all()
    assert (scores == 0).all()


def test_of_equal_rows_the_first_come_first():
    vectors = np.tile(np.array([[0.6, 0.8]], dtype=np.float32), (50, 1))
    indices, _ = fold_neighbours(vectors, np.arange(50) % 2, 3)
    assert indices[0].tolist() == [1, 3, 5]
    assert indices[1].tolist() == [0, 2, 4]


def test_no_rows_give_no_neighbours():
    indices, scores = fold_neighbours(np.zeros((0, 8), np.float32), np.zeros(0, int), 3)
    assert indices.shape == scores.shape == (0, 3)


@pytest.mark.parametrize("top_k", [0, -1, 1.5, True])
def test_a_top_k_that_is_no_count_is_refused(top_k):
    with pytest.raises(InvalidInputError, match=r"expected top_k as a whole number of at least 1"):
        fold_neighbours(unit_rows(4, 8), np.arange(4), top_k)


def test_shapes_that_differ_are_refused():
    with pytest.raises(InvalidInputError, match=r"got \(4, 8\) and \(3,\)"):
        fold_neighbours(unit_rows(4, 8), np.arange(3), 1)
