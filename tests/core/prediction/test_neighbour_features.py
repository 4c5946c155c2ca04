from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from zeroshot_core.regression.concept_neighbours import (
    near_concept_weights,
    near_means,
    near_means_of,
    nearest_columns,
)
from zeroshot_core.regression.links import Shares
from zeroshot_core.regression.neighbours import (
    Neighbours,
    neighbour_features,
    neighbour_names,
    neighbour_profile,
)
from zeroshot_core.regression.target_encoding import GroupSums

TARGETS = np.array([1.0, 3.0, 5.0])
TWO_OF_THREE = Neighbours(rows=np.array([[2, 0, -1]]), scores=np.array([[0.8, 0.8, 0.0]]))
NONE = Neighbours(rows=np.full((1, 3), -1), scores=np.zeros((1, 3)))


def named(found: Neighbours) -> dict[str, float]:
    (row,) = neighbour_features(found, TARGETS)
    return dict(zip(neighbour_names(), row, strict=True))


def test_equally_near_neighbours_count_equally_and_missing_ones_not_at_all() -> None:
    features = named(TWO_OF_THREE)

    assert features["mean of 5 neighbours at 0.05"] == pytest.approx(3.0)
    assert features["nearest target"] == 5.0
    assert features["spread of neighbours"] == 2.0
    assert features["quantile 0.25 of neighbours"] == 2.0


def test_a_nearer_neighbour_counts_more() -> None:
    nearer = Neighbours(rows=np.array([[2, 0, -1]]), scores=np.array([[0.9, 0.8, 0.0]]))

    assert 4.0 < named(nearer)["mean of 5 neighbours at 0.05"] < 5.0


def test_without_neighbours_their_targets_are_unknown() -> None:
    features = named(NONE)

    assert [name for name, value in features.items() if not np.isnan(value)] == [
        "first similarity",
        "fifth similarity",
        "last similarity",
        "mean similarity",
    ]


def test_a_profile_follows_the_neighbours_and_else_everybody() -> None:
    curves = np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]])
    alone = Neighbours(rows=np.array([[2]]), scores=np.array([[0.9]]))

    np.testing.assert_allclose(neighbour_profile(NONE, curves), [[1 / 3, 1 / 3]])
    np.testing.assert_allclose(neighbour_profile(alone, curves), [[0.2 / 3, 0.8 + 0.2 / 3]])


# Concepts 0 and 1 are near each other, 2 is far.
CONCEPTS = np.array([[1.0, 0.0], [0.96, 0.28], [0.0, 1.0]], dtype=np.float32)
SUMS = GroupSums(totals=np.array([4.0, 40.0, 900.0]), counts=np.array([4.0, 4.0, 9.0]))


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
    of_concept_0, bare = [0, 1, 0, 0], [1, 0, 0, 0]
    matrix = sparse.csr_matrix([of_concept_0, bare])
    links = Shares(ends=matrix.indptr, columns=matrix.indices, values=matrix.data, n_columns=4)
    texts = np.array([[0.0, 1.0], [0.0, 1.0]], dtype=np.float32)

    means = near_means(near_concept_weights(links, near, CONCEPTS, texts), SUMS, prior=0.0)

    assert means[0] == pytest.approx(10.0, rel=0.02)  # concept 1
    assert means[1] == pytest.approx(100.0, rel=0.02)  # concept 2
    np.testing.assert_allclose(near_means_of(links, near, CONCEPTS, texts, SUMS, 0.0), means, rtol=1e-12)


def test_where_nothing_is_known_nearby_the_prior_answers() -> None:
    nothing = GroupSums(totals=np.zeros(3), counts=np.zeros(3))

    assert near_means(sparse.csr_matrix(np.ones((1, 3))), nothing, prior=7.0).tolist() == [7.0]
