from __future__ import annotations

import gc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from milvus_lite.server_manager import server_manager_instance
from shop_samples import KINDS, product, shop_graph, shop_products, shop_sales
from sklearn.base import clone
from zeroshot_core import Item, Prediction, ZeroShotRegressor
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.regression.neighbour_features import Neighbours, known_neighbours
from zeroshot_core.retrieval.out_of_fold import fold_neighbours
from zeroshot_core.types import Evidence

FEW = [product(kind, "Sicily", "small", linked=False) for kind in KINDS]
NEW = [product(kind, "Sicily", "medium") for kind in ("red wine", "orange juice", "dog treats")]


def fitted(y: object, items: list[Item] = FEW, **parameters: object) -> ZeroShotRegressor:
    return ZeroShotRegressor(HashEncoder(64), top_k=3, **parameters).fit(items, y)  # type: ignore[arg-type]


def test_new_products_sell_like_their_kind(shop: ZeroShotRegressor) -> None:
    wine, juice, treats = shop.predict(NEW)

    assert 5 <= wine <= 30
    assert 60 <= juice <= 130
    assert 2 <= treats <= 12


def test_counts_are_never_negative_and_their_intervals_are_whole_and_ordered(shop: ZeroShotRegressor) -> None:
    items = [*shop_products(), *NEW, Item(id="odd", text="zzz")]
    for coverage in (0.01, 0.5, 0.9, 0.999):
        low, high = shop.predict_interval(items, coverage).T

        assert (low >= 0).all()
        assert (low <= high).all()
        assert (low == np.floor(low)).all()
        assert (high == np.floor(high)).all()
    assert (shop.predict(items) >= 0).all()


def test_the_expectation_adds_up_to_what_is_sold_where_the_geometric_mean_falls_short() -> None:
    items = [Item(id=f"i{n}", text=f"thing {n % 40}") for n in range(400)]
    y = np.random.default_rng(0).lognormal(2.0, 1.5, 400)
    model = fitted(y[:200], items[:200])

    expected, geometric = (
        model.predict(items[200:], statistic=s).sum() for s in ("expectation", "geometric")
    )

    assert expected == pytest.approx(y[200:].sum(), rel=0.25)
    assert geometric < 0.6 * y[200:].sum()
    model.close()


def test_the_median_is_a_quantile_and_what_is_asked_together_is_what_is_asked_alone(
    shop: ZeroShotRegressor, curve: ZeroShotRegressor
) -> None:
    np.testing.assert_array_equal(shop.predict(NEW, statistic="median"), shop.predict_quantile(NEW, 0.5))
    for model, horizon in ((shop, ()), (curve, (3,))):
        several = model.predict_quantile(NEW, [0.1, 0.5, 0.8])

        assert several.shape == (3, 3, *horizon)
        for place, q in enumerate((0.1, 0.5, 0.8)):
            np.testing.assert_array_equal(several[:, place], model.predict_quantile(NEW, q))


def test_a_wider_coverage_gives_a_wider_interval(shop: ZeroShotRegressor) -> None:
    narrow, wide = (np.diff(shop.predict_interval(shop_products(), c)).mean() for c in (0.5, 0.95))

    assert narrow < wide


def test_intervals_of_few_items_do_not_end_far_beyond_what_any_sold() -> None:
    y = np.array([3, 5, 4, 900, 2, 6, 5, 700, 3, 4, 800, 2, 5, 3, 4, 6])
    model = ZeroShotRegressor(HashEncoder(16), top_k=3).fit([f"thing {n}" for n in range(16)], y)

    low, high = model.predict_interval(["thing 77", "wine"], 0.99).T

    assert (low >= 0).all()
    assert (high <= 900 * (901 / 3) ** (3 / 16)).all()
    model.close()


def test_intervals_hold_about_what_they_promise(shop: ZeroShotRegressor) -> None:
    another_year = shop_sales(seed=1)

    low, high = shop.predict_interval(shop_products(), 0.9).T

    assert 0.8 <= ((low <= another_year) & (another_year <= high)).mean() <= 1.0


def test_quantiles_rise_with_the_probability(shop: ZeroShotRegressor) -> None:
    quantiles = np.stack([shop.predict_quantile(NEW, q) for q in (0.01, 0.1, 0.5, 0.9, 0.99)])

    assert (np.diff(quantiles, axis=0) >= 0).all()
    assert (quantiles[0] < quantiles[-1]).all()


def test_an_unseen_kind_is_forecast_from_kinds_near_it(shop: ZeroShotRegressor) -> None:
    wine, juice = shop.predict([product(kind, "Veneto", "small") for kind in ("rose wine", "pear juice")])

    assert juice > 1.5 * wine


@pytest.mark.parametrize(
    ("item", "scenario"),
    [
        (product("red wine", "Veneto", "small"), "items"),
        (product("rose wine", "Veneto", "small"), "kind"),
        (product("red wine", "Veneto", "small", linked=False), "text"),
    ],
)
def test_what_is_unseen_about_an_item_picks_its_head(
    shop: ZeroShotRegressor, item: Item, scenario: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    for name, head in zip(shop.ensemble_.names, shop.ensemble_.heads, strict=True):
        level = head.level
        monkeypatch.setitem(
            vars(head), "level", lambda *x, name=name, level=level: asked.append(name) or level(*x)
        )

    shop.predict([item])

    assert asked == [scenario]


def test_texts_are_items_without_concepts(shop: ZeroShotRegressor) -> None:
    text = "small pack of red wine from Umbria"

    assert shop.predict([text]).tolist() == shop.predict([Item(id="any", text=text)]).tolist()


def test_nothing_asked_gives_nothing(shop: ZeroShotRegressor, curve: ZeroShotRegressor) -> None:
    assert shop.predict([]).shape == (0,)
    assert shop.predict_interval([]).shape == (0, 2)
    assert shop.explain([]) == []
    assert curve.predict([]).shape == (0, 3)


def test_forecasts_do_not_depend_on_what_else_is_asked(shop: ZeroShotRegressor) -> None:
    together = shop.predict(NEW)

    assert [shop.predict([item])[0] for item in NEW] == pytest.approx(together.tolist(), rel=1e-6)


def test_curves_have_a_step_for_each_week(curve: ZeroShotRegressor) -> None:
    assert curve.predict(FEW[:4]).shape == (4, 3)
    assert curve.predict_quantile(FEW[:4], 0.5).shape == (4, 3)
    assert curve.predict_interval(FEW[:4]).shape == (4, 2, 3)
    assert isinstance(curve.explain(FEW[:1])[0].value, tuple)


def test_a_curve_sums_to_the_forecast_of_the_sum(curve: ZeroShotRegressor) -> None:
    items = shop_products(linked=False)[:30]
    total = ZeroShotRegressor(HashEncoder(64), top_k=5).fit(items, shop_sales()[:30] * 6)

    weeks, sums = (model.predict(FEW, statistic="geometric") for model in (curve, total))
    np.testing.assert_allclose(weeks.sum(axis=1), sums)


def test_a_curve_has_the_shape_of_the_curves_it_learned_from(curve: ZeroShotRegressor) -> None:
    weeks = curve.predict(FEW)

    shares = weeks / weeks.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, [[1 / 6, 2 / 6, 3 / 6]] * len(FEW), rtol=0.02)


def test_signed_targets_are_forecast_on_their_own_scale() -> None:
    y = np.linspace(-3.0, 3.0, len(FEW))
    model = fitted(y)

    forecast = model.predict(FEW)

    assert forecast.min() < -1 < 1 < forecast.max()
    assert (model.predict_interval(FEW)[:, 0] < 0).any()
    model.close()


def test_the_same_data_and_seed_give_the_same_forecasts_and_another_seed_others() -> None:
    y = shop_sales()[: len(FEW)]
    first, second, other = (fitted(y, random_state=seed) for seed in (3, 3, 4))

    np.testing.assert_array_equal(first.predict(FEW), second.predict(FEW))
    np.testing.assert_array_equal(first.predict_interval(FEW), second.predict_interval(FEW))
    assert (first.predict(FEW) != other.predict(FEW)).any()


def test_numeric_metadata_is_learned_from() -> None:
    items = [Item(id=f"i{n}", text="one text for all", metadata={"weight": n % 2}) for n in range(40)]

    light, heavy = fitted([10.0 + 90 * (n % 2) for n in range(40)], items).predict(
        [Item(id=f"new{weight}", text="one text for all", metadata={"weight": weight}) for weight in (0, 1)]
    )

    assert light == pytest.approx(10, rel=0.2)
    assert heavy == pytest.approx(100, rel=0.2)


def test_an_item_is_never_among_its_own_neighbours(shop: ZeroShotRegressor) -> None:
    items = shop_products()
    vectors = shop.encoder_.encode([item.text for item in items])
    found = known_neighbours(shop.version_, shop.rows_, items, vectors, shop.top_k)

    assert (found.rows != np.arange(len(items))[:, None]).all()
    assert found.rows.shape == (len(items), 12)
    assert all(hit.id != told.id for told in shop.explain(items[:5]) for hit in told.evidence.items)


def test_evidence_for_learning_never_holds_an_items_own_target(shop: ZeroShotRegressor) -> None:
    items, levels, everyone = shop_products(), np.log1p(shop_sales()), np.arange(120)
    vectors, tables = shop.encoder_.encode([item.text for item in items]), shop.ensemble_.tables
    rows, folds = tables.rows(items, vectors, shop.space_), everyone % 10
    places, scores = fold_neighbours(vectors, folds, 5)
    found = Neighbours(rows=places, scores=scores.astype(float))

    def evidence(levels: np.ndarray) -> np.ndarray:
        return tables.out_of_fold(rows, levels, folds).transform(rows, found, levels, folds)[0]

    outlying = levels.copy()
    outlying[5] = 1e6

    before, after = evidence(levels), evidence(outlying)
    np.testing.assert_allclose(after[folds == 5], before[folds == 5], rtol=1e-9)
    assert np.nanmax(after[folds != 5]) > 1e4


def test_a_model_that_learns_anew_forgets_the_items_before() -> None:
    model = fitted(shop_sales()[: len(FEW)])
    model.fit([replace(item, id=f"new/{item.id}") for item in FEW[:8]], np.full(8, 5.0))

    assert {hit.id[:4] for hit in model.explain(["red wine"])[0].evidence.items} == {"new/"}
    assert model.predict(["red wine"])[0] == pytest.approx(5.0, abs=0.5)
    model.close()


def test_an_explanation_holds_the_forecast_and_the_paths_to_its_evidence(shop: ZeroShotRegressor) -> None:
    (told,) = shop.explain(NEW[:1], top_k=3, coverage=0.8)

    assert isinstance(told, Prediction)
    assert told.id == NEW[0].id
    assert told.value == pytest.approx(shop.predict(NEW[:1])[0])
    assert told.interval == pytest.approx(tuple(shop.predict_interval(NEW[:1], 0.8)[0]))
    (geometric,) = shop.explain(NEW[:1], evidence=False, statistic="geometric")
    assert geometric.value == pytest.approx(shop.predict(NEW[:1], statistic="geometric")[0])
    assert geometric.value != told.value
    assert told.coverage == 0.8
    assert len(told.evidence.items) == 3
    assert {hit.id.split("/")[0] for hit in told.evidence.items} == {"red wine"}
    steps = told.evidence.items[0].path
    assert (steps[0].head, steps[0].tail) == ("query", "kind:red wine")
    assert steps[-1].head == told.evidence.items[0].id
    assert told.evidence.concepts[0].id == "kind:red wine"


def test_without_evidence_nothing_is_searched_for_but_neighbours(
    shop: ZeroShotRegressor, monkeypatch: pytest.MonkeyPatch
) -> None:
    (full,) = shop.explain(NEW[:1])
    monkeypatch.setattr(ZeroShotRegressor, "retriever_", None)

    (told,) = shop.explain(NEW[:1], evidence=False)

    assert told == replace(full, evidence=Evidence())


def test_an_explanation_by_vectors_alone_has_no_paths(shop: ZeroShotRegressor) -> None:
    (told,) = shop.explain(NEW[:1], graph_weight=0.0)

    assert {hit.parts["vector"] for hit in told.evidence.items} == {hit.score for hit in told.evidence.items}


def test_a_clone_has_the_parameters_and_nothing_learned(shop: ZeroShotRegressor) -> None:
    twin = clone(shop)

    assert twin.get_params() == shop.get_params()
    assert twin.encoder is shop.encoder
    assert twin.graph is shop.graph
    assert not hasattr(twin, "ensemble_")
    assert twin.set_params(top_k=7).top_k == 7


def test_groups_are_what_is_held_out(shop: ZeroShotRegressor) -> None:
    items = shop_products()[::4]
    model = ZeroShotRegressor(HashEncoder(64), shop_graph(), top_k=5).fit(
        items, shop_sales()[::4], groups=[item.concepts[0] for item in items]
    )

    assert model.ensemble_.names == ("groups", "text")
    assert model.ensemble_.rates[0].tolist() == [1.0, 0.0]  # its kind is always unseen, its aisle never
    model.close()


def test_a_model_that_is_collected_while_another_index_opens_does_not_block(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    abandoned = [fitted(np.arange(12.0))]
    folder = Path(abandoned[0].model_index_.index.uri)
    start = server_manager_instance.start_and_get_uri

    def collect_first(*arguments: object, **options: object) -> str | None:
        abandoned.clear()
        gc.collect()
        return start(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(server_manager_instance, "start_and_get_uri", collect_first)
        later = fitted(np.arange(12.0))
    later.close()

    fitted(np.arange(12.0)).close()
    assert not folder.exists()
    assert not Path(later.model_index_.index.uri).exists()
