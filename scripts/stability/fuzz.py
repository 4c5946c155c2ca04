"""Generated input: a right answer, or one of the package's errors in one sentence, within ten seconds.

Each family of cases runs in a process of its own, so that a crash or an endless loop of native code is one
failure and not the end; memory is bounded.
"""

from __future__ import annotations

import logging
import resource
import time
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from scripts.stability.outcome import (
    CampaignOutcome,
    OverdueCallError,
    Tally,
    hang_s,
    problem_of,
    target_name,
    time_limit,
)
from scripts.stability.samples import Place
from scripts.stability.sandbox import DeadWorkerError, FilesOfOthers, Worker

__all__ = ["FAMILIES", "Attempts", "run"]

# What is generated, and the share of it.
FAMILIES = {
    "items": 0.2,
    "graphs": 0.2,
    "tables": 0.1,
    "filters": 0.2,
    "folders": 0.1,
    "calls": 0.2,
}
_MEMORY = 8 << 30


def run(n: int, *, uri: str | None = None, seed: int = 0, folder: Path) -> CampaignOutcome:
    """Generate `n` cases."""
    tally = Tally("fuzz", target_name(uri), n)
    for name, share in FAMILIES.items():
        own = folder / name
        others = None
        left, tries = max(1, round(n * share)), 0
        while left > 0 and tries < 20:
            place = Place.of(uri, own / str(tries))
            others = FilesOfOthers(place.folder)
            done = _family(tally, name, left, seed + tries, place)
            if uri:
                place.clear()
            for file in others.touched():
                tally.fail("foreign", f"{name}: {file}")
            if not done:
                break
            left, tries = left - done, tries + 1
    return tally.outcome()


def _family(tally: Tally, name: str, n: int, seed: int, place: Place) -> int:
    """Run a family's cases until the end or a crash; how many were run."""
    worker, done, last = Worker(_work, name, n, seed, place), 0, "nothing"
    try:
        worker.receive(12 * hang_s())
        while True:
            # A case that is over its time by as much is stuck in native code.
            told = worker.receive(3 * hang_s())
            if told is None:
                break
            kind, what = told
            if kind == "begin":
                last = what
            elif kind == "end":
                done += 1
                tally.advance()
            else:
                tally.fail(kind, f"{name}: {what}")
        worker.end()
    except TimeoutError:
        tally.fail("hangs", f"{name}: {last}: killed")
        done += 1
        tally.advance()
    except DeadWorkerError as error:
        tally.fail("raw", f"{name}: {last}: the process died: {error}")
        done += 1
        tally.advance()
    else:
        # Hypothesis stops early where it has tried everything there is.
        return n
    return done


class Attempts:
    """What is drawn for one generated case, and what is tried with it.

    Parameters
    ----------
    data
        Hypothesis' source of values.
    send
        Tells the campaign.
    """

    def __init__(self, data: Any, send: Callable[[Any], None]) -> None:
        self.draw = data.draw
        self._send = send

    def attempt(self, what: str, function: Callable[[], Any]) -> tuple[bool, Any]:
        """Call a function: whether it returned, and what; errors that are not the package's are told."""
        self._send(("begin", what[:400]))
        start, limit = time.monotonic(), hang_s()
        try:
            with warnings.catch_warnings(), time_limit(limit):
                warnings.simplefilter("ignore")
                return True, function()
        except OverdueCallError:
            self._send(("hangs", f"{what[:400]}: more than {limit:.0f} s"))
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # a panic of native code is no Exception
            problem = problem_of(error)
            if problem:
                self._send(("raw", f"{what[:400]}: {problem}"))
            elif time.monotonic() - start > limit:
                self._send(("hangs", f"{what[:400]}: {time.monotonic() - start:.0f} s"))
        return False, None

    def wrong(self, what: str) -> None:
        """Tell a wrong answer."""
        self._send(("wrong", what[:600]))


def _work(name: str, n: int, seed: int, place: Place, send: Callable[[Any], None]) -> None:
    import hypothesis
    from hypothesis import HealthCheck, Phase, strategies

    # What a client of Milvus logs of input that it was given is not an answer.
    logging.disable(logging.CRITICAL)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    family = import_module(f"scripts.stability.families.{name}")
    with family.opened(place) as tried:
        send("ready")

        @hypothesis.seed(seed)
        @hypothesis.settings(
            max_examples=n,
            database=None,
            deadline=None,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        )
        @hypothesis.given(strategies.data())
        def cases(data: Any) -> None:
            family.case(Attempts(data, send), tried)
            send(("end", ""))

        cases()
    send(None)
