import numpy as np
import pytest
from scipy import sparse
from zeroshot_core.retrieval.scoring import fuse, overlap_scores, seed_weights


def test_seed_weights_are_a_softmax_at_a_twentieth():
    weights = seed_weights({"a": 0.6, "b": 0.5})
    assert weights["a"] / weights["b"] == pytest.approx(np.exp(2))
    assert sum(weights.values()) == pytest.approx(1)
    assert list(weights) == ["a", "b"]
    assert seed_weights({}) == {}


def test_overlap_is_the_cosine_between_activation_and_concepts():
    activation = np.array([0.6, 0.8, 0.0])
    half = np.sqrt(0.5)
    concepts = sparse.csr_matrix([[1, 0, 0], [half, half, 0], [0, 0, 1], [0, 0, 0]])
    np.testing.assert_allclose(overlap_scores(activation, concepts), [0.6, 1.4 / np.sqrt(2), 0, 0])


def test_overlap_is_one_for_the_same_concepts_and_zero_without_activation():
    concepts = sparse.csr_matrix([[1, 1, 1]]) / np.sqrt(3)
    assert overlap_scores(np.array([2.0, 2.0, 2.0]), concepts)[0] == pytest.approx(1)
    assert overlap_scores(np.zeros(3), concepts)[0] == 0


def test_fusion_weighs_both_parts():
    np.testing.assert_allclose(fuse(np.array([1.0, 0.5]), np.array([0.0, 1.0]), 0.3), [0.7, 0.65])
