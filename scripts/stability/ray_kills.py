"""SIGKILL at random moments of builds by Ray, of an actor or of the driver, while the old version serves.

After the driver's death the same build is run again, and killed again or not; once it has ended, each row
must be there once, with the vector of its text. The version that was live before is asked all the time.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from zeroshot_core.index import RayOptions, VectorIndex

from scripts.local_ray import local_ray
from scripts.stability.kills import compare_rows
from scripts.stability.outcome import CampaignOutcome, Tally, hang_s, target_name
from scripts.stability.samples import ENCODER, GRAPH, QUERIES, Place, stock
from scripts.stability.sandbox import DeadWorkerError, Worker

__all__ = ["run"]

_N_LIVE, _N_ROWS, _BLOCK_ROWS = 60, 10_000, 32
_PAUSE_S = 0.2
# Of the kills, those at any moment of a build; the others meet actors that write, if there are any.
_ANY_MOMENT = 0.25


def run(n: int, *, uri: str | None = None, seed: int = 0, folder: Path) -> CampaignOutcome:
    """Kill `n` times, on a server."""
    tally = Tally("ray kills", target_name(uri), n)
    if uri is None:
        tally.notes.append("builds by Ray need a server: none was killed")
        return tally.outcome()
    place = Place.of(uri, folder)
    with local_ray(object_store_mb=200) as address:
        with place.connect() as index:
            index.activate(index.build(stock(range(_N_LIVE)), ENCODER, GRAPH))
        with _LiveReader(place, tally):
            _RayCampaign(place, address, tally, np.random.default_rng(seed)).run(n)
        place.clear()
    return tally.outcome()


class _LiveReader:
    """Asks the live version all the time, in a thread: it must answer as it did before the first build."""

    def __init__(self, place: Place, tally: Tally) -> None:
        self._place, self._tally = place, tally
        self._problems: list[tuple[str, str]] = []
        self._n_asked = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> _LiveReader:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()
        for kind, problem in self._problems:
            self._tally.fail(kind, f"the live version: {problem}")
        self._tally.notes.append(f"the old version was asked {self._n_asked:,} times meanwhile")

    def _ask(self) -> None:
        queries, expected = ENCODER.encode(QUERIES), None
        with self._place.connect() as index:
            while not self._ended.wait(_PAUSE_S):
                start = time.monotonic()
                try:
                    version = index.open(fingerprint=ENCODER.fingerprint)
                    found = version.search_items(queries, 5).ids, version.count()
                except Exception as error:
                    self._problems.append(("raw", f"{type(error).__name__}: {error}"[:300]))
                    continue
                expected = expected or found
                if found != expected:
                    self._problems.append(("wrong", f"answers {found}, expected {expected}"))
                if time.monotonic() - start > hang_s():
                    self._problems.append(("hangs", f"took {time.monotonic() - start:.0f} s"))
                self._n_asked += 1


class _RayCampaign:
    """Builds, each of other rows, that are killed until one ends."""

    def __init__(self, place: Place, address: str, tally: Tally, rng: np.random.Generator) -> None:
        self._place, self._address, self._tally, self._rng = place, address, tally, rng
        self._round, self._began = 0, 0.0
        self._n_met = {"actor": 0, "driver": 0}

    def run(self, n: int) -> None:
        """Kill `n` times."""
        self._write_rows()
        # The first build is not killed, to know how long one takes, and how long it writes.
        worker = self._begin()
        began = self._wait_for_writer(worker)
        seconds = self._end(worker)
        writing = max(1.0, seconds - (began - self._began))
        for _ in range(n):
            worker = self._begin()
            if self._rng.random() < _ANY_MOMENT:
                is_over = worker.pipe.poll(seconds * self._rng.uniform(0, 1))
            else:
                self._wait_for_writer(worker)
                is_over = worker.pipe.poll(writing * self._rng.uniform(0, 1))
            victim = "driver" if self._rng.random() < 0.5 else "actor"
            self._n_met[victim] += bool(_writers()) and not is_over
            if victim == "driver":
                worker.kill()
            else:
                self._kill_actor()
                self._end(worker)
            self._tally.advance()
        self._end(self._begin())
        met = ", ".join(f"{met} of {victim}s" for victim, met in self._n_met.items())
        self._tally.notes.append(f"{n} kills in {self._round} builds; while actors wrote: {met}")

    def _begin(self) -> Worker:
        worker = Worker(_build, self._place, str(self._files), self._address)
        with self._tally.guarded("opening", 12 * hang_s()):
            worker.receive(10 * hang_s())
        self._began = time.monotonic()
        return worker

    def _wait_for_writer(self, worker: Worker) -> float:
        """Wait until an actor writes, or the build is over; when that was."""
        end = time.monotonic() + 30 * hang_s()
        while not _writers() and not worker.pipe.poll(0.05) and time.monotonic() < end:
            pass
        return time.monotonic()

    def _kill_actor(self) -> None:
        """Kill one that writes, or else any process that works for Ray."""
        victims = _writers() or list(_ray_processes())
        if victims:
            os.kill(int(self._rng.choice(victims)), signal.SIGKILL)

    def _end(self, worker: Worker) -> float:
        """Let a build end, look, and go on to other rows; the seconds it took from when it was begun."""
        what, version = f"build {self._round}", ""
        try:
            version = worker.receive(30 * hang_s())
            worker.end(5 * hang_s())
        except TimeoutError as error:
            self._tally.fail("hangs", f"{what}: {error}")
        except DeadWorkerError as error:
            self._tally.fail("raw", f"{what}: {error}")
        seconds = time.monotonic() - self._began
        if version:
            with self._tally.guarded(what, 6 * hang_s()):
                self._look(what, version)
        self._round += 1
        self._write_rows()
        return seconds

    def _look(self, what: str, version: str) -> None:
        rows = {item.id: item for item in self._items()}
        with self._place.connect() as index:
            opened = index.open(version, fingerprint=ENCODER.fingerprint)
            for kind, problem in compare_rows(opened, rows, rows, is_finished=True):
                self._tally.fail(kind, f"{what}: {problem}")
            index.drop(version)

    def _items(self) -> list[Any]:
        return stock(range(_N_ROWS), f"build {self._round}")

    def _write_rows(self) -> None:
        import pyarrow
        import pyarrow.parquet

        items = self._items()
        rows = [{"id": i.id, "text": i.text, "concepts": list(i.concepts), **i.metadata} for i in items]
        self._files = self._place.folder / f"rows-{self._round}.parquet"
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), self._files, row_group_size=200)


def _build(place: Place, files: str, address: str, send: Callable[[Any], None]) -> None:
    """Build from files, in a process apart: the driver."""
    options = RayOptions(address=address, block_rows=_BLOCK_ROWS)
    with VectorIndex.connect(str(place.uri), name=place.name) as index:
        send("ready")
        send(index.build_from(files, ENCODER, GRAPH, ray=options))


def _writers() -> list[int]:
    """Find the processes of actors that have a block in hand."""
    return [pid for pid, title in _ray_processes().items() if "MapWorker" in title and ".submit" in title]


def _ray_processes() -> dict[int, str]:
    """Titles of the processes, by their ids, in which the Ray of this process has work done."""
    titles, parents = {}, {}
    for folder in Path("/proc").iterdir():
        try:
            titles[int(folder.name)] = (folder / "cmdline").read_text()
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (ValueError, OSError):
            continue

    def is_ours(pid: int) -> bool:
        while pid in parents and pid != os.getpid():
            pid = parents[pid]
        return pid == os.getpid()

    # Ray's own agents are named so too; with them all of it dies.
    found = {pid: title for pid, title in titles.items() if title.startswith("ray::") and is_ours(pid)}
    return {pid: title for pid, title in found.items() if "Agent" not in title}
