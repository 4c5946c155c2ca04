from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from cli_samples import KNOWN, NEW, Run, Write, write_csv
from typer.testing import CliRunner, Result
from zeroshot_core import datasets, encoders
from zeroshot_core.cli.main import app
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.evaluation import demand


@pytest.fixture(scope="session")
def run() -> Run:
    """Run the command with words, in this process."""

    def invoke(*words: object, given: str | None = None) -> Result:
        return CliRunner().invoke(app, [str(word) for word in words], input=given)

    return invoke


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a CSV file of rows."""

    def rows_into(name: str, rows: Sequence[Sequence[object]]) -> Path:
        return write_csv(tmp_path / name, rows)

    return rows_into


@pytest.fixture(scope="session")
def known_items(tmp_path_factory: pytest.TempPathFactory) -> Path:
    header = ("sku", "description", "kind", "aisle", "units", "week_2")
    return write_csv(tmp_path_factory.mktemp("known") / "items.csv", [header, *KNOWN])


@pytest.fixture(scope="session")
def new_items(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(tmp_path_factory.mktemp("new") / "new.csv", [("description", "kind", "aisle"), *NEW])


@pytest.fixture
def hashing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Words hashed instead of a model of language, which takes seconds."""
    monkeypatch.setattr(encoders, "load_encoder", lambda *_, **__: HashEncoder(64))


@pytest.fixture(scope="session")
def model(run: Run, known_items: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a model that `zeroshot fit` made, over hashed words."""
    folder = tmp_path_factory.mktemp("fitted") / "model"
    options = ("--text", "description", "--target", "units", "--concepts", "kind, aisle", "--id", "sku")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoders, "load_encoder", lambda *_, **__: HashEncoder(64))
        result = run("fit", "--items", known_items, *options, "--model", folder)
    assert result.exit_code == 0, result.stderr
    return folder


@pytest.fixture
def few_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take 300 product lines for all of them."""
    lines = datasets.load_product_lines()
    few = lines.take(np.random.default_rng(0).choice(len(lines), 300, replace=False))
    for module in (datasets, demand):
        monkeypatch.setattr(module, "load_product_lines", lambda: few)
