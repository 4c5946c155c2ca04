from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shop_samples import shop_graph
from zeroshot_core import Item, ZeroShotRegressor
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.errors import (
    InvalidInputError,
    NotFittedError,
    UnknownConceptError,
    UnsupportedIndexError,
)
from zeroshot_core.index import IndexParams, VectorIndex

TEXTS = [f"article {n}" for n in range(8)]
Y = [float(n) for n in range(8)]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VectorIndex]:
    with VectorIndex.connect(str(tmp_path_factory.mktemp("inputs") / "index.db")) as opened:
        yield opened


def items(**changed: Any) -> list[Item]:
    """Eight articles, the last of them changed."""
    return [
        Item(**{"id": f"a{n}", "text": text, **(changed if n == 7 else {})}) for n, text in enumerate(TEXTS)
    ]


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ("article", "expected X as a list of items or texts, got one: 'article'; wrap it in a list"),
        (
            Item(id="a", text="article"),
            r"expected X as a list of items or texts, got Item\(.*wrap it in a list",
        ),
        (3, "expected X as a list of items or texts, got 3; wrap it in a list"),
        ([*TEXTS[:7], ""], "item 'item-7': expected a non-empty text, got ''; drop the row or describe it"),
        ([*TEXTS[:7], 5], "expected items or texts, got int in row 7: 5"),
        ([*TEXTS[:7], None], "expected items or texts, got NoneType in row 7"),
        ([*TEXTS[:7], float("nan")], "expected items or texts, got float in row 7: nan"),
        (items(id="a0"), r"expected unique item ids, got 1 twice or more: \['a0'\]; drop or rename"),
        (items(text="ä" * 40_000), "item 'a7': expected text of at most 65535 bytes, got 80000; shorten it"),
        (items(concepts=("kind:red wine",)), r"expected a graph for items that are linked .*'a7' is"),
    ],
)
def test_wrong_items_are_refused_and_nothing_is_written(X: Any, message: str, index: VectorIndex) -> None:
    model = ZeroShotRegressor(HashEncoder(32), index=index)

    with pytest.raises(InvalidInputError, match=message):
        model.fit(X, Y)

    assert not hasattr(model, "ensemble_")
    assert index.versions() == []


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (Y[:7], r"expected targets of shape \(8,\) or \(8, horizon\), one for each item, got \(7,\)"),
        ([*Y[:7], float("nan")], r"expected finite targets, got \[nan\] in row 7"),
        ([*Y[:7], -1.0], "expected targets of at least 0 for target='count', got -1.0 in row 7"),
        ([*Y[:7], 0.5], "expected whole numbers for target='count'"),
    ],
)
def test_wrong_targets_are_refused_and_nothing_is_written(y: Any, message: str, index: VectorIndex) -> None:
    with pytest.raises(InvalidInputError, match=message):
        ZeroShotRegressor(HashEncoder(32), index=index, target="count").fit(TEXTS, y)

    assert index.versions() == []


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (["a", "b"], "expected 8 groups, one for each item, got 2"),
        (["a"] * 8, "expected groups of at least 2 kinds, got only 'a'; leave groups out"),
    ],
)
def test_wrong_groups_are_refused(groups: list[str], message: str, index: VectorIndex) -> None:
    with pytest.raises(InvalidInputError, match=message):
        ZeroShotRegressor(HashEncoder(32), index=index).fit(TEXTS, Y, groups=groups)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"top_k": 0}, "expected top_k as a whole number from 1 to 16383, got 0"),
        ({"top_k": 2.5}, "expected top_k as a whole number from 1 to 16383, got 2.5"),
        ({"top_k": True}, "expected top_k as a whole number from 1 to 16383, got True"),
        ({"top_k": 16_384}, "expected top_k as a whole number from 1 to 16383, got 16384"),
        ({"target": "sum"}, "expected target to be one of"),
        ({"graph_weight": 1.5}, "expected graph_weight as a number from 0 to 1, got 1.5"),
        ({"n_hops": -1}, "expected n_hops as a whole number from 0 to 1000, got -1"),
        ({"n_hops": 1.5}, "expected n_hops as a whole number from 0 to 1000, got 1.5"),
        ({"random_state": "seven"}, "expected random_state as a whole number of at least 0, got 'seven'"),
        ({"encoder": 7}, "expected an encoder or its name, got int; wrap a function in FunctionEncoder"),
        ({"index": 7}, "expected index to be a VectorIndex, a URI, or None, got int"),
    ],
)
def test_wrong_parameters_are_refused_before_anything_is_written(
    parameters: dict[str, Any], message: str, index: VectorIndex
) -> None:
    with pytest.raises(InvalidInputError, match=message):
        ZeroShotRegressor(
            **{"encoder": HashEncoder(32), "graph": shop_graph(), "index": index, **parameters}
        ).fit(TEXTS, Y)

    assert index.versions() == []


def test_too_few_items_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="expected at least 5 items to learn from, got 4"):
        ZeroShotRegressor(HashEncoder(32)).fit(TEXTS[:4], Y[:4])


def test_an_unknown_concept_is_refused(shop: ZeroShotRegressor, index: VectorIndex) -> None:
    stray = items(concepts=("kind:caviar",))
    with pytest.raises(UnknownConceptError, match="'kind:caviar'; add them to the graph or drop them"):
        ZeroShotRegressor(HashEncoder(32), shop_graph(), index=index).fit(stray, Y)
    with pytest.raises(UnknownConceptError, match="'kind:caviar'"):
        shop.predict(stray)
    with pytest.raises(UnknownConceptError, match="'kind:caviar'"):
        shop.explain(stray)


def test_an_index_type_that_the_target_does_not_build_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"expected index_type .*'FOO'"):
        IndexParams("FOO")
    with pytest.raises(UnsupportedIndexError, match="expected an index type that Milvus Lite builds"):
        VectorIndex.connect(str(tmp_path / "index.db"), params=IndexParams("DISKANN"))


@pytest.mark.parametrize("wrong", [0, 1, 1.5, -0.1, float("nan"), "0.9", True, None])
def test_a_probability_is_between_0_and_1(shop: ZeroShotRegressor, wrong: Any) -> None:
    for ask, name in (
        (lambda: shop.predict_interval(TEXTS, wrong), "coverage"),
        (lambda: shop.explain(TEXTS, coverage=wrong), "coverage"),
        (lambda: shop.predict_quantile(TEXTS, wrong), "q"),
    ):
        with pytest.raises(InvalidInputError, match=f"expected {name} as a number above 0 and below 1, got"):
            ask()


def test_numbers_of_numpy_are_numbers_and_are_saved_as_such(tmp_path: Path) -> None:
    parameters = {
        "top_k": np.int64(3),
        "n_hops": np.int32(1),
        "graph_weight": np.float32(0.5),
        "random_state": np.int64(2),
        "show_progress": np.bool_(False),
    }
    model = ZeroShotRegressor(HashEncoder(32), **parameters).fit(TEXTS, Y)
    model.save(tmp_path / "model")
    loaded = ZeroShotRegressor.load(tmp_path / "model")

    assert {name: loaded.get_params()[name] for name in parameters} == parameters
    assert loaded.predict(TEXTS).tolist() == model.predict(TEXTS).tolist()
    model.close()
    loaded.close()


@pytest.mark.parametrize("wrong", [0, True, 1.5, None])
def test_an_explanation_shows_a_whole_number_of_items(shop: ZeroShotRegressor, wrong: Any) -> None:
    with pytest.raises(InvalidInputError, match="expected top_k as a whole number of at least 1, got"):
        shop.explain(TEXTS, top_k=wrong)


def test_a_statistic_and_several_probabilities_are_checked(shop: ZeroShotRegressor) -> None:
    for ask in (shop.predict, shop.explain):
        with pytest.raises(
            InvalidInputError, match="'geometric', got 'expectaton'; did you mean 'expectation'"
        ):
            ask(TEXTS, statistic="expectaton")
    with pytest.raises(InvalidInputError, match="expected q as a number above 0 and below 1"):
        shop.predict_quantile(TEXTS, [0.5, 1.5])
    with pytest.raises(InvalidInputError, match="expected q as a probability, or as several, got none"):
        shop.predict_quantile(TEXTS, [])


def test_a_probability_of_numpy_is_one(shop: ZeroShotRegressor) -> None:
    for number in (np.float64(0.5), np.float32(0.5)):
        assert shop.predict_quantile(TEXTS, number).tolist() == shop.predict_quantile(TEXTS, 0.5).tolist()


@pytest.mark.parametrize("X", ["article", Item(id="a", text="article")])
def test_a_single_query_belongs_in_a_list(shop: ZeroShotRegressor, X: Any) -> None:
    for ask in (shop.predict, shop.predict_interval, shop.explain):
        with pytest.raises(InvalidInputError, match="wrap it in a list"):
            ask(X)


def test_an_empty_query_is_refused(shop: ZeroShotRegressor) -> None:
    with pytest.raises(InvalidInputError, match="item 'query-1': expected a non-empty text, got ' '"):
        shop.predict(["wine", " "])


def test_before_fit_nothing_is_told_or_saved(tmp_path: Path) -> None:
    model = ZeroShotRegressor(HashEncoder(32))
    for ask in (
        lambda: model.predict(TEXTS),
        lambda: model.predict_interval(TEXTS),
        lambda: model.predict_quantile(TEXTS, 0.5),
        lambda: model.explain(TEXTS),
        lambda: model.save(tmp_path / "model"),
        model.close,
    ):
        with pytest.raises(NotFittedError, match="expected a fitted regressor, got one before fit; call fit"):
            ask()
    assert list(tmp_path.iterdir()) == []


def test_what_fails_leaves_a_fitted_model_as_it_was(shop: ZeroShotRegressor) -> None:
    before = shop.predict(TEXTS)

    with pytest.raises(InvalidInputError, match="expected finite targets"):
        shop.fit(TEXTS, [float("nan")] * 8)

    assert shop.predict(TEXTS).tolist() == before.tolist()


def test_items_without_a_target_are_left_out_if_wanted() -> None:
    texts, y = [*TEXTS, "nobody knows"], [*Y, None]
    groups = [n % 3 for n in range(len(texts))]
    model = ZeroShotRegressor(HashEncoder(32))
    with pytest.raises(InvalidInputError, match=r"got \[nan\] in row .*, or fit with missing='drop'"):
        model.fit(texts, y)
    with pytest.raises(InvalidInputError, match="expected missing to be one of 'raise', 'drop', got 'omit'"):
        model.fit(texts, y, missing="omit")
    with pytest.warns(UserWarning, match=f"^1 of {len(texts)} items have no target and are left out$"):
        model.fit(texts, y, groups, missing="drop")

    assert len(model.ids_) == len(TEXTS)
    plain = ZeroShotRegressor(HashEncoder(32)).fit(TEXTS, Y, groups[:-1])
    assert model.predict(TEXTS[:3]).tolist() == plain.predict(TEXTS[:3]).tolist()
    model.close()
    plain.close()
