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
