"""A saved model read beside a process that holds its index, and from a folder that nobody may write."""

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from aisle_samples import saved_aisles
from zeroshot_core import ZeroShotClassifier
from zeroshot_core.errors import ArtifactError, IndexLockedError, InvalidInputError
from zeroshot_core.index.connection import is_locked
from zeroshot_core.prediction import load_model
from zeroshot_core.types import Item

HOLDER = """
import sys
from zeroshot_core.prediction import load_model
model = load_model(sys.argv[1])
print(model.predict(["red wine 9"]).tolist(), flush=True)
sys.stdin.read()
"""
READER = """
import sys
from zeroshot_core.prediction import load_model
model = load_model(sys.argv[1], read_only=True)
print(model.predict(["red wine 9"]).tolist(), *{"pymilvus", "milvus_lite", "grpc"} & set(sys.modules))
"""


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A saved classifier that another process has open."""
    folder = saved_aisles(tmp_path_factory.mktemp("held") / "aisles")
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "['drinks']\n"
    yield folder
    holder.communicate(timeout=60)


def test_a_held_model_is_read_from_a_copy_that_goes_with_it(held: Path) -> None:
    with pytest.raises(IndexLockedError):
        load_model(held)
    first, second = (load_model(held, read_only=True) for _ in range(2))
    copies = {Path(each.model_index_.index.uri) for each in (first, second)}

    assert first.predict(["red wine 9"]).tolist() == ["drinks"]
    hits, same = (each.retriever_.retrieve(["dog food"], top_k=3)[0] for each in (first, second))
    assert hits == same
    for each in (first, second):
        each.close()
    assert len(copies) == 2
    assert not any(copy.parent.exists() for copy in copies)


def test_a_copy_is_read_from_its_files_alone(held: Path) -> None:
    told = subprocess.run([sys.executable, "-c", READER, str(held)], capture_output=True, text=True)

    assert told.stdout == "['drinks']\n"


def test_a_copy_answers_alike_from_its_files_and_once_milvus_lite_is_started(held: Path) -> None:
    model = load_model(held, read_only=True)
    index, texts = model.model_index_.index, ["dog food", "red wine 9", "soup"]
    assert is_locked(Path(index.uri))
    assert index._connection.is_at_rest
    before = model.retriever_.retrieve(texts, top_k=20)
    assert index._connection.is_at_rest

    assert [info.id for info in index.versions()] == [model.version_.info.id]
    assert not index._connection.is_at_rest
    assert is_locked(Path(index.uri))
    assert model.retriever_.retrieve(texts, top_k=20) == before
    model.close()


def test_a_copy_whose_files_tell_not_all_is_read_by_milvus_lite(tmp_path: Path) -> None:
    folder = saved_aisles(tmp_path / "aisles")
    model = load_model(folder)
    version = model.version_
    version.upsert([Item(id="late", text="late bottled port")], model.encoder_)
    other = load_model(folder, read_only=True)

    assert not other.model_index_.index._connection.is_at_rest
    assert other.retriever_.retrieve(["late bottled port"], top_k=1)[0][0].id == "late"
    for each in (model, other):
        each.close()


def test_what_is_learned_by_a_reader_is_saved_elsewhere_alone(held: Path, tmp_path: Path) -> None:
    model = load_model(held, read_only=True)
    model.partial_fit(["lawn mower"], ["garden"])
    with pytest.raises(ArtifactError, match="opened to be read"):
        model.save(held, overwrite=True)
    model.save(tmp_path / "own")
    model.close()
    own = load_model(tmp_path / "own")

    assert own.predict(["lawn mower"]).tolist() == ["garden"]
    own.close()


def test_a_folder_that_cannot_be_written_is_read_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = saved_aisles(tmp_path / "aisles")
    before = sorted(path.name for path in folder.rglob("*"))
    # Whoever runs the tests as root may write everything.
    monkeypatch.setattr(os, "access", lambda path, mode: folder not in Path(path).parents)
    model = ZeroShotClassifier.load(folder)

    assert model.model_index_.original == next(folder.glob("index*.db"))
    assert model.predict(["red wine 9"]).tolist() == ["drinks"]
    model.close()
    assert sorted(path.name for path in folder.rglob("*")) == before


def test_a_name_that_is_a_path_has_nothing_copied(tmp_path: Path) -> None:
    folder = saved_aisles(tmp_path / "aisles")
    manifest = json.loads((folder / "model.json").read_text())
    manifest["index"]["name"] = "../../state"
    (folder / "model.json").write_text(json.dumps(manifest))

    with pytest.raises(InvalidInputError, match="expected a name of letters"):
        load_model(folder, read_only=True)


def test_what_goes_while_it_is_copied_is_copied_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = saved_aisles(tmp_path / "aisles")
    copy, gone = shutil.copyfile, []

    def compacted(source: Path, target: Path) -> object:
        if source.suffix == ".parquet" and not gone:
            gone.append(source)
            raise FileNotFoundError(source)
        return copy(source, target)

    monkeypatch.setattr(shutil, "copyfile", compacted)
    model = load_model(folder, read_only=True)

    assert gone
    assert len(model.retriever_.retrieve(["dog food"], top_k=12)[0]) == 12
    model.close()


def test_files_have_the_permissions_of_the_users_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        folder = saved_aisles(tmp_path / "aisles")
    finally:
        os.umask(before)
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*")}

    assert {mode for path, mode in modes.items() if path.is_file()} == {0o640}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o750}
