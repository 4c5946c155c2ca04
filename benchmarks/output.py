"""What every benchmark says of itself: its arguments, its command, and markdown tables of figures."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

__all__ = ["argument_parser", "mean_and_deviation", "print_command", "print_header"]


def argument_parser(docstring: str | None) -> argparse.ArgumentParser:
    """Make a parser whose help is the docstring of a benchmark, as it stands."""
    return argparse.ArgumentParser(
        description=docstring, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def print_command(file: str, argv: Sequence[str] | None) -> None:
    """Print how a benchmark was called, as a line of markdown."""
    arguments = shlex.join(sys.argv[1:] if argv is None else argv)
    print(f"Command: `python benchmarks/{Path(file).name} {arguments}`  ")


def print_header(*columns: str) -> None:
    """Print the head of a table."""
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}", flush=True)


def mean_and_deviation(values: Sequence[float]) -> str:
    """Mean and standard deviation, to three digits."""
    return f"{np.mean(values):.3f} ± {np.std(values):.3f}"
