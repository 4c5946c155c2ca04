import csv
import json

import pytest
from zeroshot_core import encoders
from zeroshot_core.encoders import HashEncoder

pytestmark = pytest.mark.slow

KINDS = ("red_wine", "cat_food", "garden_tools", "dental_care")
WORDS = ("small", "large", "cheap", "fine", "new", "old", "blue", "green")


@pytest.fixture
def bank(tmp_path, monkeypatch):
    """A folder with a set in the form of BANKING77."""
    folder = tmp_path / "banking77"
    folder.mkdir()
    for part, words in (("train", WORDS), ("test", ("odd", "tiny"))):
        with (folder / f"{part}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("text", "category"))
            writer.writerows((f"{word} {kind.replace('_', ' ')}", kind) for kind in KINDS for word in words)
    monkeypatch.setenv("ZEROSHOT_DATA", str(tmp_path))
    monkeypatch.setattr(encoders, "load_encoder", HashEncoder)


@pytest.mark.usefixtures("bank")
def test_novelty_is_printed_as_json_and_as_a_table(run):
    words = ("evaluate", "novelty", "--data", "banking77", "--known", "0.5")
    printed = run(*words, "--json")

    assert printed.exit_code == 0, printed.output
    report = json.loads(printed.stdout)
    assert (report["n_known_labels"], report["n_new"]) == (2, 4)
    assert report["detection"]["auroc"] > 0.9

    table = run(*words, "--false-alarm-rate", "0.1")
    assert "weighted, without labels" in table.stdout
    assert "4 of 8 test texts are new; at a stated rate of 0.1" in table.stdout


@pytest.mark.parametrize(
    "words", [("--known", "1"), ("--false-alarm-rate", "0"), ("--false-alarm-rate", "few"), ("--data", "bbc")]
)
def test_what_cannot_be_measured_is_refused(run, words):
    assert run("evaluate", "novelty", *words).exit_code != 0


@pytest.mark.usefixtures("bank")
def test_missing_data_are_named(run, monkeypatch, tmp_path):
    monkeypatch.setenv("ZEROSHOT_DATA", str(tmp_path / "nowhere"))
    found = run("evaluate", "novelty")

    assert found.exit_code != 0
    assert "set ZEROSHOT_DATA" in found.output
