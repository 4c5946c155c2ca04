"""A module that is deferred is as any other once something of it is asked for."""

from __future__ import annotations

import importlib
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from zeroshot_core.cli.deferred_module import DeferredModule, defer

CODE = "import time; time.sleep(0.05); __all__ = ['late']; runs = [1]; late = 7\nimport slow.part\n"


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slow").mkdir()
    (tmp_path / "slow" / "__init__.py").write_text(CODE)
    (tmp_path / "slow" / "part.py").write_text("value = 3\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    for name in ("slow", "slow.part"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    defer("slow", "not_installed")


def test_its_code_runs_once_and_no_sooner_than_it_is_needed() -> None:
    first, again = importlib.import_module("slow"), importlib.import_module("slow")
    assert isinstance(first, DeferredModule)
    assert "late" not in vars(first)
    with ThreadPoolExecutor() as pool:
        assert list(pool.map(lambda _: again.late, range(8))) == [7] * 8
    with pytest.raises(AttributeError, match="module 'slow' has no attribute 'nothing'"):
        _ = first.nothing


def test_its_names_and_parts_are_imported_as_ever() -> None:
    scope: dict[str, object] = {}
    exec("from slow import *\nfrom slow.part import value\nimport slow.part", scope)  # noqa: S102

    assert (scope["late"], scope["value"], scope["slow"].part.value) == (7, 3, 3)  # type: ignore[attr-defined]


def test_what_is_not_installed_is_missed_as_ever() -> None:
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("not_installed")
