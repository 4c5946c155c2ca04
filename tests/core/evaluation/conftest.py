import pytest
from zeroshot_core.datasets import load_product_lines


@pytest.fixture(scope="session")
def product_lines():
    return load_product_lines()
