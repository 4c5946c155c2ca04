import pytest
from zeroshot_core import Item, KnowledgeGraph, VectorIndexError
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.index import VectorIndex
from zeroshot_core.index.connection import Connection

ENCODER = HashEncoder(16)
ITEMS = [Item(id=str(number), text=f"text {number}") for number in range(20)]


def cut_index_files(path):
    """Leave of the index files what a kill leaves that comes while they are written."""
    cut = list(path.rglob("*.idx"))
    for file in cut:
        file.write_bytes(b"")
    assert cut


@pytest.fixture
def half_built(tmp_path):
    """A version whose build was killed while Milvus Lite wrote the index of its vectors."""
    path = tmp_path / "index.db"
    with VectorIndex.connect(str(path)) as index:
        version = index.build(ITEMS, ENCODER)
        index._catalog.set_state(version, "building")
    cut_index_files(path)
    return path, version


def test_a_build_goes_on_where_a_kill_has_cut_the_index_files(half_built):
    path, version = half_built
    with VectorIndex.connect(str(path)) as index:
        assert index.build(ITEMS, ENCODER) == version
        index.activate(version)
        opened = index.open(fingerprint=ENCODER.fingerprint)
        found = opened.search_items(ENCODER.encode(["text 7"]), 1)

    assert found.ids == [["7"]]


def test_a_finished_version_is_never_emptied(tmp_path):
    path = tmp_path / "index.db"
    with VectorIndex.connect(str(path)) as index:
        index.build(ITEMS, ENCODER)
    cut_index_files(path)

    with VectorIndex.connect(str(path)) as index, pytest.raises(VectorIndexError, match="load_collection"):
        index.build(ITEMS, ENCODER)


@pytest.mark.parametrize("n_dropped", [1, 2, 3])
def test_a_version_whose_drop_was_cut_short_is_built_whole_again(tmp_path, monkeypatch, n_dropped):
    graph = KnowledgeGraph.from_table(
        [{"kind": "tea", "aisle": "drinks"}], ["kind", "aisle"], [("kind", "aisle")]
    )
    with VectorIndex.connect(str(tmp_path / "index.db")) as index:
        version = index.build(ITEMS, ENCODER, graph)
        call, left = Connection.call, iter([*[False] * n_dropped, True])

        def dying(self, method, /, *arguments, **options):
            if method == "drop_collection" and next(left):
                raise KeyboardInterrupt
            return call(self, method, *arguments, **options)

        with monkeypatch.context() as patch:
            patch.setattr(Connection, "call", dying)
            with pytest.raises(KeyboardInterrupt):
                index.drop(version)
        assert index.versions()[0].state == "building"

        assert index.build(ITEMS, ENCODER, graph) == version
        index.activate(version)
        opened = index.open(fingerprint=ENCODER.fingerprint)
        assert opened.count() == len(ITEMS)
        assert opened.relations_of(graph.concept_ids) == list(graph.relations)
