"""Pages of documentation, run from top to bottom: what their blocks print, and what they say that it is."""

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from typer.testing import CliRunner
from zeroshot_core.cli.main import app

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
# Those of a service are run by test_serving_page.py, those of Ray by test_ray_build.py.
NOT_RUN = (
    "make ",
    "pip ",
    ".ci/run",
    "docker ",
    "curl ",
    "zeroshot serve",
    "zeroshot mcp",
    "zeroshot index --engine ray",
    # An environment of its own takes minutes to make.
    "python -m venv",
    "serving/bin/",
)
# Trees and float32 kernels differ a little from one processor to the next.
TOLERANCE = 0.1


@dataclass(frozen=True)
class Block:
    """A block of code with the output shown below it, if any."""

    language: str
    code: str
    line: int
    output: str | None = None


def blocks(page: str) -> list[Block]:
    text = (ROOT / page).read_text(encoding="utf-8")
    found: list[Block] = []
    for match in BLOCK.finditer(text):
        language, code = match.groups()
        if language == "text":
            found[-1] = replace(found[-1], output=code)
        else:
            found.append(Block(language, code, text.count("\n", 0, match.start()) + 1))
    return found


def run_page(page: str) -> None:
    """Run every block in its order, in the working directory; compare what is printed with what is said."""
    names: dict[str, object] = {"__name__": "page"}
    for block in blocks(page):
        printed = run_python(block.code, names) if block.language == "python" else run_shell(block.code)
        if block.output is not None:
            where = f"{page}, block of line {block.line}, printed:\n{printed}"
            assert words(printed) == words(block.output), where
            assert numbers(printed) == pytest.approx(numbers(block.output), rel=TOLERANCE), where


def run_python(code: str, names: dict[str, object]) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "page", "exec"), names)  # noqa: S102
    return printed.getvalue()


def run_shell(code: str) -> str:
    """Run the lines of a shell, each a command; a `zeroshot` outside of a pipe runs in this process."""
    return "".join(run_line(line) for line in code.splitlines() if not line.startswith(NOT_RUN))


def run_line(line: str) -> str:
    if line.startswith("zeroshot ") and not set("|<>&") & set(line):
        return run_command(*shlex.split(line, comments=True)[1:])
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", line],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": path},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_command(*words: str) -> str:
    """Run `zeroshot` with words; what it prints on standard output."""
    result = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return result.stdout


def numbers(text: str) -> list[float]:
    return [float(number.replace(",", "")) for number in NUMBER.findall(text)]


def words(text: str) -> list[str]:
    return NUMBER.sub("#", text).split()
