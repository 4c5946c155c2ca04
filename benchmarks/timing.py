"""Contestants timed in turns, so that what else the machine does falls on all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
from output import print_header

__all__ = ["Times", "print_head", "print_table", "race", "versions"]


@dataclass(frozen=True, kw_only=True)
class Times:
    """Seconds of each round of one contestant, on the clock and of the processor."""

    wall: tuple[float, ...]
    cpu: tuple[float, ...]

    def ratio(self, other: Times) -> tuple[float, float]:
        """How many times as long the other took: medians over the rounds, clock and processor."""
        clock = np.median(np.divide(other.wall, self.wall))
        return float(clock), float(np.median(np.divide(other.cpu, self.cpu)))


def race(
    contestants: Mapping[str, Callable[[], Any]], rounds: int, *, is_warm: bool = False
) -> dict[str, Times]:
    """Run each contestant once unless all are warm, then all in turns, each round in another order."""
    for run in () if is_warm else contestants.values():
        run()
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in contestants}
    rng = np.random.default_rng(0)
    for _ in range(rounds):
        for name in rng.permutation(list(contestants)).tolist():
            wall, cpu = time.perf_counter(), time.process_time()
            contestants[name]()
            found[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    return {
        name: Times(wall=tuple(wall for wall, _ in rows), cpu=tuple(cpu for _, cpu in rows))
        for name, rows in found.items()
    }


def print_head(things: str, unit: str) -> None:
    """Print the head of the tables that follow, of times a unit."""
    print_header(
        things,
        "contestant",
        "rate",
        f"clock a {unit}",
        f"processor a {unit}",
        "ratio, clock",
        "ratio, processor",
    )


def print_table(title: str, times: Mapping[str, Times], n: int, baseline: str) -> None:
    """Print a line for each contestant; `n` is what one run of it deals with."""
    for name, each in times.items():
        clock, processor = each.ratio(times[baseline])
        wall, cpu = np.median(each.wall), np.median(each.cpu)
        print(
            f"| {title} | {name} | {n / wall:,.1f} /s | {1e3 * wall / n:,.2f} ms | {1e3 * cpu / n:,.2f} ms "
            f"| {clock:.2f} | {processor:.2f} |",
            flush=True,
        )


def versions(*packages: str) -> str:
    """Names and versions of the packages that were compared."""
    return ", ".join(f"{name} {version(name)}" for name in packages)
