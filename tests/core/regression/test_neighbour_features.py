from __future__ import annotations

import numpy as np
import pytest
from zeroshot_core.regression.neighbour_features import Neighbours, neighbour_features, neighbour_profile

TARGETS = np.array([1.0, 3.0, 5.0])
TWO_OF_THREE = Neighbours(rows=np.array([[2, 0, -1]]), scores=np.array([[0.8, 0.8, 0.0]]))
NONE = Neighbours(rows=np.full((1, 3), -1), scores=np.zeros((1, 3)))

COLUMNS = (
    "mean of 5 neighbours",
    "mean of 15 neighbours",
    "mean of 40 neighbours",
    "even mean of 40 neighbours",
    "nearest target",
    "spread of neighbours",
    "quantile 0.25 of neighbours",
    "quantile 0.75 of neighbours",
    "quantile 0.9 of neighbours",
    "first similarity",
    "fifth similarity",
    "last similarity",
    "mean similarity",
)


def named(found: Neighbours) -> dict[str, float]:
    (row,) = neighbour_features(found, TARGETS)
    return dict(zip(COLUMNS, row, strict=True))


def test_equally_near_neighbours_count_equally_and_missing_ones_not_at_all() -> None:
    features = named(TWO_OF_THREE)

    assert features["mean of 5 neighbours"] == pytest.approx(3.0)
    assert features["nearest target"] == 5.0
    assert features["spread of neighbours"] == 2.0
    assert features["quantile 0.25 of neighbours"] == 2.0


def test_a_nearer_neighbour_counts_more() -> None:
    nearer = Neighbours(rows=np.array([[2, 0, -1]]), scores=np.array([[0.9, 0.8, 0.0]]))

    assert 4.0 < named(nearer)["mean of 5 neighbours"] < 5.0


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
