"""Fixtures that every room's tests share."""

from pathlib import Path

import pytest
from zeroshot_core.encoders import HashEncoder, TransformerEncoder, load_encoder

HERE = Path(__file__).parent
# Files that take longest go first, so that all workers end together.
LONGEST = ("integration", "core/cli", "core/estimators", "core/training", "core/encoders")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _rank(item.path.relative_to(HERE)))


def _rank(path: Path) -> int:
    return next((n for n, folder in enumerate(LONGEST) if path.is_relative_to(folder)), len(LONGEST))


@pytest.fixture(scope="session")
def minilm() -> TransformerEncoder:
    """The real all-MiniLM-L6-v2, from its installed package."""
    return load_encoder()


@pytest.fixture(scope="session")
def hash_encoder() -> HashEncoder:
    """A fast encoder without meaning, for tests of everything around the vectors."""
    return HashEncoder()
