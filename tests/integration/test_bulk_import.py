"""A server imports an exported version from its own storage, and what it has read is checked."""

import contextlib
import multiprocessing
import shutil
import threading
import uuid
from types import SimpleNamespace

import pytest
from milvus_targets import SERVER, fresh_index
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.errors import ArtifactError, InvalidInputError, UnsupportedIndexError, VectorIndexError
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.index import VectorIndex, bulk_import
from zeroshot_core.types import Concept, Item, Relation

needs_server = pytest.mark.skipif(not SERVER, reason="ZEROSHOT_TEST_URI is not set")
ENCODER = HashEncoder(16)
GRAPH = KnowledgeGraph(
    [Concept(id=f"c{n}", name=f"concept {n}", synonyms=(f"notion {n} ☃",)) for n in range(5)],
    [Relation(head=f"c{n}", type="is_a", tail=f"c{n + 1}", weight=1 / 3, sources=("a",)) for n in range(4)],
)


def stock(n=300, text="thing {} ünï"):
    return [
        Item(
            id=f"i{row}",
            text=text.format(row),
            concepts=(f"c{row % 5}",),
            metadata={"price": row / 3, "on": row % 2 == 0, "note": 'say "hi"'},
        )
        for row in range(n)
    ]


def contents(index):
    opened = index.open(fingerprint=ENCODER.fingerprint)
    ids = opened.all_ids()
    return (
        opened.items(ids),
        opened.item_vectors(ids).tolist(),
        opened.concept_vectors(sorted(GRAPH.concepts)).tolist(),
        opened.neighbourhood(["c0"], 9).relations,
        sorted(opened.sole_names(["notion 3 ☃", "concept 2", "none"]).items()),
    )


def exported(folder, items, **options):
    with VectorIndex.connect(folder / "index.db", **options) as index:
        index.activate(index.build(items, ENCODER, GRAPH, smoothing=0.2))
        index.export(folder / "out")
        return folder / "out", contents(index)


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    """A folder, which a server on this machine finds by its path, and what it holds."""
    return exported(tmp_path_factory.mktemp("export"), stock())


@contextlib.contextmanager
def database():
    from pymilvus import MilvusClient

    client, name = MilvusClient(SERVER), f"bulk_{uuid.uuid4().hex[:8]}"
    client.create_database(name)
    try:
        yield name
    finally:
        client.drop_database(name)
        client.close()


@needs_server
@pytest.mark.server
def test_what_a_server_imports_itself_is_what_was_exported(export):
    folder, whole = export
    with database() as name, fresh_index(SERVER, db_name=name) as index:
        version = index.import_version(folder, remote_path=f"{folder}/")
        assert index.versions()[0].state == "ready"
        index.activate(version)
        assert contents(index) == whole
        assert index.import_version(folder, remote_path="nowhere") == version  # is there


@needs_server
@pytest.mark.server
def test_another_copy_in_the_servers_storage_is_refused_and_mended(export, tmp_path):
    """Of as many rows, so that their number says nothing."""
    folder, whole = export
    other, _ = exported(tmp_path, stock(text="other {}"))
    with fresh_index(SERVER) as index:
        with pytest.raises(ArtifactError, match=r"copy of items.parquet to be that of .*, got another"):
            index.import_version(folder, remote_path=str(other))
        with pytest.raises(VectorIndexError, match="finished version"):
            index.activate(index.versions()[0].id)
        index.activate(index.import_version(folder, remote_path=str(folder)))
        assert contents(index) == whole


@needs_server
@pytest.mark.server
def test_what_a_server_cannot_import_is_said_in_its_words_and_mended(export, tmp_path):
    folder, whole = export
    shutil.copytree(folder, tmp_path / "copy")
    (tmp_path / "copy" / "names.parquet").write_bytes(b"PAR1")
    with fresh_index(SERVER) as index:
        for copy in (tmp_path / "copy", tmp_path / "none"):
            with pytest.raises(VectorIndexError, match=r"could not import '.*' from its storage: \w+"):
                index.import_version(folder, remote_path=str(copy))
        assert index.live is None
        # As a kill while collections are made leaves it.
        index._connection.call("drop_collection", f"{index.name}_{index.versions()[0].id}_names")
        index.activate(index.import_version(folder, remote_path=str(folder)))
        assert contents(index) == whole


def begin_import(folder, name, pipe):
    """Ask for an import, say so, and wait to be killed."""

    def wait(seconds):
        pipe.send("asked")
        threading.Event().wait()

    bulk_import.time = SimpleNamespace(sleep=wait)
    with VectorIndex.connect(SERVER, name=name) as index:
        index.import_version(folder, remote_path=str(folder))


@needs_server
@pytest.mark.server
def test_an_import_that_was_killed_begins_anew_and_has_every_row_once(export):
    """The server goes on with what it was asked for, and is let."""
    folder, whole = export
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    with fresh_index(SERVER) as index:
        worker = context.Process(target=begin_import, args=(folder, index.name, theirs))
        worker.start()
        theirs.close()
        assert ours.recv() == "asked"
        worker.kill()
        worker.join()
        assert [version.state for version in index.versions()] == ["building"]
        index.activate(index.import_version(folder, remote_path=str(folder)))
        assert contents(index) == whole


@needs_server
@pytest.mark.server
def test_an_edited_version_is_not_begun_anew(export):
    folder, _ = export
    with fresh_index(SERVER) as index:
        version = index.import_version(folder, remote_path=str(folder))
        index.open(version, fingerprint=ENCODER.fingerprint).delete(["i0"])
        with pytest.raises(VectorIndexError, match="got one that was edited"):
            index.import_version(folder, remote_path=str(folder))
        assert index.open(version, fingerprint=ENCODER.fingerprint).count() == 299


def test_a_local_file_and_words_are_not_imported_from_storage(export, tmp_path):
    folder, _ = export
    with VectorIndex.connect(tmp_path / "index.db") as index:
        with pytest.raises(UnsupportedIndexError, match="got a local file; leave remote_path out"):
            index.import_version(folder, remote_path=str(folder))
        with pytest.raises(InvalidInputError, match="remote_path"):
            index.import_version(folder, remote_path="")
        assert not index.versions()
