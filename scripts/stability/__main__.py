"""The command line of the campaign."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from scripts.stability import concurrency, fuzz, injection, kills, leaks, ray_kills, soak
from scripts.stability.outcome import KINDS, CampaignOutcome, markdown

PARTS = {
    "kills": (kills.run, "SIGKILLs at random moments of every write"),
    "ray-kills": (ray_kills.run, "SIGKILLs at random moments of builds by Ray, on a server"),
    "fuzz": (fuzz.run, "generated items, graphs, tables, filters, folders and calls"),
    "injection": (injection.run, "strings as id, key, value, text and concept"),
    "threads": (concurrency.run, "calls from 16 threads, 64 coroutines and forked children"),
    "leaks": (leaks.run, "cycles of open, predict and close"),
    "soak-s": (soak.run, "seconds of a service at a low rate"),
}


def main(arguments: list[str] | None = None) -> int:
    """Run the parts that are asked for; the exit status is 1 if one of them found something."""
    options = _parser().parse_args(arguments)
    # What a client of Milvus logs of input that it was given is not an answer.
    logging.disable(logging.CRITICAL)
    outcomes: list[CampaignOutcome] = []
    with tempfile.TemporaryDirectory(prefix="stability-", ignore_cleanup_errors=True) as scratch:
        for name, (run, _) in PARTS.items():
            n = getattr(options, name.replace("-", "_"))
            if n:
                folder = Path(scratch) / name
                folder.mkdir()
                outcomes.append(run(n, uri=options.uri, seed=options.seed, folder=folder))
                _show(outcomes[-1:])
    if len(outcomes) > 1:
        _show(outcomes)
    if options.markdown:
        with options.markdown.open("a", encoding="utf-8") as file:
            file.write(markdown(outcomes))
    return int(not all(outcome.holds for outcome in outcomes))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scripts.stability", description=__doc__)
    for name, (_, meaning) in PARTS.items():
        parser.add_argument(f"--{name}", type=int, default=0, metavar="N", help=f"{meaning} (default 0)")
    parser.add_argument(
        "--uri",
        default=os.environ.get("ZEROSHOT_TEST_URI"),
        help="a Milvus server (default ZEROSHOT_TEST_URI; without it Milvus Lite)",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--markdown", type=Path, help="file to add the results to as a table")
    return parser


def _show(outcomes: list[CampaignOutcome]) -> None:
    table = Table("part", "on", "run", *KINDS.values(), "minutes")
    for outcome in outcomes:
        table.add_row(
            outcome.part,
            outcome.target,
            f"{outcome.n:,}",
            *(f"{getattr(outcome, kind):,}" for kind in KINDS),
            f"{outcome.seconds / 60:.1f}",
        )
    console = Console()
    console.print(table)
    for outcome in outcomes if len(outcomes) == 1 else ():
        for line in (*outcome.notes, *outcome.failures):
            console.print(f"  {outcome.part}: {line}", markup=False, highlight=False)


if __name__ == "__main__":
    sys.exit(main())
