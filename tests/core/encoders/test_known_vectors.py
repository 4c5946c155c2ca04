from __future__ import annotations

import numpy as np
import pytest
from zeroshot_core import InvalidInputError
from zeroshot_core.encoders import HashEncoder, KnownVectors, joint_vector


def test_known_documents_take_their_vector_from_the_table_and_others_from_the_encoder() -> None:
    inner = HashEncoder(8)
    encoder = KnownVectors(inner, {"a": [0, 0, 2, 0, 0, 0, 0, 0]})
    vectors = encoder.encode(["b", "a", "b"])
    assert vectors[1].tolist() == [0, 0, 1, 0, 0, 0, 0, 0]
    np.testing.assert_array_equal(vectors[[0, 2]], inner.encode(["b", "b"]))
    np.testing.assert_array_equal(encoder.encode(["a"], role="query"), inner.encode(["a"], role="query"))
    assert encoder.fingerprint == inner.fingerprint


def test_an_empty_table_is_the_encoder_itself() -> None:
    np.testing.assert_array_equal(
        KnownVectors(HashEncoder(8), {}).encode(["a"]), HashEncoder(8).encode(["a"])
    )


def test_vectors_of_another_encoder_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="expected vectors of 8 dimensions, got 3"):
        KnownVectors(HashEncoder(8), {"a": [1.0, 0.0, 0.0]})


def test_a_query_of_several_texts_has_their_mean_and_a_known_one_its_own() -> None:
    encoder = HashEncoder(8)
    rows = encoder.encode(["a", "b"], role="query")
    mean = rows.mean(axis=0)
    np.testing.assert_allclose(
        joint_vector(encoder, ["a", "b"]), [mean / np.linalg.norm(mean)], rtol=1e-5, atol=1e-7
    )
    np.testing.assert_allclose(joint_vector(encoder, vector=[3.0] + [0.0] * 7), [[1.0] + [0.0] * 7])
    assert joint_vector(encoder) is None
    with pytest.raises(InvalidInputError, match="query vector of 8 dimensions, got 2"):
        joint_vector(encoder, vector=[1.0, 0.0])
