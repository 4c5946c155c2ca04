"""A Milvus Lite folder that a stranger wrote leads nowhere outside itself, and has nobody asked."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from zeroshot_core import ArtifactError, ZeroShotRegressor, load_model
from zeroshot_core.encoders import HashEncoder

DATA = "partitions/_default/data/data_000001_000008.parquet"
LOG = "wal/wal_data_000002.arrow"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lite") / "model"
    texts = [f"{colour} {thing}" for colour in ("red", "green") for thing in ("wine", "soap", "socks", "tea")]
    model = ZeroShotRegressor(HashEncoder(32), top_k=3).fit(texts, list(range(8)))
    model.save(folder)
    model.close()
    return folder


@pytest.fixture
def items(saved: Path, tmp_path: Path) -> Path:
    """The folder of the items of a saved model."""
    folder = shutil.copytree(saved, tmp_path / "given" / "model")
    return next(Path(folder).glob("index-*.db/collections/*_items"))


def rewrite(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    entries = json.loads(path.read_text())
    change(entries)
    path.write_text(json.dumps(entries))


def data_by_path(items: Path) -> None:
    outside = items.parents[3] / "data_000001_000008.parquet"
    (items / DATA).rename(outside)
    rewrite(items / "manifest.json", lambda entries: files_of(entries).update(data_files=[str(outside)]))


def data_above(items: Path) -> None:
    (items / DATA).rename(items.parents[3] / "data_000001_000008.parquet")
    above = "data/../../../../../../../data_000001_000008.parquet"
    rewrite(items / "manifest.json", lambda entries: files_of(entries).update(data_files=[above]))


def delta_above_in_the_former_manifest(items: Path) -> None:
    rewrite(items / "manifest.json.prev", lambda entries: files_of(entries).update(delta_files=["..\\x"]))


def partition_above(items: Path) -> None:
    rewrite(items / "manifest.json", lambda entries: entries["partitions"].update({"../..": {}}))


def log_rows(items: Path, partition: str) -> None:
    """Write the items into the log, as to go into a partition."""
    (rows,) = pq.read_table(items / DATA).to_batches()
    places = pa.array([partition] * rows.num_rows)
    rows = pa.RecordBatch.from_arrays([places, *rows.columns], names=["_partition", *rows.schema.names])
    with pa.OSFile(str(items / LOG), "wb") as file, pa.ipc.new_stream(file, rows.schema) as stream:
        stream.write_batch(rows)


def log_of_a_partition_elsewhere(items: Path) -> None:
    log_rows(items, str(items.parents[3] / "written"))


def field_that_is_a_path(items: Path) -> None:
    rewrite(items / "schema.json", lambda entries: entries["fields"][1].update(name="x/../../y"))


def index_over_a_path(items: Path) -> None:
    spec = {"field_name": "x/../../y", "index_type": "FLAT", "metric_type": "COSINE", "build_params": {}}
    rewrite(items / "manifest.json", lambda entries: entries["index_specs"].update(vector=spec))


def alias_elsewhere(items: Path) -> None:
    rewrite(items.parents[1] / "aliases.json", lambda entries: entries.update(zeroshot_items="../../../x"))


def snapshots(items: Path) -> None:
    (items / "snapshots").mkdir()


def vectors_by_a_service(items: Path) -> None:
    function = {
        "name": "ask",
        "function_type": 2,
        "input_field_names": ["text"],
        "output_field_names": ["vector"],
        "params": {"provider": "openai", "base_url": "http://127.0.0.1:9"},
    }
    rewrite(items / "schema.json", lambda entries: entries.update(functions=[function]))


def another_database(items: Path) -> None:
    inner = items.parents[1] / "databases" / "other" / "collections" / "x"
    inner.mkdir(parents=True)
    shutil.copy(items / "schema.json", inner)
    vectors_by_a_service(inner)


def files_of(entries: dict[str, Any]) -> dict[str, Any]:
    files: dict[str, Any] = entries["partitions"]["_default"]
    return files


@pytest.mark.parametrize(
    ("craft", "message"),
    [
        (data_by_path, r"manifest\.json .* got the file '/"),
        (data_above, r"manifest\.json .* got the name '\.\./\.\./"),
        (delta_above_in_the_former_manifest, r"manifest\.json\.prev .* got the file"),
        (partition_above, r"manifest\.json .* got the name '\.\./\.\.'"),
        (log_of_a_partition_elsewhere, r"wal .* got the name '/.*written'"),
        (field_that_is_a_path, r"schema\.json .* got the name 'x/"),
        (index_over_a_path, r"manifest\.json .* got the name 'x/"),
        (alias_elsewhere, r"aliases\.json .* got the name '\.\./"),
        (snapshots, r"_items .* got snapshots"),
        (vectors_by_a_service, r"schema\.json .* got the function .*, which asks a service"),
        (another_database, r"x/schema\.json .* got the function"),
    ],
)
def test_an_index_keeps_to_its_folder(craft: Callable[[Path], None], message: str, items: Path) -> None:
    craft(items)
    model, given = items.parents[2], items.parents[3]
    before = sorted(given.rglob("*"))

    with pytest.raises(ArtifactError, match=message):
        load_model(model)

    assert sorted(given.rglob("*")) == before


def test_what_a_kill_has_left_is_read_as_before(items: Path) -> None:
    folder = items.parents[2]
    model = load_model(folder)
    expected = model.predict(["red wine"])
    model.close()
    # As after a kill before the rows were written: they are in the log, and the manifest is torn.
    log_rows(items, "_default")
    with (items / LOG).open("ab") as log:
        log.write(b"cut o")
    (items / DATA).unlink()
    rewrite(items / "manifest.json", lambda entries: files_of(entries).update(data_files=[]))
    (items / "manifest.json").replace(items / "manifest.json.prev")
    (items / "manifest.json").write_text('{"version"')

    model = load_model(folder)

    assert model.predict(["red wine"]) == pytest.approx(expected)
    model.close()
