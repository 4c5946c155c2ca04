"""Threads that write into one version at once: each finds its own rows, and none is lost."""

from concurrent.futures import ThreadPoolExecutor

from zeroshot_core.encoders import HashEncoder
from zeroshot_core.index import VectorIndex
from zeroshot_core.types import Item

ENCODER = HashEncoder(16)


def test_threads_that_write_into_one_version_lose_nothing(tmp_path):
    with VectorIndex.connect(str(tmp_path / "shared.db")) as index:
        index.activate(index.build([Item(id="first", text="first")], ENCODER))
        version = index.open(fingerprint=ENCODER.fingerprint)

        def write(thread):
            items = [Item(id=f"{thread}-{n}", text=f"thread {thread} wrote {n}") for n in range(6)]
            for item in items:
                version.upsert([item], ENCODER)
            version.delete([items[0].id])
            assert version.known_items([item.id for item in items]) == {item.id: item for item in items[1:]}

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(write, range(8)))

        assert version.count() == 1 + 8 * 5
        assert len(version.all_ids()) == 1 + 8 * 5
