"""Fixtures that every room's tests share."""

import pytest
from zeroshot_core.encoders import HashEncoder, TransformerEncoder, load_encoder


@pytest.fixture(scope="session")
def minilm() -> TransformerEncoder:
    """The real all-MiniLM-L6-v2, from its installed package."""
    return load_encoder()


@pytest.fixture(scope="session")
def hash_encoder() -> HashEncoder:
    """A fast encoder without meaning, for tests of everything around the vectors."""
    return HashEncoder()
