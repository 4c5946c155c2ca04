"""Rows read from the files of a local index are those that Milvus Lite gives, or are not read there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from zeroshot_core import KnowledgeGraph
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.index import OpenVersion, VectorIndex, record_table
from zeroshot_core.index.lite_rows import read_lite_rows
from zeroshot_core.types import Concept, Item, Relation

ENCODER = HashEncoder(32)
ITEMS = [
    Item(
        id=f"{7 * number % 40}",
        text=f"crème {number}",
        concepts=("drinks",) * (number % 2),
        metadata={"price": number / 3, "is_new": number > 4, "n": 2**60 + number, "maker": "Ö"},
    )
    for number in range(40)
]
GRAPH = KnowledgeGraph(
    [
        Concept(id="drinks", name="Drinks", type="aisle", synonyms=("beverages",)),
        Concept(id="all", name="All"),
    ],
    [Relation(head="drinks", type="is_a", tail="all", weight=0.5, sources=("book",))],
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "index.db"
    with VectorIndex.connect(path) as index:
        index.activate(index.build(ITEMS, ENCODER, GRAPH))
    return path


@pytest.fixture
def version(path: Path) -> Iterator[OpenVersion]:
    with VectorIndex.connect(path) as index:
        yield index.open(fingerprint=ENCODER.fingerprint)


def rows_of(version: OpenVersion, kind: str) -> object:
    table = getattr(version, f"_{kind}")
    folder = version.catalog.connection.folder_of(version.catalog.collection(version.info.id, kind))
    return read_lite_rows(folder, table._kind.fields, version.info.dimension)


@pytest.mark.parametrize("kind", ["items", "concepts", "relations", "names"])
def test_a_copy_of_the_files_is_what_milvus_lite_gives(
    version: OpenVersion, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = getattr(version, f"_{kind}")
    assert rows_of(version, kind) is not None
    read = table._read_mirror()
    monkeypatch.setattr(record_table, "read_lite_rows", lambda *_: None)
    asked = table._read_mirror()

    assert (read.ids, list(read.records)) == (asked.ids, list(asked.records))
    np.testing.assert_array_equal(read.vectors, asked.vectors)
    assert read.links.keys() == asked.links.keys()
    assert all((rows == asked.links[concept]).all() for concept, rows in read.links.items())


def test_rows_as_near_as_each_other_come_in_the_order_of_their_ids(tmp_path: Path) -> None:
    items = [Item(id=f"{7 * number % 200:03}", text=f"text {number % 2}") for number in range(200)]
    with VectorIndex.connect(tmp_path / "index.db") as index:
        version = index.open(index.build(items, ENCODER), fingerprint=ENCODER.fingerprint)
        query = ENCODER.encode(["text 1"])
        alone = version.search_items(query, 20).ids
        many = version.nearest_items(np.repeat(query, 2000, axis=0), 20)[0]

    assert alone == [sorted(item.id for item in items if item.text == "text 1")[:20]]
    assert many == alone * 2000


def test_rows_that_were_written_later_are_not_read_from_files(version: OpenVersion) -> None:
    version.upsert([Item(id="7", text="replaced")], ENCODER)
    assert rows_of(version, "items") is None
    assert version._items.mirrored().records[version._items.mirrored().rows["7"]].text == "replaced"

    version.catalog.connection.call("flush", version.catalog.collection(version.info.id, "items"))
    assert rows_of(version, "items") is None
    assert len(version._items.mirrored().ids) == len(ITEMS)


def test_rows_that_were_deleted_are_not_read_from_files(path: Path) -> None:
    with VectorIndex.connect(path) as index:
        index.open(fingerprint=ENCODER.fingerprint).delete(["7", "8"])
    with VectorIndex.connect(path) as index:
        version = index.open(fingerprint=ENCODER.fingerprint)
        ids = version._items.mirrored().ids
    assert len(ids) == len(ITEMS) - 2
    assert not {"7", "8"} & set(ids)


@pytest.mark.parametrize("content", [b"junk", b""])
def test_files_that_are_damaged_are_left_to_milvus_lite(version: OpenVersion, content: bytes) -> None:
    folder = version.catalog.connection.folder_of(version.catalog.collection(version.info.id, "items"))
    for file in folder.rglob("*.parquet"):
        file.write_bytes(content)

    assert rows_of(version, "items") is None


def test_vectors_of_another_dimension_are_left_to_milvus_lite(version: OpenVersion) -> None:
    folder = version.catalog.connection.folder_of(version.catalog.collection(version.info.id, "items"))

    assert read_lite_rows(folder, version._items._kind.fields, 31) is None
