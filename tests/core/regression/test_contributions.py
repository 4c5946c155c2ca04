"""What moved a forecast adds up to it."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from shop_samples import product, shop_graph, shop_products, shop_sales
from zeroshot_core import InvalidInputError, Item, ZeroShotRegressor
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.regression.contributions import Coalitions, column_flags

NEW = [product(kind, "Sicily", "small") for kind in ("red wine", "orange juice", "rose wine")]
NEW += [Item(id="bare", text="white wine of no kind")]


def game(members: np.ndarray) -> np.ndarray:
    """Worths of coalitions of a game in which pairs count too."""
    alone = np.arange(members.shape[1]) - 1.5
    return members @ alone + 3.0 * (members[:, 0] & members[:, -1]) - 2.0 * members.all(axis=1)


def values_by_definition(n_players: int) -> np.ndarray:
    total, orders = np.zeros(n_players), list(permutations(range(n_players)))
    for order in orders:
        members = np.zeros((n_players + 1, n_players), dtype=bool)
        for step, player in enumerate(order):
            members[step + 1 :, player] = True
        total[list(order)] += np.diff(game(members))
    return total / len(orders)


@pytest.mark.parametrize("n_players", [1, 2, 5, 6])
def test_few_sources_get_their_exact_shapley_values(n_players: int) -> None:
    coalitions = Coalitions.of(n_players)

    values = coalitions.weights @ game(coalitions.members)

    np.testing.assert_allclose(values, values_by_definition(n_players), atol=1e-12)


def test_many_sources_are_asked_in_few_coalitions_and_still_add_up() -> None:
    coalitions = Coalitions.of(12)

    values = coalitions.weights @ game(coalitions.members)

    assert len(coalitions.members) < 200
    assert values.sum() == pytest.approx(game(np.ones((1, 12), dtype=bool))[0], abs=1e-12)
    # What counts alone is exact in any order; the pair is shared about equally.
    np.testing.assert_allclose(values[1:-1], np.arange(12)[1:-1] - 1.5, atol=0.5)


def test_a_column_is_known_to_those_who_hold_all_of_its_sources() -> None:
    members = np.array([[True, False], [True, True]])

    flags = column_flags(
        members,
        [("text", ""), ("concepts", "kind")],
        [
            [("text", "")],
            [("text", ""), ("concepts", "kind")],
        ],
    )

    assert flags.tolist() == [[True, False], [True, True]]


def test_contributions_to_counts_add_up_on_the_scale_of_logs(shop: ZeroShotRegressor) -> None:
    moved = shop.contributions(NEW)

    np.testing.assert_allclose(
        np.log1p(moved.typical) + moved.amounts.sum(axis=1),
        np.log1p(shop.predict(NEW, statistic="geometric")),
        atol=1e-9,
    )
    assert set(moved.sources) == {
        ("concepts", "kind"),
        ("concepts", "aisle"),
        ("neighbours", ""),
        ("text", ""),
        ("column", "rank"),
    }


def test_contributions_to_signed_targets_add_up_in_their_unit() -> None:
    y = shop_sales() - 40.0
    model = ZeroShotRegressor(HashEncoder(32), top_k=5).fit(shop_products(linked=False), y)
    asked = [replace(item, concepts=()) for item in NEW]

    moved = model.contributions(asked)

    np.testing.assert_allclose(
        moved.typical + moved.amounts.sum(axis=1), model.predict(asked, statistic="geometric"), atol=1e-9
    )
    assert not any(each.is_relative for each in moved.by_item[0])
    model.close()


def test_contributions_to_a_curve_add_up_to_its_total(curve: ZeroShotRegressor) -> None:
    texts = ["red wine from Sicily", "a lamp"]
    moved = curve.contributions(texts)

    totals = curve.predict(texts, statistic="geometric").sum(axis=1)

    np.testing.assert_allclose(
        np.log1p(moved.typical) + moved.amounts.sum(axis=1), np.log1p(totals), atol=1e-9
    )


def test_many_items_are_asked_block_by_block(
    shop: ZeroShotRegressor, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = shop_products()[::9] + NEW
    together = shop.contributions(items).amounts

    monkeypatch.setattr("zeroshot_core.regression.contributions._BLOCK_ROWS", 70)

    np.testing.assert_allclose(shop.contributions(items).amounts, together, atol=1e-9)
    assert shop.contributions([]).amounts.shape == (0, 5)


def test_the_kind_that_sells_well_raises_the_forecast(shop: ZeroShotRegressor) -> None:
    juice, treats = shop.explain(
        [product("orange juice", "Umbria", "small"), product("dog treats", "Umbria", "small")],
        evidence=False,
        contributions=True,
        statistic="geometric",
    )

    amounts = [
        {(each.kind, each.name): each for each in prediction.contributions} for prediction in (juice, treats)
    ]

    assert amounts[0]["concepts", "kind"].amount > 0 > amounts[1]["concepts", "kind"].amount
    assert amounts[0]["concepts", "kind"].said == "orange juice"
    assert amounts[0]["concepts", "aisle"].said == "drinks"
    assert amounts[0]["column", "rank"].said == "3"
    sizes = [abs(each.amount) for each in juice.contributions]
    assert sizes == sorted(sizes, reverse=True)
    factor = math.exp(sum(each.amount for each in juice.contributions))
    assert (1 + juice.typical) * factor == pytest.approx(1 + juice.value, rel=1e-9)


def test_a_column_of_dates_is_one_source_and_says_its_month() -> None:
    rows = [
        {"name": f"skates {n}", "since": f"2024-{1 + n % 12:02}-15", "units": n % 12 * 5} for n in range(36)
    ]
    model = ZeroShotRegressor(HashEncoder(16), top_k=5)
    model.fit(rows, text="name", dates="since", target="units")

    moved = [
        model.explain([{"name": "skates", "since": day}], contributions=True, evidence=False)[0].contributions
        for day in ("2025-08-02", None)
    ]

    said = [next(each.said for each in one if each.name == "since") for one in moved]
    assert said == ["August", ""]
    assert {each.name for each in moved[0]} == {"since", ""}
    model.close()


def test_nothing_is_computed_unless_asked(shop: ZeroShotRegressor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zeroshot_core.regression.regressor.contributions_of", None)

    (prediction,) = shop.explain(NEW[:1])

    assert prediction.contributions == ()
    assert prediction.typical is None


def test_a_saved_model_tells_the_same(shop: ZeroShotRegressor, saved_shop) -> None:
    again = ZeroShotRegressor.load(saved_shop)

    np.testing.assert_allclose(again.contributions(NEW).amounts, shop.contributions(NEW).amounts, atol=1e-12)
    again.close()


def test_a_model_saved_before_there_were_contributions_says_what_to_do(shop: ZeroShotRegressor) -> None:
    old = replace(shop._fitted, ensemble=replace(shop.ensemble_, typical=None))
    model = ZeroShotRegressor(HashEncoder(256), shop_graph())
    model._fitted = old

    with pytest.raises(InvalidInputError, match="got one saved before; fit it again"):
        model.contributions(NEW)
    assert len(model.explain(NEW)) == len(NEW)
