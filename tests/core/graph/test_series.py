"""The one series that activation, PageRank and smoothing are summed up by."""

import numpy as np
from scipy import sparse
from zeroshot_core.graph.series import neumann_series


def test_the_series_tends_to_the_closed_form() -> None:
    matrix = np.array([[0.1, 0.4], [0.3, 0.2]])
    start = np.array([[1.0], [2.0]])

    summed = neumann_series(start, lambda term: matrix @ term, 60)

    np.testing.assert_allclose(summed, np.linalg.inv(np.eye(2) - matrix) @ start)


def test_without_steps_it_is_the_start() -> None:
    start = np.ones((2, 3))

    assert neumann_series(start, lambda term: 2 * term, 0) is start


def test_along_a_graph_without_cycles_it_ends_by_itself() -> None:
    chain = sparse.csr_matrix(np.diag([1.0, 1.0, 1.0], k=1))
    start = sparse.identity(4, format="csr")

    closure = neumann_series(start, lambda term: term @ chain)

    np.testing.assert_array_equal(closure.toarray(), np.triu(np.ones((4, 4))))


def test_the_entries_of_a_closure_keep_the_order_by_which_ties_are_settled() -> None:
    rng = np.random.default_rng(0)
    rows = np.repeat(np.arange(1, 60), 3)
    step = sparse.csr_matrix((np.ones(len(rows)), (rows, rng.integers(0, rows))), shape=(60, 60))
    start = sparse.identity(60, format="csr")
    term = summed = start
    while term.nnz:
        term = term @ step
        summed = summed + term

    closure = neumann_series(start, lambda reached: reached @ step)

    assert not summed.has_sorted_indices
    np.testing.assert_array_equal(closure.indices, summed.indices)
    np.testing.assert_array_equal(closure.data, summed.data)
