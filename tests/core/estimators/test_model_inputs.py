"""Tables as what models learn from and are asked: the same answers as from items, and no word twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from ranker_samples import clinic_graph
from shop_samples import AISLES, KINDS, PLACES, shop_sales
from sklearn.base import clone
from zeroshot_core import (
    InvalidInputError,
    KnowledgeGraph,
    NoveltyDetector,
    PromptedClassifier,
    TableSchema,
    ZeroShotClassifier,
    ZeroShotRanker,
    ZeroShotRegressor,
    items_from_frame,
    load_model,
)
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.estimators.model_inputs import read_fit
from zeroshot_core.frames import graph_from_frame

ENCODER = HashEncoder(64)
SHOP = pd.DataFrame(
    [
        {"name": f"{kind} from {place}", "kind": kind, "aisle": aisle, "size": float(len(place))}
        for kind, (aisle, _) in KINDS.items()
        for place in PLACES[:2]
    ]
).assign(units=shop_sales()[::5], sku=range(24))
SCHEMA = TableSchema(
    text="name",
    concepts=["kind", "aisle"],
    numeric="size",
    id="sku",
    target="units",
    edges=[("kind", "aisle")],
)
NEW = SHOP.drop(columns=["units", "sku"])[::8].assign(name=["white wine", "apple juice", "cat food"])


@pytest.fixture(scope="module")
def model() -> Iterator[ZeroShotRegressor]:
    fitted = ZeroShotRegressor(ENCODER, top_k=8).fit(
        SHOP.sample(frac=1, random_state=0).sort_values("sku", kind="stable"),
        text="name",
        concepts=["kind", "aisle"],
        numeric=["size"],
        id="sku",
        target="units",
        edges=[("kind", "aisle")],
    )
    yield fitted
    fitted.close()


def test_a_table_is_learned_as_its_items_are(model: ZeroShotRegressor) -> None:
    graph = graph_from_frame(SHOP, SCHEMA)
    items = items_from_frame(SHOP, SCHEMA, graph)
    read = read_fit(SHOP, schema=SCHEMA, prefix="item-")

    assert (read.X, read.y, read.graph) == (items, SHOP["units"].tolist(), graph)
    assert model.schema_ == SCHEMA
    assert model.ids_ == tuple(item.id for item in items)
    assert model.space_ is not None
    assert model.space_.graph == graph
    assert "size" in model.ensemble_.tables.metadata_keys


@pytest.mark.parametrize("kind", [pl.DataFrame, lambda frame: frame.to_dict("records"), lambda frame: frame])
def test_new_tables_need_no_more_words(model: ZeroShotRegressor, kind: Callable[..., Any]) -> None:
    asked, items = kind(NEW), model.to_items(NEW)

    assert [item.id for item in items] == ["query-0", "query-1", "query-2"]
    np.testing.assert_array_equal(model.predict(asked), model.predict(items))
    np.testing.assert_array_equal(model.predict_interval(asked), model.predict_interval(items))
    np.testing.assert_array_equal(model.predict_quantile(asked, [0.2]), model.predict_quantile(items, [0.2]))
    assert model.explain(asked) == model.explain(items)


def test_what_a_table_said_is_saved(model: ZeroShotRegressor, tmp_path: Path) -> None:
    model.save(tmp_path / "model")
    again = load_model(tmp_path / "model")

    assert again.schema_ == SCHEMA
    np.testing.assert_array_equal(again.predict(NEW), model.predict(NEW))
    again.close()


def test_groups_are_those_of_a_column_or_in_the_order_given() -> None:
    """An index of pandas plays no role: read by label, groups would be those of other rows."""
    frame = SHOP[::2].set_index(np.random.default_rng(0).permutation(12))
    for groups in ("kind", frame["kind"], pl.Series(frame["kind"].tolist())):
        read = read_fit(frame, groups=groups, schema=SCHEMA, prefix="item-")
        assert list(read.groups) == frame["kind"].tolist()
        assert read.y == frame["units"].tolist()


def test_cells_name_the_concepts_of_the_models_own_graph() -> None:
    graph = KnowledgeGraph.from_table([{"aisle": aisle} for aisle in AISLES], ["aisle"])
    model = ZeroShotRegressor(ENCODER, graph)
    with pytest.warns(UserWarning, match="not in the graph") as told:
        model.fit(SHOP[::2], schema=SCHEMA)
    assert "12 values of column 'kind' not in the graph, such as 'red wine' (12 rows)" in str(told[0].message)
    assert told[0].filename == __file__
    assert model.space_ is not None
    assert model.space_.graph == graph == model.graph
    assert clone(model).graph is graph
    model.close()


def test_several_targets_are_a_curve() -> None:
    frame = SHOP.assign(week2=SHOP["units"] * 2)
    model = ZeroShotRegressor(ENCODER, top_k=5)
    with pytest.warns(UserWarning, match="that are not used: 'kind', 'aisle', 'size'; name them in text"):
        model.fit(frame, text="name", id="sku", target=["units", "week2"])

    assert model.predict(NEW).shape == (3, 2)
    model.close()


def test_a_classifier_learns_and_goes_on_learning_from_tables(tmp_path: Path) -> None:
    frame = SHOP[["name", "size", "aisle"]]
    model = ZeroShotClassifier(ENCODER).fit(frame, text=["name"], numeric="size", target="aisle")
    assert model.predict(NEW).tolist() == ["drinks", "drinks", "pets"]
    assert model.predict_proba(pl.DataFrame(NEW)).shape == (3, 3)
    assert model.novelty_score(NEW).shape == (3,)
    told = model.predict_frame(pl.DataFrame(NEW))
    assert told.columns == ["id", "label", "p_drinks", "p_pantry", "p_pets"]
    assert told["label"].to_list() == model.predict(NEW).tolist()
    np.testing.assert_allclose(told.to_numpy()[:, 2:].astype(float), model.predict_proba(NEW))
    for label, text in (("garden", "rake"), ("garden", "spade"), ("toys", "ball")):
        model.partial_fit(pd.DataFrame({"name": [text], "size": 0, "aisle": label}))
    assert model.version_.count() == 27
    model.save(tmp_path / "model")
    again = load_model(tmp_path / "model")

    assert again.predict(pd.DataFrame({"name": ["rake"], "size": 1})).tolist() == ["garden"]
    asked = PromptedClassifier(again, lambda prompt, schema: '{"label": "toys", "reason": ""}')
    assert asked.predict(NEW).shape == (3,)
    again.close()
    model.close()


def test_labels_alone_and_texts_without_labels_are_read_from_tables() -> None:
    model = ZeroShotClassifier(ENCODER).fit(labels=list(AISLES), text="name")
    more = ZeroShotClassifier(ENCODER).fit(labels=list(AISLES), unlabelled=SHOP, text="name")

    assert model.predict(NEW).shape == more.predict(NEW).shape == (3,)
    assert more.version_.count() == 24
    model.close()
    more.close()


def test_a_detector_reads_texts_of_tables() -> None:
    frame = pl.DataFrame(SHOP[["name", "sku"]])
    model = NoveltyDetector(ENCODER).fit(frame, text="name", id="sku")

    assert model.predict(NEW).shape == (3,)
    assert model.version_.all_ids()[:2] == ["0", "1"]
    told = model.predict_frame(NEW)
    assert list(told) == ["id", "novelty", "is_new"]
    np.testing.assert_array_equal(told["novelty"], model.novelty_score(NEW))
    np.testing.assert_array_equal(told["is_new"], model.predict(NEW) == -1)
    np.testing.assert_array_equal(
        NoveltyDetector(ENCODER).fit_predict(frame, text="name", id="sku"),
        NoveltyDetector(ENCODER).fit_predict(SHOP["name"].tolist()),
    )
    model.close()


def test_a_ranker_reads_cases_of_tables() -> None:
    graph = clinic_graph()
    findings = [concept for concept in graph.concepts.values() if concept.type != "disease"][:2]
    cases = pd.DataFrame({"note": ["a case"] * 2, "first": [f.id for f in findings], "nr": [5, 6]})
    model = ZeroShotRanker(ENCODER, graph).fit(text="note", concepts="first", id="nr")

    told = model.explain(cases)
    assert [each.id for each in told] == ["5", "6"]
    assert model.predict(cases).tolist() == model.predict(model.to_items(cases)).tolist()
    ranked = model.predict_frame(cases, top_k=2)
    assert ranked["id"].tolist() == ["5", "5", "6", "6"]
    assert ranked["rank"].tolist() == [1, 2, 1, 2]
    assert ranked["candidate"].tolist()[::2] == model.predict(cases).tolist()
    assert [case.present for case in model.understand(cases)] == [(each.id,) for each in findings]
    model.close()


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (
            lambda model: ZeroShotRegressor(ENCODER).fit(SHOP),
            r"as items or texts, got a DataFrame with columns",
        ),
        (
            lambda model: ZeroShotRegressor(ENCODER).fit(pl.DataFrame(SHOP)),
            r"say what they hold in fit, as in f",
        ),
        (
            lambda model: ZeroShotRegressor(ENCODER).fit(SHOP[["name"]], text="name"),
            "expected targets, got none; give them",
        ),
        (
            lambda model: ZeroShotRegressor(ENCODER).fit(SHOP, txt="name"),
            "fit does not know 'txt'; did you mean 't",
        ),
        (
            lambda model: ZeroShotRegressor(ENCODER).fit(SHOP, schema={"text": 1}),
            "schema to be of class TableSch",
        ),
        (
            lambda model: ZeroShotRegressor(ENCODER).fit(SHOP, None, "knd", schema=SCHEMA),
            "did you mean 'kind'",
        ),
        (
            lambda model: NoveltyDetector(ENCODER).fit(SHOP, text="name", concepts="kind"),
            "it takes id, image, text",
        ),
        (
            lambda model: model.predict(NEW.drop(columns="size")),
            "expected a column 'size' in the table, got none",
        ),
        (lambda model: model.predict({"name": "wine"}), "as a list of items or texts, got a dict"),
        (lambda model: model.predict("wine"), "got one: 'wine'; wrap it in a list"),
        (lambda model: ZeroShotClassifier(ENCODER).fit(SHOP), "say what they hold in fit"),
        (
            lambda model: ZeroShotClassifier(ENCODER).fit(SHOP, text="name", target=["kind", "aisle"]),
            r"expected one column of labels as target, got \('kind', 'aisle'\); name one",
        ),
        (
            lambda model: ZeroShotRegressor(ENCODER).fit(SHOP[["name", "kind"]], text="name", target="kind"),
            "expected targets that are numbers, got 'red wine' of type str",
        ),
        (lambda model: NoveltyDetector(ENCODER).fit(SHOP[["name"]]), "say what they hold in fit"),
    ],
)
def test_tables_of_which_too_little_is_said_are_refused(
    model: ZeroShotRegressor, ask: Callable[..., Any], message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message):
        ask(model)
