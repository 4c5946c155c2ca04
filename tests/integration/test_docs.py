"""The pages of the documentation, run as they stand: every block works, and prints what it says."""

import re
from pathlib import Path

import pytest
import yaml
from pages import ROOT, blocks, run_page

PAGES = sorted(
    str(page.relative_to(ROOT)) for page in (ROOT / "docs").rglob("*.md") if "```" in page.read_text()
)


@pytest.mark.parametrize("page", [page for page in PAGES if page != "docs/architecture.md"])
def test_every_block_runs_and_prints_what_it_says(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run_page(page)


@pytest.mark.parametrize("page", PAGES)
def test_all_blocks_are_of_a_kind_that_is_run(page: str) -> None:
    assert {block.language for block in blocks(page)} <= {"python", "bash"}


def test_every_file_that_the_architecture_names_is_there() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = re.findall(r"`([\w./]+\.(?:py|md))`", text)
    folders = (ROOT, ROOT / "shared" / "zeroshot_core")

    assert len(named) > 40
    assert [name for name in named if not any((folder / name).is_file() for folder in folders)] == []


def test_every_page_is_in_the_navigation() -> None:
    navigation = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    pages = {str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")}

    assert pages == set(_leaves(navigation))


def _leaves(entry: object) -> list[str]:
    if isinstance(entry, str):
        return [entry]
    parts = entry.values() if isinstance(entry, dict) else entry
    return [leaf for part in parts for leaf in _leaves(part)]
