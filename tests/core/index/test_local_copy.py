import numpy as np
import pytest
from zeroshot_core.index import VectorIndex
from zeroshot_core.types import Item


@pytest.fixture
def version(hash_encoder, tmp_path, monkeypatch):
    monkeypatch.setattr("zeroshot_core.index.record_table._MIRROR_HITS", 20)
    index = VectorIndex.connect(str(tmp_path / "shop.db"))
    items = [Item(id=f"i{i}", text=f"thing {i} of kind {i % 7}") for i in range(60)]
    index.activate(index.build(items, hash_encoder))
    yield index.open(fingerprint=hash_encoder.fingerprint)
    index.close()


def test_single_searches_are_answered_from_memory_once_they_add_up_to_a_batch(
    version, hash_encoder, monkeypatch
):
    query = hash_encoder.encode(["thing 3 of kind 3"])
    before = [version.search_items(query, 5) for _ in range(3)]
    monkeypatch.setattr(version._items, "_begin_hits", None)  # Milvus is asked no more
    after = version.search_items(query, 5)

    assert [found.ids for found in before] == [after.ids] * 3
    assert after.records == before[0].records
    assert after.scores[0] == pytest.approx(before[0].scores[0], abs=1e-6)


def test_many_searches_for_few_hits_are_answered_from_memory_too(version, hash_encoder, monkeypatch):
    monkeypatch.setattr("zeroshot_core.index.record_table._MIRROR_SEARCHES", 3)
    query = hash_encoder.encode(["thing 3 of kind 3"])
    before = [version.search_items(query, 1) for _ in range(3)]
    monkeypatch.setattr(version._items, "_begin_hits", None)

    assert [found.ids for found in before] == [version.search_items(query, 1).ids] * 3


def test_what_is_written_later_is_found_by_the_next_search(version, hash_encoder):
    query = hash_encoder.encode(["thing 3 of kind 3"])
    for _ in range(6):
        version.search_items(query, 5)
    version.upsert([Item(id="new", text="thing 3 of kind 3")], hash_encoder)

    assert set(version.search_items(query, 2).ids[0]) == {"i3", "new"}


def test_a_query_finds_the_same_alone_and_among_others(version, hash_encoder):
    queries = hash_encoder.encode([f"thing of kind {i}" for i in range(20)])
    for _ in range(4):
        version.search_items(queries[:1], 5)
    together = version.search_items(queries, 5)
    alone = [version.search_items(queries[[row]], 5) for row in range(len(queries))]

    assert together.ids == [found.ids[0] for found in alone]
    assert [scores.tolist() for scores in together.scores] == [found.scores[0].tolist() for found in alone]


def test_a_batch_counts_for_the_single_searches_after_it(version, hash_encoder, monkeypatch):
    query = hash_encoder.encode(["thing 3 of kind 3"])
    batch = version.search_items(np.repeat(query, 4, axis=0), 5)
    monkeypatch.setattr(version._items, "_begin_hits", None)

    assert version.search_items(query, 5).ids[0] == batch.ids[0]
