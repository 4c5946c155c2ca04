"""A kill -9 at any moment of a rebuild leaves the old version serving, and the next run finishes it."""

import multiprocessing
import time

import numpy as np
import pytest
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.index import VectorIndex, builder
from zeroshot_core.types import Concept, Item, Relation

FINISHING = "finishing"
GRAPH = KnowledgeGraph(
    [Concept(id=f"c{n}", name=f"concept {n}") for n in range(20)],
    [Relation(head=f"c{n}", type="next", tail=f"c{n + 1}") for n in range(19)],
)


def stock(n):
    return [
        Item(id=f"i{number}", text=f"article {number}", concepts=(f"c{number % 20}",)) for number in range(n)
    ]


class SlowEncoder(HashEncoder):
    """Says when it begins a chunk, and takes its time."""

    def __init__(self, tell):
        super().__init__(32)
        self.tell = tell

    def encode(self, contents, *, role="document", show_progress=False):
        self.tell("chunk")
        time.sleep(0.02)
        return super().encode(contents, role=role)


def rebuild(uri, pipe):
    """Build the new version and make it live, in a process of its own."""
    finish = builder.VersionBuilder._finish

    def finish_loudly(*arguments):
        pipe.send(FINISHING)
        finish(*arguments)

    builder.VersionBuilder._finish = finish_loudly
    builder._CONTENTS_PER_CHUNK = 32
    pipe.send("start")
    with VectorIndex.connect(uri) as index:
        index.activate(index.build(stock(960), SlowEncoder(pipe.send), GRAPH))
    pipe.send("done")


class Worker:
    """One run of `rebuild`, to be killed or waited for."""

    def __init__(self, context, uri):
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=rebuild, args=(uri, theirs))
        self.process.start()
        theirs.close()

    def wait_for(self, event, count=1):
        while count:
            assert self.pipe.poll(30), f"expected {event!r} within 30 s, got nothing"
            count -= self.pipe.recv() == event

    def kill(self):
        self.process.kill()
        self.process.join()
        self.pipe.close()


@pytest.mark.slow
def test_ten_kills_of_a_rebuild_lose_nothing(tmp_path):
    uri = str(tmp_path / "killed.db")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["pymilvus", "milvus_lite.db", "sklearn.feature_extraction.text", __name__]
    )
    encoder = HashEncoder(32)
    queries = encoder.encode(["article 7", "article 70", "article 700"])
    with VectorIndex.connect(uri) as index:
        old = index.build(stock(100), encoder, GRAPH)
        index.activate(old)
        expected = index.open(fingerprint=encoder.fingerprint).search_items(queries, top_k=20)

    rng = np.random.default_rng(0)
    written = []
    for round_number in range(10):
        worker = Worker(context, uri)
        worker.wait_for("start")
        if round_number < 8:
            worker.wait_for("chunk", int(rng.integers(0, 4)))
        else:
            worker.wait_for(FINISHING)
        time.sleep(rng.uniform(0, 0.05))
        worker.kill()
        with VectorIndex.connect(uri) as index:
            assert index.live.id == old
            found = index.open(fingerprint=encoder.fingerprint).search_items(queries, top_k=20)
            assert found.ids == expected.ids
            np.testing.assert_array_equal(found.scores, expected.scores)
            written.append(rows_of_unfinished(index))

    assert written == sorted(written)
    assert 0 < written[4] < 960
    worker = Worker(context, uri)
    worker.wait_for("done")
    worker.process.join()
    assert worker.process.exitcode == 0
    with VectorIndex.connect(uri) as index:
        assert index.live.id != old
        opened = index.open(fingerprint=encoder.fingerprint)
        assert opened.count() == 960
        items = stock(960)
        assert opened.items([item.id for item in items]) == items
        vectors = opened.item_vectors([item.id for item in items])
        np.testing.assert_array_equal(vectors, encoder.encode([item.text for item in items]))
        assert len(opened.relations_of(GRAPH.concept_ids)) == 19
        assert {version.state for version in index.versions()} == {"ready"}


def rows_of_unfinished(index):
    """Rows of the version that is being built."""
    for version in index.versions():
        if version.state == "building":
            catalog = index._catalog
            catalog.load(version)
            return catalog.tables(version).items.count()
    return 0
