"""The README in both languages, run from top to bottom: every block works, and prints what it says."""

import re
from importlib.metadata import metadata
from pathlib import Path

import pytest
from pages import ROOT, blocks, run_command, run_page

CHINESE = "README.zh-CN.md"


def lines(language: str, page: str = "README.md") -> list[str]:
    code = "".join(block.code for block in blocks(page) if block.language == language)
    return [line.partition(" # ")[0].strip() for line in code.splitlines() if line.strip()]


def test_every_block_runs_and_prints_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_page("README.md")


@pytest.mark.parametrize("language", ["python", "bash"])
def test_the_chinese_readme_runs_the_same_code(language: str) -> None:
    assert lines(language, CHINESE) == lines(language)
    assert [block.output for block in blocks(CHINESE)] == [block.output for block in blocks("README.md")]


def test_the_chinese_readme_tells_the_same_figures_and_links() -> None:
    links, rows = [], []
    for page in ("README.md", CHINESE):
        text = (ROOT / page).read_text(encoding="utf-8")
        links.append([link for link in re.findall(r"\]\(([^)#]+)\)", text) if not link.startswith("README")])
        rows.append(re.findall(r"\d\.\d{3}", text))

    assert links[0] == links[1]
    assert rows[0] == rows[1]


@pytest.mark.parametrize("page", ["README.md", CHINESE])
def test_lines_are_short_enough_to_read(page: str) -> None:
    long = [line for line in (ROOT / page).read_text(encoding="utf-8").splitlines() if len(line) > 100]

    assert long == []


def test_all_blocks_are_of_a_kind_that_is_run() -> None:
    assert {block.language for block in blocks("README.md")} == {"python", "bash"}


def test_every_make_target_is_there() -> None:
    targets = set(
        re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    )
    told = [*lines("bash"), *lines("bash", "CONTRIBUTING.md")]
    named = {line.split()[1] for line in told if line.startswith("make ")}

    assert named
    assert named <= targets


def test_every_extra_is_there() -> None:
    extras = set(metadata("zeroshot-milvus").get_all("Provides-Extra"))
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    installs = [
        install
        for page in pages
        for install in re.findall(r"pip install '\.\[([\w,-]+)\]'", page.read_text(encoding="utf-8"))
    ]
    named = {extra for install in installs for extra in install.split(",")}

    assert {"demo", "langchain", "llama-index"} <= named <= extras


def test_every_file_that_is_linked_or_run_is_there() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    linked = {link for link in re.findall(r"\]\(([^)#]+)\)", text) if not link.startswith("http")}

    assert linked
    assert all((ROOT / name).exists() for name in (*linked, ".ci/run"))


def test_every_command_that_is_named_is_one(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    subject = "demand|table|rare-disease|classification|images|languages|novelty"
    rows = re.findall(rf"^\| `zeroshot ([a-z]+(?: (?:{subject}))?)", text, flags=re.MULTILINE)
    named = {f"--{option}" for option in re.findall(r"--([a-z]+)", text)}
    told = run_command("--help") + "".join(run_command(*name.split(), "--help") for name in rows)

    assert len(rows) == 19
    assert named <= set(re.findall(r"--[a-z]+", told))
