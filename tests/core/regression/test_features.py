"""Items become numbers by one path, whose columns are named."""

from __future__ import annotations

import numpy as np
import pytest
from zeroshot_core.regression.features import FeatureTables
from zeroshot_core.regression.neighbour_features import Neighbours
from zeroshot_core.types import Item

RNG = np.random.default_rng(0)
SIZES = RNG.uniform(1, 9, (40, 2))
ITEMS = [
    Item(id=str(row), text=f"box {row % 4}", metadata={"depth": depth, "width": width})
    for row, (depth, width) in enumerate(SIZES.tolist())
]
VECTORS = RNG.standard_normal((40, 5)).astype(np.float32)


def columns(items: list[Item]) -> tuple[np.ndarray, FeatureTables]:
    tables, _ = FeatureTables.learn(ITEMS, VECTORS, SIZES.sum(axis=1), None)
    found = Neighbours(rows=np.zeros((len(items), 3), dtype=np.int64), scores=np.ones((len(items), 3)))
    rows = tables.rows(items, VECTORS[: len(items)], None)
    return tables.transform(rows, found, SIZES.sum(axis=1))[0], tables


def test_the_product_of_sizes_stands_beside_them_and_every_column_has_its_sources() -> None:
    features, tables = columns(ITEMS)

    assert features[:, -1] == pytest.approx(np.log(SIZES).sum(axis=1))
    assert len(tables.sources(None)) == features.shape[1]
    assert tables.sources(None)[-1] == (("column", "depth"), ("column", "width"))


def test_a_missing_size_stays_missing_and_leaves_no_product() -> None:
    features, tables = columns([Item(id="new", text="box 7", metadata={"depth": 2.0})])
    depth, width = (tables.sources(None).index((("column", name),)) for name in ("depth", "width"))

    assert (features[0, depth], features[0, -1]) == (2.0, 0.0)
    assert np.isnan(features[0, width])
