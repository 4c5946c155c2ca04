"""Cycles of open, predict and close: memory, threads, descriptors; temporary files after each end."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from zeroshot_core import load_model

from scripts.stability.outcome import CampaignOutcome, Tally, hang_s, target_name
from scripts.stability.samples import QUERIES, Place, answers_of, fitted_classifier, same_answers
from scripts.stability.sandbox import DeadWorkerError, FilesOfOthers, Worker

__all__ = ["figures", "run"]

# What libraries keep for good is there by then.
_WARM_UP = 0.2
_KB_PER_CYCLE = 64
_PROGRAM = """
import signal, sys
# A campaign in the background hands on that they are ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
from scripts.stability.samples import QUERIES, fitted_classifier
model = fitted_classifier()
model.predict(QUERIES)
print("ready", flush=True)
end = sys.argv[1]
if end == "exception":
    raise RuntimeError("on purpose")
if end == "close":
    model.close()
if end == "wait":
    import time
    time.sleep(120)
"""
# How a process with a temporary index ends, and whether what it leaves may wait for the next run.
_ENDS = (
    ("exit", None, False),
    ("close", None, False),
    ("exception", None, False),
    ("wait", signal.SIGTERM, True),
    ("wait", signal.SIGHUP, True),
    ("wait", signal.SIGINT, False),
    ("wait", signal.SIGKILL, True),
)


def run(n: int, *, uri: str | None = None, seed: int = 0, folder: Path) -> CampaignOutcome:
    """Open, ask and close `n` times in one process; then end processes in seven ways."""
    tally = Tally("leaks", target_name(uri), n)
    others = FilesOfOthers(folder)
    place = Place.of(uri, folder / "cycles")
    with tally.guarded("prepare", 120):
        index = place.connect() if uri else None
        model = fitted_classifier(index)
        model.save(place.folder / "model")
        model.close()
        if index:
            index.close()
    _watch(tally, Worker(_cycles, place, n), n)
    if uri:
        place.clear()
    elif n >= 10:
        _ends(tally, folder / "tmp")
    for name in others.touched():
        tally.fail("foreign", name)
    return tally.outcome()


def figures() -> dict[str, int]:
    """Resident memory in kB, threads, open descriptors of this process."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return {
        "kB": pages * os.sysconf("SC_PAGE_SIZE") // 1024,
        "threads": threading.active_count(),
        "descriptors": len(os.listdir("/proc/self/fd")),  # noqa: PTH208
    }


def _cycles(place: Place, n: int, send: Any) -> None:
    expected = None
    for cycle in range(n):
        model = load_model(place.folder / "model", uri=place.uri)
        answers = answers_of(model)
        model.explain(QUERIES[:2])
        model.close()
        del model
        expected = expected or answers
        send((cycle, same_answers(answers, expected), figures() if cycle % 10 == 9 or n < 20 else None))
    send(None)


def _watch(tally: Tally, worker: Worker, n: int) -> None:
    seen: list[tuple[int, dict[str, int]]] = []
    try:
        while (told := worker.receive(3 * hang_s())) is not None:
            cycle, is_right, now = told
            tally.advance()
            if not is_right:
                tally.fail("wrong", f"cycle {cycle} answers otherwise than the first")
            if now:
                seen.append((cycle, now))
        worker.end()
    except TimeoutError as error:
        tally.fail("hangs", f"cycle {tally.n}: {error}")
    except DeadWorkerError as error:
        tally.fail("raw", f"cycle {tally.n}: {error}")
    settled = [each for each in seen if each[0] >= _WARM_UP * n]
    if len(settled) < 2:
        return
    (first, before), (last, after) = settled[0], settled[-1]
    per_cycle = (after["kB"] - before["kB"]) / (last - first)
    tally.notes.append(
        f"from cycle {first + 1} to {last + 1}: {before['kB'] / 1024:.0f} to {after['kB'] / 1024:.0f} MB "
        f"({per_cycle:.1f} kB a cycle), {before['threads']} to {after['threads']} threads, "
        f"{before['descriptors']} to {after['descriptors']} descriptors"
    )
    # A few cycles say nothing about memory.
    if n >= 100 and per_cycle > _KB_PER_CYCLE:
        tally.fail("wrong", f"memory grows by {per_cycle:.1f} kB a cycle")
    for what in ("threads", "descriptors"):
        if after[what] > before[what] + 3:
            tally.fail("wrong", f"{before[what]} {what} become {after[what]}")


def _ends(tally: Tally, folder: Path) -> None:
    """See what processes leave among temporary files, each in a folder of its own."""
    waiting = []
    for end, number, may_wait in _ENDS:
        what = f"temporary files after {number.name if number else end}"
        own = folder / what.replace(" ", "-")
        own.mkdir(parents=True)
        with tally.guarded(what, 120):
            _end(end, number, own)
            left = _index_folders(own)
            if left and may_wait:
                waiting.append((what, own))
            elif left:
                tally.fail("foreign", f"{what}: {left}")
    for what, own in waiting:
        with tally.guarded(f"{what}, next run", 120):
            # A run leaves alone what was made within a minute: it may be about to be locked.
            for name in _index_folders(own):
                os.utime(own / name, (time.time() - 120,) * 2)
            _end("exit", None, own)
            left = _index_folders(own)
            tally.notes.append(f"{what}: left to the next run, which {'left' if left else 'removed'} them")
            if left:
                tally.fail("foreign", f"{what}, after the next run: {left}")


def _index_folders(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("zeroshot-*"))


def _end(end: str, number: signal.Signals | None, folder: Path) -> None:
    """Run the program in a process whose temporary files go to a folder, and end it."""
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, end],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "TMPDIR": str(folder), "OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    with process:
        process.stdout.readline()
        if number is not None:
            time.sleep(0.05)
            process.send_signal(number)
        process.wait(60)
