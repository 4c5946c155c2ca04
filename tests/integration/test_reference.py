"""The built reference: every public name has its entry, and every class shows all that it can be asked."""

import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pages import ROOT

OURS = ("zeroshot_core", "langchain_zeroshot", "llama_index_zeroshot")
PACKAGES = (
    "zeroshot_core",
    *(
        f"zeroshot_core.{name}"
        for name in (
            "encoders",
            "frames",
            "graph",
            "index",
            "retrieval",
            "training",
            "construction",
            "datasets",
            "evaluation",
            "prediction",
        )
    ),
    "langchain_zeroshot",
    "llama_index_zeroshot",
)
# Their methods are the frameworks' own, whose pages describe them.
STORES = {"ZeroShotPropertyGraphStore", "ZeroShotVectorStore"}
ENTRY = re.compile(r'<h\d id="([\w.]+)"')


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr[-2000:]
    return folder


@pytest.fixture(scope="module")
def entries(site: Path) -> set[str]:
    pages = site.rglob("reference/**/*.html")
    return {entry for page in pages for entry in ENTRY.findall(page.read_text(encoding="utf-8"))}


def named(entries: set[str], name: str) -> bool:
    return any(entry.endswith(f".{name}") for entry in entries)


def methods(of: type) -> Iterator[str]:
    """Public methods and properties that a class has of ours, inherited ones too."""
    for name in dir(of):
        owners = [base for base in of.__mro__ if name in vars(base)]
        if name.startswith(("_", "model_")) or not owners or owners[0].__module__.split(".")[0] not in OURS:
            continue
        member = inspect.getattr_static(of, name)
        is_routing = re.fullmatch(r"set_\w+_request", name)
        if not is_routing and (isinstance(member, property | classmethod | staticmethod) or callable(member)):
            yield name


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_has_its_entry(package: str, entries: set[str]) -> None:
    names = importlib.import_module(package).__all__

    assert [name for name in names if not named(entries, name)] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_class_shows_all_its_methods(package: str, entries: set[str]) -> None:
    module = importlib.import_module(package)
    classes = [getattr(module, name) for name in module.__all__ if inspect.isclass(getattr(module, name))]
    missing = [
        f"{each.__name__}.{method}"
        for each in classes
        if each.__name__ not in STORES
        for method in methods(each)
        if not named(entries, f"{each.__name__}.{method}")
    ]

    assert missing == []


def test_entries_are_named_as_they_are_imported(entries: set[str]) -> None:
    public = {
        f"{package}.{name}" for package in PACKAGES for name in importlib.import_module(package).__all__
    }
    wrong = [
        entry
        for entry in entries
        if "." in entry and not any(f"{entry}.".startswith(f"{name}.") for name in public)
    ]

    assert wrong == []


@pytest.mark.parametrize("name", ["PredictionInput", "PredictionOutput"])
def test_values_of_the_adapters_show_their_fields(name: str, site: Path) -> None:
    page = (site / "reference" / "langchain" / "index.html").read_text(encoding="utf-8")
    words = re.sub(r"<[^>]+>", " ", page[page.index(f'id="langchain_zeroshot.{name}"') :])

    for field in getattr(importlib.import_module("langchain_zeroshot"), name).model_fields:
        assert re.search(rf"\b{field}\b", words)
