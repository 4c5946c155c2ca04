"""Data sets built and forecast by actors of a local Ray, which are killed, as is who gives them work."""

import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from milvus_targets import SERVER, fresh_index
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.errors import InvalidInputError, UnknownConceptError, VectorIndexError
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.index import RayOptions, VectorIndex
from zeroshot_core.prediction import ZeroShotRegressor, predict_dataset, predict_files
from zeroshot_core.types import Concept

ray = pytest.importorskip("ray")
pyarrow = pytest.importorskip("pyarrow")
pytestmark = [
    pytest.mark.server,
    pytest.mark.slow,
    pytest.mark.skipif(not SERVER, reason="ZEROSHOT_TEST_URI is not set"),
    # Ray's own.
    pytest.mark.filterwarnings("ignore"),
]

N_ROWS = 4000
GRAPH = KnowledgeGraph([Concept(id=f"c{n}", name=f"concept {n}") for n in range(10)])
OPTIONS = RayOptions(n_actors=2, block_rows=128, remote_args={"num_cpus": 0.5})


@pytest.fixture(scope="module")
def cluster():
    started = ray.init(
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=200 * 2**20,
        log_to_driver=False,
        logging_level="error",
    )
    yield started.address_info["address"]
    ray.shutdown()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    import pyarrow.parquet

    folder = tmp_path_factory.mktemp("rows")
    for part in range(4):
        numbers = range(part * N_ROWS // 4, (part + 1) * N_ROWS // 4)
        table = pyarrow.table(
            {
                "id": [f"i{number}" for number in numbers],
                "text": [f"article {number % 1000}" for number in numbers],
                "concepts": [[f"c{number % 10}"] for number in numbers],
                "price": [number / 3 for number in numbers],
            }
        )
        pyarrow.parquet.write_table(table, folder / f"{part}.parquet", row_group_size=250)
    return f"{folder}/*.parquet"


def check_whole(index, version):
    encoder = HashEncoder(32)
    index.activate(version)
    opened = index.open(fingerprint=encoder.fingerprint)
    ids = [f"i{number}" for number in range(N_ROWS)]
    assert opened.count() == N_ROWS
    assert set(opened.all_ids()) == set(ids)
    assert opened.items(["i1234"])[0].metadata == {"price": 1234 / 3}
    expected = encoder.encode([f"article {number % 1000}" for number in range(N_ROWS)])
    np.testing.assert_array_equal(opened.item_vectors(ids), expected)


def actors():
    """Processes of this Ray's writers."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                words = (folder / "cmdline").read_bytes()
                if b"ray::" in words and b"ItemWriter" in words and is_ours(int(folder.name)):
                    found.append(int(folder.name))
            except OSError:
                continue
    return found


def is_ours(process):
    while process > 1:
        if process == os.getpid():
            return True
        stat = Path(f"/proc/{process}/stat").read_text()
        process = int(stat.rpartition(")")[2].split()[1])
    return False


def wait_until(holds, seconds=60):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "expected it within a minute"
        time.sleep(0.05)


def n_written(index):
    versions = index.versions()
    names = [index._catalog.collection(info.id, "items") for info in versions]
    stats = (index._connection.call("get_collection_stats", name) for name in names)
    return sum(int(each["row_count"]) for each in stats)


def build(name, files, address):
    """Build in a process of its own, which is killed."""
    with VectorIndex.connect(SERVER, name=name) as index:
        index.build_from(files, HashEncoder(32), GRAPH, ray=RayOptions(address=address, block_rows=64))


def test_killed_actors_and_drivers_leave_every_row_once(cluster, files):
    context = multiprocessing.get_context("spawn")
    with fresh_index(SERVER) as index:
        driver = context.Process(target=build, args=(index.name, files, cluster), daemon=True)
        driver.start()
        wait_until(actors)
        time.sleep(1.5)
        driver.kill()
        driver.join()
        assert [info.state for info in index.versions()] == ["building"]
        wait_until(lambda: not actors())

        def kill_one():
            wait_until(actors)
            time.sleep(1)
            os.kill(actors()[0], signal.SIGKILL)

        killer = threading.Thread(target=kill_one)
        killer.start()
        version = index.build_from(files, HashEncoder(32), GRAPH, ray=OPTIONS)
        killer.join()
        check_whole(index, version)


def test_a_data_set_makes_the_same_version_with_ray_and_without(cluster, files, tmp_path):
    with fresh_index(SERVER) as index, VectorIndex.connect(tmp_path / "index.db") as local:
        dataset = ray.data.read_parquet(files.rpartition("/")[0])
        version = index.build_from(dataset, HashEncoder(32), GRAPH, ray=OPTIONS)
        assert local.build_from(files, HashEncoder(32), GRAPH) == version
        check_whole(index, version)
        check_whole(local, version)


def test_what_actors_refuse_is_said_in_one_sentence(cluster, files, tmp_path):
    few = KnowledgeGraph([Concept(id="c0", name="only")])
    twice = ray.data.from_items(
        [{"id": "a", "text": "one"}, {"id": "a", "text": "two"}], override_num_blocks=2
    )
    with fresh_index(SERVER) as index:
        with pytest.raises(UnknownConceptError, match=r"unknown: 'c\d' of item .* add them to the graph$"):
            index.build_from(files, HashEncoder(32), few, ray=OPTIONS)
        with pytest.raises(InvalidInputError, match="expected columns 'id' and 'text', got only"):
            index.build_from(ray.data.from_items([{"only": 1}]), HashEncoder(32))
        assert index.versions() == []
        with pytest.raises(InvalidInputError, match="expected unique item ids, got 1 in 2 rows"):
            index.build_from(twice, HashEncoder(32), ray=RayOptions(block_rows=1))
    with (
        VectorIndex.connect(tmp_path / "index.db") as local,
        pytest.raises(VectorIndexError, match="a server"),
    ):
        local.build_from(files, HashEncoder(32), ray=OPTIONS)


def test_forecasts_of_a_data_set_are_those_of_the_model(cluster, files, tmp_path):
    import pyarrow.parquet

    model = ZeroShotRegressor(HashEncoder(32)).fit([f"article {n}" for n in range(60)], list(range(60)))
    model.save(tmp_path / "model")
    rows = ray.data.read_parquet(files.rpartition("/")[0]).limit(300).materialize()
    told = predict_dataset(tmp_path / "model", rows, ray=OPTIONS).to_pandas().set_index("id")["expected"]
    rows.repartition(1).write_parquet(str(tmp_path / "rows"))
    assert predict_files(tmp_path / "model", tmp_path / "rows", tmp_path / "out.parquet") == 300
    here = pyarrow.parquet.read_table(tmp_path / "out.parquet").to_pandas().set_index("id")["expected"]
    np.testing.assert_allclose(told[here.index], here)
    number = int(here.index[0][1:])
    np.testing.assert_allclose(here.iloc[0], model.predict([f"article {number % 1000}"])[0])
    model.close()
