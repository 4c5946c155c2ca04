"""Ids and hashes that stand in indexes by now: a build recognises what one before has written."""

import json
from typing import Any

import pytest
from PIL import Image
from zeroshot_core import InvalidInputError
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.index import IndexParams
from zeroshot_core.index.builder import checked_items
from zeroshot_core.index.collection import checked_ids
from zeroshot_core.index.schema import concept_row, item_row, name_rows, relation_row
from zeroshot_core.index.versions import VersionInfo, describe_version
from zeroshot_core.types import Concept, Item, Relation

CONCEPT = Concept(id="c", name="Dry  Cough", type="sign", synonyms=("tussis",), description="d")
TOLD = (
    '{"counts": {"items": 1}, "dimension": 32, "encoder": "hash-32", "fingerprint": "46fc5dc4423d8304", '
    '"graph_digest": "0123456789abcdef", "id": "vde0199a38a96", "params": {"build": {"M": 8}, '
    '"index_type": "HNSW", "metric": "L2", "search": {}}, "schema_version": 4, "smoothing": 0.25}'
)


def test_content_hashes_of_items_stay() -> None:
    item = Item(
        id="\u00e91",
        text="dry red wine \u2603",
        concepts=("kind:wine", "b"),
        metadata={"price": 9.5, "new": True},
    )
    assert item_row(item)["content_hash"] == "2821f93ee6d98d4e8727d396adb292eb"
    image = Item(id="p", image=Image.new("RGB", (2, 2), (1, 2, 3)))
    assert item_row(image)["content_hash"] == "567f9fb3bdd98d3aedc15b3c6be59eaa"


def test_ids_and_hashes_of_a_graph_stay() -> None:
    assert concept_row(CONCEPT, 3)["content_hash"] == "1e540dfd4ced2f2cdc763dc54557aa3a"
    row = relation_row(Relation(head="a", type="is_a", tail="b", weight=0.1, sources=("s",)), 1)
    assert row["id"] == "9a7c007db3af7abf0d3fcbef2fcd6cb6"
    assert row["content_hash"] == "8b2aec78cde8ea2c3d097524ab626371"


def test_ids_and_hashes_of_names_stay() -> None:
    rows = name_rows([Concept(id="c", name="Dry  Cough", synonyms=("DRY cough", "Stra\u00dfe"))])
    assert [(row["id"], row["content_hash"]) for row in rows] == [
        ("bfd7a6ad7366af7a7fee83c79b76dd05.0.0", "3610acab587916e19bff83a6fd397724"),
        ("bfd7a6ad7366af7a7fee83c79b76dd05.0.1", "3829968414df4d21fae857e8e1ba69a4"),
        ("9f876baaf5b585b74d0b3bee74731986.0.0", "d71af5cc7d61d1cd7f0ed9eb2963d342"),
    ]


def test_ids_and_properties_of_versions_stay() -> None:
    params = IndexParams("HNSW", "L2", build={"M": 8})
    keys = ["c\0d", "a\0b"]
    info = describe_version(HashEncoder(32), "0123456789abcdef", params, {"items": 1}, keys, smoothing=0.25)
    assert info.id == "vde0199a38a96"
    assert info.to_properties() == {"zeroshot.version": TOLD, "zeroshot.state": "building"}
    assert VersionInfo.from_properties(info.to_properties(), is_live=False) == info


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"counts": {"items": "x"}}, "expected items of the version .* got 'x'"),
        ({"counts": {"items": -1}}, "expected items of the version .* got -1"),
        ({"dimension": None}, "expected dimension of the version .* got None"),
        ({"smoothing": [0.5]}, "expected smoothing of the version .* got"),
    ],
)
def test_a_version_whose_numbers_are_none_is_refused(change: dict[str, object], message: str) -> None:
    told = json.dumps(json.loads(TOLD) | change)
    with pytest.raises(InvalidInputError, match=message):
        VersionInfo.from_properties({"zeroshot.version": told, "zeroshot.state": "ready"}, is_live=False)


@pytest.mark.parametrize("stray", [None, 7, ["a"]])
def test_what_is_no_id_or_item_is_refused_among_others(stray: Any) -> None:
    with pytest.raises(InvalidInputError, match="expected ids that are strings, got"):
        checked_ids(["a", stray])
    with pytest.raises(InvalidInputError, match="expected items of type Item, got"):
        checked_items([Item(id="a", text="red wine"), stray])


def test_ids_are_repaired_as_those_of_items_that_are_written() -> None:
    assert checked_ids(["a\ud800"]) == ["a\ufffd"]
