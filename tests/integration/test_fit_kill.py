"""A kill -9 at any moment of a new fit leaves the folder serving, and the next fit finishes it."""

import json
import multiprocessing
import time

import numpy as np
import pytest
from zeroshot_core import Item, KnowledgeGraph, ZeroShotRegressor, load_model
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.index import VectorIndex

GRAPH = KnowledgeGraph.from_table([{"kind": kind} for kind in ("wine", "tea", "soap", "socks")], ["kind"])
QUERIES = ["wine number 3", "tea number 5", "something else"]


def stock(name):
    """Items and targets of one of two data sets, which share half of their ids."""
    first = {"a": 0, "b": 6}[name]
    numbers = range(first, first + 12)
    kinds = [("wine", "tea", "soap", "socks")[n % 4] for n in numbers]
    items = [
        Item(id=f"i{n}", text=f"{kind} number {n} of {name}", concepts=(f"kind:{kind}",))
        for n, kind in zip(numbers, kinds, strict=True)
    ]
    return items, [float(len(kind) * n) for n, kind in zip(numbers, kinds, strict=True)]


def fit(folder, name, pipe):
    """Fit anew on the index in the folder, and replace the model there."""
    pipe.send("start")
    items, targets = stock(name)
    model = ZeroShotRegressor(HashEncoder(64), GRAPH, index=str(folder / "index.db"), top_k=5)
    model.fit(items, targets).save(folder, overwrite=True)
    pipe.send(model.predict(QUERIES).tolist())
    model.close()


def forecast(folder, pipe):
    model = load_model(folder)
    pipe.send(model.predict(QUERIES).tolist())
    model.close()


class Worker:
    """A process of its own, to be killed or waited for."""

    def __init__(self, context, target, *arguments):
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=target, args=(*arguments, theirs))
        self.process.start()
        theirs.close()

    def receive(self):
        assert self.pipe.poll(120), "expected an answer within 120 s, got none"
        return self.pipe.recv()

    def end(self):
        self.process.join()
        self.pipe.close()
        assert self.process.exitcode == 0

    def kill(self):
        self.process.kill()
        self.process.join()
        self.pipe.close()


def finish(context, folder, name):
    """Fit to the end: the forecasts, and the seconds it took."""
    worker = Worker(context, fit, folder, name)
    worker.receive()
    start = time.monotonic()
    told = worker.receive()
    worker.end()
    return told, time.monotonic() - start


def served(context, folder):
    worker = Worker(context, forecast, folder)
    told = worker.receive()
    worker.end()
    return told


def current(folder):
    return json.loads((folder / "model.json").read_text())


@pytest.mark.slow
def test_ten_kills_of_a_fit_leave_a_model_serving(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["pymilvus", "milvus_lite.db", "sklearn.ensemble", "safetensors.numpy", __name__]
    )
    folder = tmp_path / "model"
    expected, versions = {}, {}
    for name in ("b", "a"):
        expected[name], seconds = finish(context, folder, name)
        versions[current(folder)["index"]["version"]] = name
    assert expected["a"] != expected["b"]

    rng = np.random.default_rng(0)
    serving, replaced = "a", 0
    for round_number in range(10):
        worker = Worker(context, fit, folder, "b" if serving == "a" else "a")
        worker.receive()
        time.sleep(seconds * (round_number + rng.uniform()) / 10)
        worker.kill()
        before, serving = serving, versions[current(folder)["index"]["version"]]
        replaced += serving != before
        assert served(context, folder) == expected[serving]
    assert replaced < 10

    last = "b" if serving == "a" else "a"
    assert finish(context, folder, last)[0] == expected[last]
    assert served(context, folder) == expected[last]
    assert {path.name for path in folder.iterdir()} == {"index.db", "model.json", current(folder)["state"]}
    with VectorIndex.connect(str(folder / "index.db")) as index:
        assert [(version.id, version.is_live, version.state) for version in index.versions()] == [
            (current(folder)["index"]["version"], True, "ready")
        ]
