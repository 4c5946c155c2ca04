"""What a part of the campaign found, counted while it runs."""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from tqdm import tqdm
from zeroshot_core.errors import ZeroShotError

__all__ = [
    "HANG_S",
    "KINDS",
    "CampaignOutcome",
    "OverdueCallError",
    "Tally",
    "hang_s",
    "markdown",
    "target_name",
]

HANG_S = 10.0
LONGEST_MESSAGE = 1000
KINDS = {
    "lost": "rows lost",
    "doubled": "rows doubled",
    "wrong": "wrong answers",
    "raw": "raw errors",
    "hangs": "hangs",
    "foreign": "files of others",
}
_MOST_FAILURES = 12


@dataclass(frozen=True, kw_only=True)
class CampaignOutcome:
    """What one part found on one target.

    Parameters
    ----------
    n
        Kills, cases, strings, calls, cycles or seconds that were run.
    raw
        Errors that are not the package's own, or that are no sentence.
    hangs
        Calls of more than ten seconds.
    foreign
        Files of others that were changed, removed or left behind.
    notes
        Figures beside the counts, in words.
    failures
        The first failures in words.
    """

    part: str
    target: str
    n: int
    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    raw: int = 0
    hangs: int = 0
    foreign: int = 0
    seconds: float = 0.0
    notes: Sequence[str] = ()
    failures: Sequence[str] = ()

    @property
    def holds(self) -> bool:
        """Whether nothing was found."""
        return not any(getattr(self, kind) for kind in KINDS)


class OverdueCallError(BaseException):
    """A call did not end in time; no ``except Exception`` on its way may take it for its own."""


class Tally:
    """Counts what a part finds; each failure is written to standard error when it happens.

    Parameters
    ----------
    total
        How much there is to do, for the bar on a terminal.
    """

    def __init__(self, part: str, target: str, total: int) -> None:
        self.part, self.target, self.n = part, target, 0
        self.counts: Counter[str] = Counter()
        self.failures: list[str] = []
        self.notes: list[str] = []
        self._start = time.monotonic()
        self._bar = tqdm(total=total, desc=f"{part} on {target}", disable=None, leave=False)

    def advance(self, n: int = 1) -> None:
        """Count cases that were run, whatever came of them."""
        self.n += n
        self._bar.update(n)

    def fail(self, kind: str, what: str, n: int = 1) -> None:
        """Count something that must not be."""
        if n:
            self.counts[kind] += n
            self.failures.append(f"{KINDS[kind]}: {what}")
            tqdm.write(f"{self.part} on {self.target}: {KINDS[kind]}: {what}", file=sys.stderr)

    def refused(self, what: str, error: BaseException) -> None:
        """Count the error of input that may be refused, unless it is the package's own in one sentence."""
        problem = problem_of(error)
        if problem:
            self.fail("raw", f"{what}: {problem}")

    @contextmanager
    def guarded(self, what: str, seconds: float | None = None) -> Iterator[None]:
        """Count an error of what is inside, which may not be refused, and a hang; errors end here.

        For the main thread alone.
        """
        seconds = seconds or hang_s()
        try:
            with time_limit(seconds):
                yield
        except OverdueCallError:
            self.fail("hangs", f"{what}: more than {seconds:.0f} s")
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # a panic of native code is no Exception
            kind = "wrong" if isinstance(error, ZeroShotError) else "raw"
            self.fail(kind, f"{what}: {problem_of(error) or error}")

    def outcome(self) -> CampaignOutcome:
        """Close the bar, and sum up."""
        self._bar.close()
        return CampaignOutcome(
            part=self.part,
            target=self.target,
            n=self.n,
            **{kind: self.counts[kind] for kind in KINDS},
            seconds=time.monotonic() - self._start,
            notes=tuple(self.notes),
            failures=tuple(self.failures[:_MOST_FAILURES]),
        )


def hang_s() -> float:
    """Give the seconds after which a call hangs: ten, and more where processes wait for a core."""
    return HANG_S * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def problem_of(error: BaseException) -> str:
    """Say why an error is not one of the package's in one sentence; the empty string if it is."""
    if not isinstance(error, ZeroShotError):
        frames = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in frames if "zeroshot" in frame.filename] or frames[-1:]
        where = f" at {ours[-1].filename}:{ours[-1].lineno}" if ours else ""
        return f"{type(error).__name__}: {str(error)[:200]!r}{where}"
    message = str(error)
    if len(message) > LONGEST_MESSAGE:
        return f"{type(error).__name__} of {len(message)} characters: {message[:120]!r}..."
    if "\n" in message:
        return f"{type(error).__name__} of several lines: {message[:200]!r}"
    return ""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise `OverdueCallError` in the main thread when the time is up."""

    def overdue(number: int, frame: FrameType | None) -> None:
        raise OverdueCallError(f"{seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, overdue)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def target_name(uri: str | None) -> str:
    """Say what a part runs on: ``Lite`` without a URI."""
    return "Lite" if uri is None else "server"


def markdown(outcomes: Sequence[CampaignOutcome]) -> str:
    """Write the outcomes as a Markdown table."""
    header = ["part", "on", "run", *KINDS.values(), "minutes"]
    rows = [
        [
            outcome.part,
            outcome.target,
            f"{outcome.n:,}",
            *(f"{getattr(outcome, kind):,}" for kind in KINDS),
            f"{outcome.seconds / 60:.1f}",
        ]
        for outcome in outcomes
    ]
    lines = [header, ["---"] * 2 + ["---:"] * (len(header) - 2), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
