import numpy as np
from scipy import sparse
from zeroshot_core.retrieval.candidates import Pool, best_links


def test_links_are_active_concepts_that_near_items_lack():
    pool = Pool(
        items=[],
        concepts=sparse.csr_matrix([[1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]]),
        rows=[np.array([0, 1]), np.array([2])],
        similarities=[],
    )
    spread = sparse.csr_matrix([[1.0, 1.0, 0.4, 0.0], [0.5, 0.4, 0.0, 0.9]])
    # First query: 1/3, 1/2 and .4, as two near items carry the first concept and one the second.
    # Second query: .5, .4 and .9/2.
    first, second = (best_links(pool, spread, query, 2) for query in (0, 1))
    assert first == [1, 2]
    assert second == [0, 3]
