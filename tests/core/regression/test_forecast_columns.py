"""Forecasts as tables: one row an item, of the library of the question, with reasons; and what-if grids."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from shop_samples import product, shop_products
from zeroshot_core import InvalidInputError, Item, ZeroShotRegressor
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.explain.wording import neighbours_in_words

NEW = [
    product("red wine", "Tuscany", "small"),
    Item(id="new", text="cat food from Malta", concepts=("kind:cat food",)),
]


def test_a_row_says_what_single_calls_say(shop: ZeroShotRegressor) -> None:
    table = shop.predict_frame(NEW, coverage=0.8, quantiles=[0.25])

    assert isinstance(table, pd.DataFrame)
    assert list(table) == ["id", "expected", "median", "low", "high", "q25", "nearest", "reason"]
    assert table["id"].tolist() == [item.id for item in NEW]
    np.testing.assert_allclose(table["expected"], shop.predict(NEW))
    np.testing.assert_allclose(table["median"], shop.predict(NEW, statistic="median"))
    np.testing.assert_allclose(table[["low", "high"]], shop.predict_interval(NEW, 0.8))
    np.testing.assert_allclose(table["q25"], shop.predict_quantile(NEW, 0.25))


def test_a_row_names_the_nearest_known_items_and_what_they_share(shop: ZeroShotRegressor) -> None:
    known, new = shop.predict_frame(NEW)[["nearest", "reason"]].to_numpy().tolist()

    assert known[0].count("from Tuscany (0.8") == 2  # and so is not itself, with 1.00
    assert new[1].startswith("The 5 nearest known items had ")
    assert new[1].endswith(" have the same kind 'cat food'.")


def test_a_curve_has_columns_of_each_step(curve: ZeroShotRegressor) -> None:
    table = curve.predict_frame(["red wine"], quantiles=())

    assert list(table)[1:7] == [f"{name}_{step}" for name in ("expected", "median") for step in (1, 2, 3)]
    np.testing.assert_allclose(table.iloc[0, 1:4].tolist(), curve.predict(["red wine"])[0])


def test_a_grid_has_a_row_for_each_item_and_value(
    shop: ZeroShotRegressor, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[list[Any]] = []
    encode = HashEncoder.encode

    def counted(self: HashEncoder, contents: list[Any], **keywords: Any) -> Any:
        encoded.append(list(contents))
        return encode(self, contents, **keywords)

    monkeypatch.setattr(HashEncoder, "encode", counted)
    table = shop.whatif([*NEW, NEW[0]], "rank", [0, 4])

    assert [len(texts) for texts in encoded] == [2]
    assert list(table) == ["id", "rank", "expected", "median", "low", "high"]
    assert table["rank"].tolist() == [0, 4] * 3
    asked = [Item(**{**vars(item), "metadata": {**item.metadata, "rank": 4.0}}) for item in NEW]
    np.testing.assert_allclose(table["expected"][1:5:2], shop.predict(asked))


@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame])
def test_tables_are_answered_by_tables_of_their_kind(library: Any) -> None:
    frame = pd.DataFrame(
        {
            "name": [item.text for item in shop_products()][:40],
            "kind": [item.concepts[0][5:] for item in shop_products()][:40],
            "price": np.arange(40) % 5.0,
            "units": 5 + np.arange(40) % 5.0,
            "more": 1,
        }
    )
    model = ZeroShotRegressor(HashEncoder(32), top_k=5)
    model.fit(frame, text="name", concepts="kind", numeric="price", target=["units", "more"])
    new = library(frame.drop(columns=["units", "more"])[:2])
    table, grid = model.predict_frame(new), model.whatif(new, "kind", ["white wine", "apple juice"])

    assert type(table) is type(grid) is type(new)
    assert list(table.columns)[:3] == ["id", "expected_units", "expected_more"]
    assert list(grid.columns)[:3] == ["id", "kind", "expected_units"]
    assert list(grid["id"]) == ["query-0", "query-0", "query-1", "query-1"]
    for column, values, message in (
        ("prise", [1], "whatif does not know 'prise'; did you mean 'price'"),
        ("more", [1], "whatif does not know 'more'"),
        ("price", [], "expected values to try, got none"),
        ("price", ["1"], "expected numbers in column 'price', got the text '1'"),
    ):
        with pytest.raises(InvalidInputError, match=message):
            model.whatif(new, column, values)
    model.close()


def test_wrong_quantiles_are_refused(shop: ZeroShotRegressor) -> None:
    with pytest.raises(InvalidInputError, match="expected quantiles as a number above 0 and below 1, got 1"):
        shop.predict_frame(NEW, quantiles=[0.5, 1])
    with pytest.raises(InvalidInputError, match=r"expected distinct quantiles, got \[0.5, 0.5\]"):
        shop.predict_frame(NEW, quantiles=[0.5, 0.5])
    with pytest.raises(InvalidInputError, match="whatif does not know 'size'; "):
        shop.whatif(NEW, "size", [1])  # a text, which the model does not read


def test_neighbours_are_told_in_words() -> None:
    assert neighbours_in_words([], ("", 0)) == "Nothing known is near."
    assert neighbours_in_words([3.0], ("kind 'a'", 1)) == (
        "The nearest known item had 3; it has the same kind 'a'."
    )
    assert neighbours_in_words([1234.5, 2, 2], ("kind 'a'", 3)) == (
        "The 3 nearest known items had 2 to 1,234; all have the same kind 'a'."
    )
    assert neighbours_in_words([2, 2], ("kind 'a'", 1)) == (
        "The 2 nearest known items had 2; 1 of them has the same kind 'a'."
    )
