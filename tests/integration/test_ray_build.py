"""Data sets built and forecast by actors of a local Ray; they are killed, and the driver, and the server."""

import multiprocessing
import os
import signal
import sys
import threading
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from milvus_targets import fresh_index
from typer.testing import CliRunner
from zeroshot_core import encoders
from zeroshot_core.cli.main import app
from zeroshot_core.encoders import FunctionEncoder, HashEncoder
from zeroshot_core.errors import (
    ConnectionFailedError,
    InvalidInputError,
    UnknownConceptError,
    VectorIndexError,
    ZeroShotError,
)
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.index import RayOptions, VectorIndex, ray_items
from zeroshot_core.index.ray_run import RayRun
from zeroshot_core.prediction import ZeroShotRegressor, load_model, predict_files
from zeroshot_core.types import Concept

from scripts import milvus_server, object_store
from scripts.local_ray import local_ray

ray = pytest.importorskip("ray")
pyarrow = pytest.importorskip("pyarrow")
pytestmark = [
    pytest.mark.ray,
    pytest.mark.skipif(not milvus_server.SERVER.exists(), reason="`make milvus` has not been run"),
    # Ray's own.
    pytest.mark.filterwarnings("ignore"),
]

N_ROWS = 1200
ENCODER = HashEncoder(32)
GRAPH = KnowledgeGraph([Concept(id=f"c{n}", name=f"concept {n}") for n in range(10)])
OPTIONS = RayOptions(n_actors=2, block_rows=64)
# Only a run that hangs takes so long: what is waited for is an event, on a machine that does other things.
LONG_S = 300


class GatedWriter(ray_items.ItemWriter):
    """Says which process has written a block, and holds it until the gate is open."""

    gate: ClassVar[str]

    def __call__(self, block):
        answer = super().__call__(block)
        Path(self.gate, str(os.getpid())).touch()
        while not Path(self.gate, "open").exists():
            time.sleep(0.05)
        return answer


class Gate:
    """A folder by which actors are held in the middle of a build."""

    def __init__(self, folder):
        self.folder = folder

    def wait_for_actors(self, n):
        """Process ids of `n` actors that each have written a block."""
        return [int(path.name) for path in wait_until(lambda: self._marks(n))]

    def open(self):
        (self.folder / "open").touch()

    def shut(self):
        for path in self.folder.iterdir():
            path.unlink()

    def _marks(self, n):
        marks = list(self.folder.iterdir())
        return marks if len(marks) >= n else []


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    # A server that was killed is waited for as long as it had been believed to live, 30 s by default.
    patch.setenv("COMMON_SESSION_TTL", "10")
    with milvus_server.MilvusServer(tmp_path_factory.mktemp("milvus")) as served:
        yield served
    patch.undo()


@pytest.fixture(scope="module")
def cluster():
    with local_ray(object_store_mb=100) as address:
        yield address


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    import pyarrow.parquet

    folder = tmp_path_factory.mktemp("rows")
    for part in range(2):
        numbers = range(part * N_ROWS // 2, (part + 1) * N_ROWS // 2)
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


@pytest.fixture
def gate(tmp_path, monkeypatch):
    folder = tmp_path / "gate"
    folder.mkdir()
    monkeypatch.setattr(ray_items, "ItemWriter", gated(folder))
    return Gate(folder)


def gated(folder):
    # Actors can't import this file.
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    return type("GatedItemWriter", (GatedWriter,), {"gate": str(folder)})


def wait_until(holds):
    """What `holds` gives, once it is true."""
    end = time.monotonic() + LONG_S
    while not (found := holds()):
        assert time.monotonic() < end, f"expected it within {LONG_S} s"
        time.sleep(0.1)
    return found


@contextmanager
def beside(function, *arguments):
    """Do something in a thread meanwhile, and raise what that raised."""
    problems = []

    def work():
        try:
            function(*arguments)
        except BaseException as error:
            problems.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        thread.join()
    assert not problems, problems


def check_whole(index, version):
    index.activate(version)
    opened = index.open(fingerprint=ENCODER.fingerprint)
    ids = [f"i{number}" for number in range(N_ROWS)]
    assert opened.count() == N_ROWS
    assert set(opened.all_ids()) == set(ids)
    assert opened.items(["i1123"])[0].metadata == {"price": 1123 / 3}
    expected = ENCODER.encode([f"article {number % 1000}" for number in range(N_ROWS)])
    np.testing.assert_array_equal(opened.item_vectors(ids), expected)


def build(uri, name, files, address, folder):
    """Build in a process of its own, which is killed."""
    ray_items.ItemWriter = gated(folder)
    options = RayOptions(address=address, block_rows=64)
    with VectorIndex.connect(uri, name=name) as index:
        index.build_from(files, ENCODER, GRAPH, ray=options)


def test_a_killed_driver_and_a_killed_actor_leave_every_row_once(server, cluster, files, gate):
    context = multiprocessing.get_context("spawn")
    with fresh_index(server.uri) as index:
        given = server.uri, index.name, files, cluster, gate.folder
        driver = context.Process(target=build, args=given, daemon=True)
        driver.start()
        gate.wait_for_actors(1)
        driver.kill()
        driver.join()
        assert [info.state for info in index.versions()] == ["building"]
        gate.shut()

        def kill_one():
            [*others, first] = gate.wait_for_actors(1)
            os.kill(first, signal.SIGKILL)
            gate.wait_for_actors(len(others) + 2)
            gate.open()

        with beside(kill_one):
            version = index.build_from(files, ENCODER, GRAPH, ray=OPTIONS)
        check_whole(index, version)


def test_a_killed_server_leaves_every_row_once(server, cluster, files, gate):
    def kill_and_begin():
        gate.wait_for_actors(1)
        server.kill()
        gate.open()
        server.begin()

    with fresh_index(server.uri) as index:
        # Clients ask again for a minute or two, so that this run may end well.
        with beside(kill_and_begin), suppress(ZeroShotError):
            index.build_from(files, ENCODER, GRAPH, ray=OPTIONS)

        def build_again():
            # A server that begins again refuses for a while to load what it had loaded.
            with suppress(VectorIndexError):
                return index.build_from(files, ENCODER, GRAPH, ray=OPTIONS)

        check_whole(index, wait_until(build_again))


def test_a_data_set_makes_the_same_version_with_ray_and_without(server, cluster, files, tmp_path):
    with fresh_index(server.uri) as index, VectorIndex.connect(tmp_path / "index.db") as local:
        dataset = ray.data.read_parquet(files.rpartition("/")[0])
        version = index.build_from(dataset, ENCODER, GRAPH, ray=OPTIONS)
        assert local.build_from(files, ENCODER, GRAPH) == version
        check_whole(index, version)
        check_whole(local, version)


def test_the_commands_index_and_forecast_by_ray(server, cluster, files, saved_model, tmp_path, monkeypatch):
    monkeypatch.setattr(encoders, "load_encoder", lambda *_, **__: ENCODER)
    by_ray = ["--engine", "ray", "--workers", "2"]
    with fresh_index(server.uri) as index:
        where = ["--uri", server.uri, "--name", index.name]
        told = CliRunner().invoke(app, ["index", "--input", f"file://{files}", *where, *by_ray])
        assert told.exit_code == 0, told.output
        assert f"{N_ROWS} items are live as version {told.stdout.strip()}" in told.stderr
        check_whole(index, told.stdout.strip())

    out = tmp_path / "out"
    words = ["predict", "--model", str(saved_model), "--input", files, "--out", str(out)]
    told = CliRunner().invoke(app, [*words, *by_ray])
    assert told.exit_code == 0, told.output
    assert f"{N_ROWS} predictions are in {str(out)!r}" in told.stderr

    import pyarrow.parquet

    by_actors = pyarrow.parquet.read_table(out).to_pandas().set_index("id")["expected"]
    assert predict_files(saved_model, files, tmp_path / "out.parquet") == N_ROWS
    here = pyarrow.parquet.read_table(tmp_path / "out.parquet").to_pandas().set_index("id")["expected"]
    # Of equally near neighbours another one may be taken in a batch of another size.
    np.testing.assert_allclose(by_actors[here.index], here, rtol=0.02)
    with closing(load_model(saved_model)) as model:
        np.testing.assert_allclose(here["i7"], model.predict(["article 7"])[0], rtol=0.02)


@pytest.fixture(scope="module")
def saved_model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "model"
    with closing(
        ZeroShotRegressor(ENCODER).fit([f"article {n}" for n in range(60)], list(range(60)))
    ) as model:
        model.save(folder)
    return folder


@pytest.fixture
def bucket(monkeypatch):
    """A bucket, with user and password, of an S3 on this machine."""
    if not object_store.SERVER.exists():
        pytest.skip("`make object-store` has not been run")
    from pyarrow.fs import S3FileSystem

    with object_store.object_store() as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        given = {"access_key": "user", "secret_key": "unspeakable", "endpoint_override": address}
        S3FileSystem(allow_bucket_creation=True, **given).create_dir("shop")
        yield "s3://user:unspeakable@shop"


@pytest.mark.parametrize("engine", ["local", "ray"])
def test_an_object_store_is_read_and_written(
    cluster, server, files, saved_model, bucket, engine, monkeypatch
):
    import pyarrow.parquet
    from pyarrow.fs import FileSystem

    monkeypatch.setattr(encoders, "load_encoder", lambda *_, **__: ENCODER)
    store, _ = FileSystem.from_uri(bucket)
    for path in Path(files).parent.glob("*.parquet"):
        table = pyarrow.parquet.read_table(path)
        pyarrow.parquet.write_table(table, f"shop/rows/{path.name}", filesystem=store)

    def told(*words):
        answer = CliRunner().invoke(app, [*words, "--engine", engine])
        assert "unspeakable" not in answer.output
        return answer

    with fresh_index(server.uri) as index:
        where = ["--uri", server.uri, "--name", index.name]
        answer = told("index", "--input", f"{bucket}/rows/*.parquet", *where)
        assert answer.exit_code == 0, answer.output
        check_whole(index, answer.stdout.strip())

    forecast = ["predict", "--model", str(saved_model), "--input", f"{bucket}/rows"]
    name = "shop/out.parquet" if engine == "local" else "shop/out"
    out = bucket.replace("shop", name)
    answer = told(*forecast, "--out", out)
    assert answer.exit_code == 0, answer.output
    assert f"{N_ROWS} predictions are in 's3://...@{name}'" in answer.stderr
    assert len(set(pyarrow.parquet.read_table(name, filesystem=store).column("id").to_pylist())) == N_ROWS
    again = told(*forecast[:-1], f"{bucket}/none", "--out", out)
    assert again.exit_code == 1
    assert "got none" in again.output


def test_what_actors_refuse_is_said_in_one_sentence(server, cluster, files, tmp_path):
    few = KnowledgeGraph([Concept(id="c0", name="only")])
    twice = ray.data.from_items(
        [{"id": "a", "text": "one"}, {"id": "a", "text": "two"}], override_num_blocks=2
    )
    function = FunctionEncoder(ENCODER.encode, name="f", dimension=32)
    with fresh_index(server.uri) as index:
        with pytest.raises(UnknownConceptError, match=r"unknown: 'c\d' of item .* add them to the graph$"):
            index.build_from(files, ENCODER, few, ray=OPTIONS)
        with pytest.raises(InvalidInputError, match="expected columns 'id' and 'text', got only"):
            index.build_from(ray.data.from_items([{"only": 1}]), ENCODER)
        assert index.versions() == []
        with pytest.raises(InvalidInputError, match="expected unique item ids, got 1 in 2 rows"):
            index.build_from(twice, ENCODER, ray=RayOptions(block_rows=1))
        with pytest.raises(InvalidInputError, match="got 'f', which is made of a function; give one of"):
            index.build_from(files, function, ray=OPTIONS)
    with (
        VectorIndex.connect(tmp_path / "index.db") as local,
        pytest.raises(
            VectorIndexError, match="expected a Milvus server for a build by Ray, got the local file"
        ),
    ):
        local.build_from(files, ENCODER, ray=OPTIONS)


class Failing:
    """Fails in one actor while the other waits, as for a server that has died."""

    def __init__(self, folder):
        self.mark = Path(folder, "one waits")

    def __call__(self, block):
        try:
            self.mark.touch(exist_ok=False)
        except FileExistsError:
            raise VectorIndexError("the server died") from None
        time.sleep(2 * LONG_S)


class Counting:
    def __call__(self, block):
        return {"rows": [len(block)]}


def test_actors_of_a_run_that_failed_leave_their_cores_to_the_next(cluster, tmp_path):
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    options = RayOptions(n_actors=2, block_rows=10)
    failing, counting = RayRun(options), RayRun(options)
    with pytest.raises(VectorIndexError, match=r"^the server died$"):
        list(failing.rows(failing.by_actors(ray.data.range(40), Failing, folder=str(tmp_path))))
    answers = counting.rows(counting.by_actors(ray.data.range(40), Counting))
    assert sum(answer["rows"] for answer in answers) == 40


def test_a_run_without_room_says_so(cluster):
    run = RayRun(RayOptions(remote_args={"num_cpus": 64}, wait_s=0.5))
    with pytest.raises(
        VectorIndexError,
        match=r"^expected Ray to have room for {'num_cpus': 64} within 0.5 s, got {.*} free; end what",
    ):
        next(run.rows(run.by_actors(ray.data.range(40), Counting)))


@pytest.fixture
def no_ray(monkeypatch):
    """A process that is not connected, whatever the others of this file have begun."""
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    return monkeypatch


def test_a_cluster_that_does_not_answer_is_named(no_ray):
    def refuse(address, **_):
        raise ConnectionError("no answer\nand a trace")

    no_ray.setattr(ray, "init", refuse)
    with pytest.raises(ConnectionFailedError, match=r"at 'head:1', got none \(no answer\);"):
        RayOptions(address="head:1").start()
    with pytest.raises(
        InvalidInputError, match=r"such as head:6379 or auto, .*, got 'ray://head:1': Ray Data"
    ):
        RayOptions(address="ray://head:1").start()


def test_a_local_ray_that_starts_too_slowly_is_started_twice(no_ray):
    refusals = [Exception("The current node timed out during startup.")] * 3

    def begin(address, **_):
        if refusals:
            raise refusals.pop()

    no_ray.setattr(ray, "init", begin)
    with pytest.raises(ConnectionFailedError, match=r"on this machine, got none .* when it has less to do$"):
        RayOptions().start()
    RayOptions().start()
    assert not refusals
