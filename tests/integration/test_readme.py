"""The README, run from top to bottom: every block works, and prints what it says."""

import contextlib
import io
import os
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from importlib.metadata import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
NOT_RUN = ("make ", "pip ", ".ci/run")
# Trees and float32 kernels differ a little from one processor to the next.
TOLERANCE = 0.1


@dataclass(frozen=True)
class Block:
    """A block of code with the output shown below it, if any."""

    language: str
    code: str
    line: int
    output: str | None = None


def blocks() -> list[Block]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found: list[Block] = []
    for match in BLOCK.finditer(text):
        language, code = match.groups()
        if language == "text":
            found[-1] = replace(found[-1], output=code)
        else:
            found.append(Block(language, code, text.count("\n", 0, match.start()) + 1))
    return found


def lines(language: str) -> list[str]:
    code = "".join(block.code for block in blocks() if block.language == language)
    return [line.partition(" # ")[0].strip() for line in code.splitlines() if line.strip()]


def run_python(code: str, names: dict[str, object]) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "README.md", "exec"), names)  # noqa: S102
    return printed.getvalue()


def run_shell(code: str) -> str:
    runs = "\n".join(line for line in code.splitlines() if not line.startswith(NOT_RUN))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", runs],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": path},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def numbers(text: str) -> list[float]:
    return [float(number.replace(",", "")) for number in NUMBER.findall(text)]


def words(text: str) -> list[str]:
    return NUMBER.sub("#", text).split()


def test_every_block_runs_and_prints_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "readme"}
    for block in blocks():
        printed = run_python(block.code, names) if block.language == "python" else run_shell(block.code)
        if block.output is not None:
            where = f"README.md, block of line {block.line}, printed:\n{printed}"
            assert words(printed) == words(block.output), where
            assert numbers(printed) == pytest.approx(numbers(block.output), rel=TOLERANCE), where


def test_all_blocks_are_of_a_kind_that_is_run() -> None:
    assert {block.language for block in blocks()} == {"python", "bash"}


def test_every_make_target_is_there() -> None:
    targets = set(
        re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    )
    named = {line.split()[1] for line in lines("bash") if line.startswith("make ")}

    assert named
    assert named <= targets


def test_every_extra_is_there() -> None:
    extras = set(metadata("zeroshot-milvus").get_all("Provides-Extra"))
    installs = re.findall(r"pip install '\.\[([\w,-]+)\]'", (ROOT / "README.md").read_text(encoding="utf-8"))
    named = {extra for install in installs for extra in install.split(",")}

    assert {"demo", "langchain", "llama-index"} <= named <= extras


def test_every_file_that_is_linked_or_run_is_there() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    linked = {link for link in re.findall(r"\]\(([^)#]+)\)", text) if not link.startswith("http")}

    assert linked
    assert all((ROOT / name).exists() for name in (*linked, ".ci/run"))


def test_every_command_that_is_named_is_one(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    subject = "demand|rare-disease|classification|novelty"
    rows = re.findall(rf"^\| `zeroshot ([a-z]+(?: (?:{subject}))?)", text, flags=re.MULTILINE)
    named = {f"--{option}" for option in re.findall(r"--([a-z]+)", text)}
    told = "".join(run_shell(f"COLUMNS=200 zeroshot {name} --help") for name in rows)

    assert len(rows) == 9
    assert named <= set(re.findall(r"--[a-z]+", told))
