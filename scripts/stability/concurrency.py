"""Predict, explain, learn and write from 16 threads, 64 coroutines and forked children, at once."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from zeroshot_core import Item, ZeroShotClassifier
from zeroshot_core.serving.threads import run_in_thread

from scripts.stability.outcome import CampaignOutcome, Tally, hang_s, target_name
from scripts.stability.samples import ENCODER, GRAPH, QUERIES, Place, fitted_classifier, rows_of, stock
from scripts.stability.sandbox import FilesOfOthers

__all__ = ["run"]

_N_THREADS, _N_COROUTINES, _N_WRITERS = 16, 64, 4
# Calls of a forked child: how it ends must not matter to its parent.
_FORKS = """
import os, subprocess, sys, time
from pathlib import Path
from scripts.stability.samples import ENCODER, QUERIES, answers_of, fitted_classifier, same_answers, stock
from zeroshot_core import VectorIndex, load_model
n, folder, uri = int(sys.argv[1]), sys.argv[2], sys.argv[3] or None
temporary = fitted_classifier()
index = VectorIndex.connect(uri or f"{folder}/forked.db", name="forked")
kept = fitted_classifier(index)
kept.save(f"{folder}/forked-model")
before = answers_of(temporary), answers_of(kept)
for number in range(n):
    child = os.fork()
    if not child:
        if number % 3 == 0:
            raise SystemExit(0)
        if number % 3 == 1:
            del temporary, kept, index
            import gc
            gc.collect()
            sys.exit(0)
        raise RuntimeError("on purpose")
    os.waitpid(child, 0)
    if not same_answers(before[0], answers_of(temporary)):
        print("the temporary model answers otherwise after a child has ended", flush=True)
    if not same_answers(before[1], answers_of(kept)):
        print("the model answers otherwise after a child has ended", flush=True)
    if not uri:
        probe = "from zeroshot_core import VectorIndex; import sys; VectorIndex.connect(sys.argv[1])"
        if number == 0:
            command = [sys.executable, "-c", probe, f"{folder}/forked.db"]
            told = subprocess.run(command, capture_output=True, text=True)
            if "IndexLockedError" not in told.stderr:
                print("another process may open the file after a child has ended", flush=True)
    written = stock([1000 + number])
    kept.version_.upsert(written, ENCODER)
    if kept.version_.items([written[0].id]) != written:
        print("a row written after a child has ended is not there", flush=True)
temporary.close()
if uri:
    for version in index.versions():
        index.drop(version.id)
index.close()
"""


def run(n: int, *, uri: str | None = None, seed: int = 0, folder: Path) -> CampaignOutcome:
    """Make about `n` calls."""
    tally = Tally("threads", target_name(uri), n)
    others = FilesOfOthers(folder)
    share = n // 4
    _snapshots(tally, Place.of(uri, folder / "snapshots"), share)
    _writers(tally, Place.of(uri, folder / "writers"), share)
    _coroutines(tally, Place.of(uri, folder / "coroutines"), share)
    _upserts(tally, Place.of(uri, folder / "upserts"), share)
    if n >= 100:
        _forks(tally, uri, folder, n // 100)
    for name in others.touched():
        tally.fail("foreign", name)
    return tally.outcome()


class _Calls:
    """Calls from many threads; what they raise and how long they take is told when all are done."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self.problems: list[tuple[str, Any]] = []
        self.n = 0
        self._lock = threading.Lock()

    def make(self, what: str, function: Callable[[], Any]) -> Any:
        start = time.monotonic()
        try:
            return function()
        except BaseException as error:
            self.note(what, error)
            return None
        finally:
            with self._lock:
                self.n += 1
            # It waits for the others too.
            if time.monotonic() - start > _N_THREADS * hang_s():
                self.note("hangs", f"{what} took {time.monotonic() - start:.0f} s")

    def note(self, kind: str, what: Any) -> None:
        with self._lock:
            self.problems.append((kind, what))

    def tell(self) -> None:
        self.tally.advance(self.n)
        for kind, what in self.problems:
            if isinstance(what, BaseException):
                # Here each error is one too many, the package's own too.
                self.tally.fail("raw", f"{kind}: {type(what).__name__}: {what}"[:300])
            else:
                self.tally.fail(kind, what)


def _steps(n: int) -> list[tuple[list[Item], list[str]]]:
    """Examples for `n` calls of `partial_fit`, each with a label of its own."""
    return [
        (
            [Item(id=f"late-{step}-{k}", text=f"honey number {step} in jar {k}") for k in range(2)],
            [f"late {step}"] * 2,
        )
        for step in range(n)
    ]


def _model(place: Place) -> ZeroShotClassifier:
    return fitted_classifier(place.connect() if place.uri else None)


def _close(model: ZeroShotClassifier, place: Place) -> None:
    model.close()
    if place.uri:
        model.model_index_.index.close()
        place.clear()


def _explains(model: ZeroShotClassifier, expected: list[Any]) -> str:
    """Say what is wrong with an explanation that was asked while the model learned; nothing if nothing is."""
    for prediction in model.explain(QUERIES[:2], top_k=2):
        best = max(prediction.probabilities, key=prediction.probabilities.__getitem__)
        if prediction.value != best:
            return f"the label {prediction.value!r} beside {best!r} as the most probable"
        if not any(len(prediction.probabilities) == one.shape[1] for one in expected):
            return f"{len(prediction.probabilities)} probabilities"
    return ""


def _snapshots(tally: Tally, place: Place, n: int) -> None:
    """One thread learns, sixteen ask: each answer is that of the model before or after a call."""
    steps = _steps(min(8, 2 + n // 50))
    with tally.guarded("snapshots", 1200):
        twin = fitted_classifier()
        expected = [twin.predict_proba(QUERIES)]
        for items, labels in steps:
            twin.partial_fit(items, labels)
            expected.append(twin.predict_proba(QUERIES))
        twin.close()
        model, calls = _model(place), _Calls(tally)
        each = max(1, n // _N_THREADS)

        def ask(number: int) -> None:
            for place_ in range(each):
                if (number + place_) % 4 == 0:
                    problem = calls.make("explain", lambda: _explains(model, expected))
                    if problem:
                        calls.note("wrong", f"explain beside partial_fit gives {problem}")
                    continue
                found = calls.make("predict_proba", lambda: model.predict_proba(QUERIES))
                if found is not None and not any(
                    one.shape == found.shape and np.allclose(one, found, atol=1e-5) for one in expected
                ):
                    calls.note(
                        "wrong", f"probabilities of shape {found.shape} that no state of the model gives"
                    )

        def learn() -> None:
            for items, labels in steps:
                calls.make("partial_fit", lambda items=items, labels=labels: model.partial_fit(items, labels))

        with ThreadPoolExecutor(_N_THREADS + 1) as pool:
            learning = pool.submit(learn)
            list(pool.map(ask, range(_N_THREADS)))
            learning.result()
        if not np.allclose(model.predict_proba(QUERIES), expected[-1], atol=1e-5):
            tally.fail("wrong", "the model ends in another state than one that learned alone")
        calls.tell()
        _close(model, place)


def _writers(tally: Tally, place: Place, n: int) -> None:
    """Four threads learn at once, others ask: nothing that was learned is lost."""
    with tally.guarded("writers", 1200):
        model, calls = _model(place), _Calls(tally)
        before = set(model.version_.all_ids())
        steps = _steps(min(40, _N_WRITERS + n // 10))

        def learn(number: int) -> None:
            for items, labels in steps[number::_N_WRITERS]:
                calls.make("partial_fit", lambda items=items, labels=labels: model.partial_fit(items, labels))

        def ask(number: int) -> None:
            for _ in range(max(1, n // _N_THREADS)):
                found = calls.make("predict", lambda: model.predict(QUERIES, reject=number % 2 == 0))
                if found is not None and len(found) != len(QUERIES):
                    calls.note("wrong", f"{len(found)} answers")

        with ThreadPoolExecutor(_N_THREADS) as pool:
            for done in [
                *(pool.submit(learn, number) for number in range(_N_WRITERS)),
                *(pool.submit(ask, number) for number in range(_N_THREADS - _N_WRITERS)),
            ]:
                done.result()
        labels = {label for _, names in steps for label in names}
        lost = labels - set(model.classes_.tolist())
        tally.fail("lost", f"labels of {len(lost)} calls of partial_fit that returned", len(lost))
        ids = before | {item.id for items, _ in steps for item in items}
        there = model.version_.all_ids()
        missing = ids - set(there)
        tally.fail("lost", f"{len(missing)} rows of examples", len(missing))
        tally.fail("doubled", "rows of examples", max(0, model.version_.count() - len(set(there))))
        known = [items[0].text or "" for items, _ in steps]
        answers = model.predict_proba(known)
        if answers.shape[1] != len(model.classes_):
            tally.fail("wrong", f"{answers.shape[1]} probabilities of {len(model.classes_)} labels")
        calls.tell()
        _close(model, place)


def _coroutines(tally: Tally, place: Place, n: int) -> None:
    """Sixty-four coroutines ask at once."""
    with tally.guarded("coroutines", 1200):
        model, calls = _model(place), _Calls(tally)
        expected = model.predict_proba(QUERIES)
        told = [prediction.value for prediction in model.explain(QUERIES)]
        predict, explain = run_in_thread(model.predict_proba), run_in_thread(model.explain)

        async def ask(number: int) -> None:
            for place_ in range(max(1, n // _N_COROUTINES)):
                start = time.monotonic()
                try:
                    if (number + place_) % 4:
                        is_right = np.allclose(await predict(QUERIES), expected, atol=1e-5)
                    else:
                        is_right = [prediction.value for prediction in await explain(QUERIES)] == told
                    if not is_right:
                        calls.note("wrong", "a coroutine is answered otherwise")
                except Exception as error:
                    calls.note("coroutine", error)
                calls.n += 1
                # It waits for the others too.
                if time.monotonic() - start > _N_COROUTINES * hang_s():
                    calls.note("hangs", f"a coroutine waited {time.monotonic() - start:.0f} s")

        async def everyone() -> None:
            await asyncio.gather(*(ask(number) for number in range(_N_COROUTINES)))

        asyncio.run(everyone())
        calls.tell()
        _close(model, place)


def _upserts(tally: Tally, place: Place, n: int) -> None:
    """Sixteen threads write, delete and read rows of their own in one version."""
    with tally.guarded("upserts", 1200), place.connect() as index:
        index.activate(index.build(stock(range(20)), ENCODER, GRAPH))
        version = index.open(fingerprint=ENCODER.fingerprint)
        calls = _Calls(tally)
        expected = {item.id: item for item in stock(range(20))}
        rounds = max(1, n // (_N_THREADS * 3))

        def write(number: int) -> dict[str, Item]:
            own: dict[str, Item] = {}
            for step in range(rounds):
                items = [
                    Item(id=f"t{number}-{(step + k) % 7}", text=f"thread {number} wrote {step} of {k}")
                    for k in range(3)
                ]
                calls.make("upsert", lambda items=items: version.upsert(items, ENCODER))
                own |= {item.id: item for item in items}
                found = calls.make("items", lambda own=own: version.known_items(list(own)))
                if found is not None and found != own:
                    calls.note(
                        "wrong",
                        f"thread {number} reads {len(found)} rows that are not the {len(own)} it wrote",
                    )
                gone = items[0].id
                calls.make("delete", lambda gone=gone: version.delete([gone]))
                own.pop(gone)
            return own

        with ThreadPoolExecutor(_N_THREADS) as pool:
            for own in pool.map(write, range(_N_THREADS)):
                expected |= own
        rows = rows_of(version)
        lost = expected.keys() - rows.keys()
        tally.fail("lost", f"{len(lost)} of {len(expected)} rows", len(lost))
        tally.fail("doubled", "rows", max(0, version.count() - len(rows)))
        wrong = [id_ for id_, item in rows.items() if expected.get(id_) != item]
        tally.fail("wrong", f"rows {wrong[:5]}", len(wrong))
        calls.tell()
    if place.uri:
        place.clear()


def _forks(tally: Tally, uri: str | None, folder: Path, n: int) -> None:
    """Children of a process with open models end in three ways."""
    with tally.guarded("forks", 60 + 20 * n):
        own = folder / "forks"
        own.mkdir()
        told = subprocess.run(
            [sys.executable, "-c", _FORKS, str(n), str(own), uri or ""],
            capture_output=True,
            text=True,
            check=False,
            timeout=50 + 20 * n,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "TMPDIR": str(own), "OMP_NUM_THREADS": "1"},
        )
        for line in told.stdout.splitlines():
            tally.fail("lost" if "not there" in line else "wrong", line)
        if told.returncode:
            tally.fail("raw", f"the parent of {n} children ended with {told.stderr.strip()[-300:]!r}")
        left = sorted(path.name for path in own.glob("zeroshot-*"))
        if left:
            tally.fail("foreign", f"temporary files after the parent's end: {left}")
        tally.advance(n)
        tally.notes.append(f"{n} forked children")
