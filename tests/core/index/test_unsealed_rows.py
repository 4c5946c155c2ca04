"""Milvus Lite scans rows that are not flushed, which takes seconds where they are many."""

import pytest
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.index import VectorIndex, record_table
from zeroshot_core.index.connection import Connection
from zeroshot_core.types import Item

ENCODER = HashEncoder()


def items(start: int, end: int) -> list[Item]:
    return [Item(id=str(number), text=f"text {number}") for number in range(start, end)]


def test_rows_are_flushed_once_many_were_written(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_table, "_MOST_UNSEALED", 10)
    with VectorIndex.connect(tmp_path / "index.db") as index:
        index.activate(index.build(items(0, 5), ENCODER))
        version = index.open(fingerprint=ENCODER.fingerprint)
        flushed = []
        call = Connection.call

        def spy(connection, method, *args, **options):
            flushed.append(version.count()) if method == "flush" else None
            return call(connection, method, *args, **options)

        monkeypatch.setattr(Connection, "call", spy)
        for start in (5, 11, 17, 23):
            version.upsert(items(start, start + 6), ENCODER)

        assert flushed == [17, 29]
        found = version.search_items(ENCODER.encode(["text 7", "text 27"]), 1)
        assert found.ids == [["7"], ["27"]]
