"""Sums of forecasts add up, and their intervals know that items of a concept err together."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shop_samples import KINDS, product, shop_products
from zeroshot_core import Item, ZeroShotRegressor
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.regression.shared_errors import normal_scores, shared_variances

SAVED_BEFORE = Path(__file__).parents[2] / "fixtures" / "saved_models" / "regressor_graph.zip"
NEW = [product(kind, place, "medium") for kind in KINDS for place in ("Sicily", "Apulia")]
GROUPS = [item.concepts[0] for item in NEW]


def test_totals_are_the_sums_of_the_expectations_by_group(shop: ZeroShotRegressor) -> None:
    expected, totals = shop.predict(NEW), shop.predict_total(NEW, GROUPS, coverage=0.8)

    assert [total.group for total in totals] == list(dict.fromkeys(GROUPS))
    for total in totals:
        mine = np.array(GROUPS) == total.group
        assert total.total == pytest.approx(expected[mine].sum())
        assert (total.n, total.coverage) == (2, 0.8)
        assert 0 < total.interval[0] < total.total < total.interval[1]
    everything = shop.predict_total(NEW)
    assert everything.group is None
    assert everything.total == pytest.approx(expected.sum())
    assert shop.predict_total(NEW) == everything
    assert shop.predict_total([]).interval == (0.0, 0.0)


def test_a_total_of_strangers_is_surer_than_those_of_its_parts(shop: ZeroShotRegressor) -> None:
    def relative_width(totals: list[Any]) -> float:
        return float(np.mean([(total.interval[1] - total.interval[0]) / total.total for total in totals]))

    assert relative_width([shop.predict_total(NEW)]) < 0.7 * relative_width(shop.predict_total(NEW, GROUPS))


def test_intervals_of_totals_hold_where_all_things_of_a_kind_err_alike() -> None:
    rng = np.random.default_rng(0)
    kinds = np.repeat(np.arange(120), 8)
    y = 50 * rng.lognormal(0, 0.8, 120)[kinds] * rng.lognormal(0, 0.2, len(kinds))
    items = [Item(id=str(n), text=f"thing of kind {kind}") for n, kind in enumerate(kinds)]
    known, new = np.flatnonzero(kinds < 60), np.flatnonzero(kinds >= 60)
    model = ZeroShotRegressor(HashEncoder(16), top_k=3).fit(
        [items[row] for row in known], y[known], groups=kinds[known].tolist()
    )

    totals = model.predict_total([items[row] for row in new], by=kinds[new].tolist())

    held = [total.interval[0] <= y[kinds == total.group].sum() <= total.interval[1] for total in totals]
    assert 0.8 <= np.mean(held) < 1
    assert model.ensemble_.shared[0, 0] > 0.5
    model.close()


def test_totals_of_curves_have_a_step_for_each_week(curve: ZeroShotRegressor) -> None:
    items = shop_products(linked=False)[:6]

    first, second = curve.predict_total(items, by=[0, 0, 0, 1, 1, 1])

    np.testing.assert_allclose(second.total, curve.predict(items[3:]).sum(axis=0))
    assert len(first.interval[0]) == len(first.interval[1]) == 3


def test_a_saved_model_gives_the_same_totals_and_one_saved_before_gives_totals_too(
    shop: ZeroShotRegressor, saved_shop: Path, tmp_path: Path
) -> None:
    shutil.unpack_archive(SAVED_BEFORE, tmp_path / "before")
    again, before = (ZeroShotRegressor.load(folder) for folder in (saved_shop, tmp_path / "before"))

    assert again.predict_total(NEW, GROUPS) == shop.predict_total(NEW, GROUPS)
    (together,) = before.predict_total(NEW[:2], GROUPS[:2])
    assert together.total == pytest.approx(before.predict(NEW[:2]).sum())
    assert 0 <= together.interval[0] < together.total < together.interval[1]
    again.close()
    before.close()


def test_what_is_missing_may_cost_more_than_what_is_left_over(shop: ZeroShotRegressor) -> None:
    many, few = shop.order_quantity(NEW, 9, 1), shop.order_quantity(NEW, 1, 9)

    assert (few <= many).all()
    assert (many == np.ceil(shop.predict_quantile(NEW, 0.9) - 1e-9)).all()
    mixed = shop.order_quantity(NEW[:2], [9.0, 1.0], np.array([1.0, 9.0]))
    assert mixed.tolist() == [many[0], few[1]]


@pytest.mark.parametrize("wrong", [0, -1, float("nan"), float("inf"), [1.0], [1, -1], [[1, 1]]])
def test_costs_are_above_0(shop: ZeroShotRegressor, wrong: Any) -> None:
    message = "expected cost_{} above 0, one for all or one for each of 2 items, got"
    with pytest.raises(InvalidInputError, match=message.format("under")):
        shop.order_quantity(NEW[:2], wrong, 1)
    with pytest.raises(InvalidInputError, match=message.format("over")):
        shop.order_quantity(NEW[:2], 1, wrong)


def test_groups_of_totals_are_one_for_each_item(shop: ZeroShotRegressor) -> None:
    with pytest.raises(InvalidInputError, match="expected 24 groups, one for each item, got 1"):
        shop.predict_total(NEW, by=["a"])


def test_variances_that_concepts_share_are_found_from_pairs_of_one_fold() -> None:
    rng = np.random.default_rng(0)
    makers, kinds = rng.integers(300, size=6000), rng.integers(300, size=6000)
    errors = 0.5 * rng.normal(size=300)[makers] + rng.normal(size=6000) * np.sqrt(0.75)

    found = shared_variances(normal_scores(errors, makers % 2), [makers, kinds], makers % 5)
    alone = shared_variances(normal_scores(errors, makers % 2), [np.arange(6000)], makers % 5)

    np.testing.assert_allclose(found, [0.25, 0.0], atol=0.05)
    assert alone.tolist() == [0.0]
    assert shared_variances(errors, [np.full(6000, -1)], makers % 5).tolist() == [0.0]


def test_signed_totals_are_sums_too() -> None:
    items = [Item(id=str(n), text=f"thing {n % 10}") for n in range(60)]
    model = ZeroShotRegressor(HashEncoder(16), top_k=3).fit(items, np.sin(np.arange(60.0)) - 0.2)

    total = model.predict_total(items[:20])

    assert total.total == pytest.approx(model.predict(items[:20]).sum())
    assert total.interval[0] < total.total < total.interval[1]
    model.close()
