"""The README, run from top to bottom: every block works, and prints what it says."""

import re
from importlib.metadata import metadata
from pathlib import Path

import pytest
from pages import ROOT, blocks, run_page, run_shell


def lines(language: str) -> list[str]:
    code = "".join(block.code for block in blocks("README.md") if block.language == language)
    return [line.partition(" # ")[0].strip() for line in code.splitlines() if line.strip()]


def test_every_block_runs_and_prints_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_page("README.md")


def test_all_blocks_are_of_a_kind_that_is_run() -> None:
    assert {block.language for block in blocks("README.md")} == {"python", "bash"}


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
