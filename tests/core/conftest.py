from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from shop_samples import shop_graph, shop_products, shop_sales
from zeroshot_core import ZeroShotRegressor
from zeroshot_core.encoders import HashEncoder


@pytest.fixture(scope="session")
def shop() -> Iterator[ZeroShotRegressor]:
    """A regressor that knows the shop, with a parameter or two of its own."""
    model = ZeroShotRegressor(HashEncoder(256), shop_graph(), top_k=12, n_hops=1, graph_weight=0.6)
    yield model.fit(shop_products(), shop_sales())
    model.close()


@pytest.fixture(scope="session")
def saved_shop(shop: ZeroShotRegressor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prediction") / "shop"
    shop.save(folder, extra={"unit": "packs"})
    return folder


@pytest.fixture(scope="session")
def curve() -> Iterator[ZeroShotRegressor]:
    """A regressor of three weeks' sales, from texts alone."""
    weeks = shop_sales()[:30, None] * [1.0, 2.0, 3.0]
    model = ZeroShotRegressor(HashEncoder(64), top_k=5)
    yield model.fit(shop_products(linked=False)[:30], weeks)
    model.close()
