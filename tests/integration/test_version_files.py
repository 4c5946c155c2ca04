"""A version goes from one Milvus to another to the last digit, and becomes another by what changed alone."""

import json
from dataclasses import replace

import numpy as np
import pytest
from milvus_targets import fresh_index
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.errors import ArtifactError, InvalidInputError, UnknownConceptError, UnsupportedIndexError
from zeroshot_core.files import file_digest
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.index import IndexParams, VectorIndex
from zeroshot_core.types import Concept, Item, Relation

GRAPH = KnowledgeGraph(
    [Concept(id=f"c{n}", name=f"concept {n}", synonyms=(f"notion {n} ☃",)) for n in range(5)],
    [Relation(head=f"c{n}", type="is_a", tail=f"c{n + 1}", weight=1 / 3, sources=("a",)) for n in range(4)],
)


class CountingEncoder(HashEncoder):
    """Remembers what it encoded."""

    def __init__(self, dimension=16):
        super().__init__(dimension)
        self.encoded = []

    def encode(self, contents, *, role="document", show_progress=False):
        self.encoded += contents
        return super().encode(contents, role=role)


def stock(n=60):
    return [
        Item(
            id=f"i{row}",
            text=f"thing {row} ünï",
            concepts=(f"c{row % 5}",),
            metadata={"price": row / 3, "on": row % 2 == 0, "note": 'say "hi"'},
        )
        for row in range(n)
    ]


def contents(index, encoder):
    opened = index.open(fingerprint=encoder.fingerprint)
    ids, concepts = opened.all_ids(), [f"c{n}" for n in range(5)]
    whole = opened.neighbourhood(["c0"], 9)
    return (
        opened.items(ids),
        opened.item_vectors(ids).tolist(),
        opened.concept_vectors(concepts).tolist(),
        whole.relations,
        sorted(opened.sole_names(["notion 3 ☃", "concept 2", "none"]).items()),
    )


def test_an_export_is_imported_there_and_back_to_the_last_digit(uri, tmp_path):
    encoder = HashEncoder(16)
    with (
        VectorIndex.connect(tmp_path / "first.db") as first,
        fresh_index(uri) as second,
        VectorIndex.connect(tmp_path / "third.db") as third,
    ):
        version = first.build(stock(), encoder, GRAPH, smoothing=0.2)
        first.activate(version)
        for source, target in ((first, second), (second, third)):
            info = source.export(tmp_path / source.name / "out")
            assert (info.id, info.counts["items"]) == (version, 60)
            assert target.import_version(tmp_path / source.name / "out") == version
            target.activate(version)
            assert contents(target, encoder) == contents(first, encoder)


def test_an_update_is_the_version_that_a_build_of_the_whole_makes(tmp_path):
    encoder = CountingEncoder()
    changed = [replace(stock()[3], text="thing 3 anew"), Item(id="new", text="brand new", concepts=("c1",))]
    whole = [item for item in stock() if item.id not in ("i3", "i7")] + changed
    with (
        VectorIndex.connect(tmp_path / "index.db") as index,
        VectorIndex.connect(tmp_path / "other.db") as other,
    ):
        index.activate(index.build(stock(), encoder, GRAPH))
        encoder.encoded.clear()
        version = index.update([*changed, stock()[9]], encoder, deleted=["i7", "unknown"])
        assert encoder.encoded == ["thing 3 anew", "brand new"]
        assert index.live.id != version
        index.activate(version)
        assert other.build(whole, encoder, GRAPH) == version
        other.activate(version)
        assert contents(index, encoder) == contents(other, encoder)
        assert index.update(changed, encoder) == version


def test_an_update_by_another_encoder_encodes_all_anew(tmp_path):
    with VectorIndex.connect(tmp_path / "index.db") as index:
        index.activate(index.build(stock(), HashEncoder(16), GRAPH))
        version = index.update([], HashEncoder(24), deleted=["i0"])
        assert version == index.build(stock()[1:], HashEncoder(24), GRAPH)


def test_an_update_that_was_killed_goes_on_with_what_is_there(tmp_path, monkeypatch):
    encoder = HashEncoder(16)
    with VectorIndex.connect(tmp_path / "index.db") as index:
        index.activate(index.build(stock(), encoder, GRAPH))
        monkeypatch.setattr("zeroshot_core.index.version_writer.VersionWriter.finish", lambda self: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            index.update([Item(id="new", text="new")], encoder)
        monkeypatch.undo()
        version = index.update([Item(id="new", text="new")], encoder)
        index.activate(version)
        assert index.open(fingerprint=encoder.fingerprint).count() == 61


def test_an_update_refuses_what_would_be_wrong(tmp_path):
    encoder = HashEncoder(16)
    with VectorIndex.connect(tmp_path / "index.db") as index:
        index.activate(index.build(stock(), encoder, GRAPH))
        with pytest.raises(InvalidInputError, match="either updated or deleted, got 1 that are both"):
            index.update([stock()[0]], encoder, deleted=["i0"])
        with pytest.raises(UnknownConceptError, match="got 1 unknown: 'c99' of item 'new'"):
            index.update([Item(id="new", text="x", concepts=("c99",))], encoder)
        assert len(index.versions()) == 1


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    with VectorIndex.connect(folder / "index.db") as index:
        index.export(folder / "out", index.build(stock(9), HashEncoder(16), GRAPH))
    return folder / "out"


def altered(exported, folder, alter):
    """A copy of an export, altered by someone who also puts the checksums right."""
    import shutil

    shutil.copytree(exported, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    alter(folder, manifest)
    for kind, entry in manifest["files"].items():
        entry["sha256"] = file_digest(folder / f"{kind}.parquet")
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def with_rows(change):
    def alter(folder, manifest):
        import pyarrow
        import pyarrow.parquet

        table = pyarrow.parquet.read_table(folder / "items.parquet")
        rows = table.to_pylist()
        change(rows)
        pyarrow.parquet.write_table(
            pyarrow.Table.from_pylist(rows, schema=table.schema), folder / "items.parquet"
        )

    return alter


def other_rows(rows):
    rows[0]["id"] = "stranger"


def long_text(rows):
    rows[0]["text"] = "é" * 40_000


def no_vector(rows):
    rows[0]["vector"] = [float("nan")] * 16


def no_json(rows):
    rows[0]["metadata"] = "{"


def other_dimension(folder, manifest):
    version = json.loads(manifest["version"]["zeroshot.version"])
    manifest["version"]["zeroshot.version"] = json.dumps(version | {"dimension": 8})


@pytest.mark.parametrize(
    ("alter", "error", "message"),
    [
        (with_rows(other_rows), ArtifactError, "to hold version v.*, got other rows"),
        (with_rows(long_text), InvalidInputError, "expected text of at most 65535 bytes, got 80000"),
        (with_rows(no_vector), InvalidInputError, "got values that are not finite"),
        (with_rows(no_json), InvalidInputError, "expected metadata as `VectorIndex.export` writes it"),
        (other_dimension, ArtifactError, "that `zeroshot export` wrote"),
        (lambda folder, manifest: manifest.update(version={}), ArtifactError, "that `zeroshot export` wrote"),
    ],
)
def test_a_folder_that_is_not_what_was_exported_is_refused(exported, tmp_path, alter, error, message):
    folder = altered(exported, tmp_path / "altered", alter)
    with VectorIndex.connect(tmp_path / "index.db") as index:
        with pytest.raises(error, match=message):
            index.import_version(folder)
        assert index.live is None


def test_a_damaged_or_missing_file_is_refused(exported, tmp_path):
    folder = altered(exported, tmp_path / "altered", lambda folder, manifest: None)
    (folder / "names.parquet").write_bytes(b"PAR1")
    with VectorIndex.connect(tmp_path / "index.db") as index:
        with pytest.raises(ArtifactError, match=r"names.parquet is missing or damaged"):
            index.import_version(folder)
        with pytest.raises(ArtifactError, match="that `zeroshot export` wrote"):
            index.import_version(tmp_path / "nowhere")


def test_an_edited_version_keeps_its_id_and_its_edits(tmp_path):
    encoder = HashEncoder(16)
    with VectorIndex.connect(tmp_path / "a.db") as index, VectorIndex.connect(tmp_path / "b.db") as other:
        version = index.build(stock(9), encoder, GRAPH)
        index.open(version, fingerprint=encoder.fingerprint).delete(["i0"])
        assert index.export(tmp_path / "out", version).state == "edited"
        assert other.import_version(tmp_path / "out") == version
        opened = other.open(version, fingerprint=encoder.fingerprint)
        assert (opened.count(), opened.info.state) == (8, "edited")


def test_an_index_type_that_the_target_lacks_is_refused(exported, tmp_path):
    def ask_for_scann(folder, manifest):
        version = json.loads(manifest["version"]["zeroshot.version"])
        version["params"] = IndexParams(index_type="SCANN").to_dict()
        manifest["version"] = {"zeroshot.version": json.dumps(version), "zeroshot.state": "edited"}

    folder = altered(exported, tmp_path / "altered", ask_for_scann)
    with VectorIndex.connect(tmp_path / "index.db") as index, pytest.raises(UnsupportedIndexError):
        index.import_version(folder)


def test_vectors_are_the_same_bytes(exported):
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(exported / "items.parquet")
    encoder, texts = HashEncoder(16), table.column("text").to_pylist()
    np.testing.assert_array_equal(np.stack(table.column("vector").to_numpy()), encoder.encode(texts))
