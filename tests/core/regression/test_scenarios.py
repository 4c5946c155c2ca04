from __future__ import annotations

import numpy as np
import pytest
from shop_samples import shop_graph, shop_products
from zeroshot_core.regression.concept_links import TypeLinker
from zeroshot_core.regression.scenarios import choose_scenarios, posterior, prior_weights

ITEMS = shop_products()
LINKS = TypeLinker.of(shop_graph(), 1).link(ITEMS)
KINDS = [item.concepts[0] for item in ITEMS]
# Columns: kind, aisle; rows: items, kind, text.
RATES = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_each_type_of_many_concepts_is_held_out_and_so_are_all_links() -> None:
    scenarios = choose_scenarios(LINKS, None, len(ITEMS), rng())

    assert [scenario.name for scenario in scenarios] == ["items", "kind", "text"]  # three aisles are too few
    assert [scenario.keeps_links for scenario in scenarios] == [True, True, False]


def test_given_groups_are_held_out_whole() -> None:
    groups, _ = choose_scenarios(LINKS, KINDS, len(ITEMS), rng())

    assert groups.name == "groups"
    for kind in set(KINDS):
        assert len({fold for fold, own in zip(groups.folds, KINDS, strict=True) if own == kind}) == 1
    assert groups.groups is not None
    assert len(np.unique(groups.groups)) == len(set(KINDS))


def test_many_groups_need_not_be_told_apart() -> None:
    (groups,) = choose_scenarios(None, list(range(300)), 300, rng())

    assert groups.name == "groups"
    assert groups.groups is None


def test_without_a_graph_items_are_held_out_at_random() -> None:
    (scenario,) = choose_scenarios(None, None, 100, rng())

    assert np.bincount(scenario.folds).tolist() == [10] * 10


def test_the_same_seed_deals_the_same_folds() -> None:
    first, second = (choose_scenarios(LINKS, None, len(ITEMS), rng()) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        assert one.folds.tolist() == other.folds.tolist()


@pytest.mark.parametrize(("unseen", "likeliest"), [([0, 0], 0), ([1, 0], 1), ([1, 1], 2)])
def test_what_is_unseen_tells_the_scenario(unseen: list[float], likeliest: int) -> None:
    weights = posterior(np.array([unseen], dtype=float), RATES, prior_weights(len(RATES)))

    assert weights.argmax(axis=1) == likeliest
    assert weights.max() > 0.9
    assert weights.sum() == pytest.approx(1.0)


def test_scenarios_that_unseen_concepts_do_not_tell_apart_share_by_their_prior() -> None:
    weights = posterior(np.zeros((2, 0)), np.zeros((3, 0)), prior_weights(3, first=0.5))

    np.testing.assert_allclose(weights, [[0.5, 0.25, 0.25]] * 2)
    assert prior_weights(1).tolist() == [1.0]


def test_negligible_scenarios_are_not_asked() -> None:
    assert posterior(np.array([[1.0, 0.0]]), RATES, prior_weights(len(RATES)))[0].tolist() == [0.0, 1.0, 0.0]
