"""``zeroshot classify`` and ``zeroshot evaluate classification``."""

import csv
import json

import pytest
from typer.testing import CliRunner
from zeroshot_core import encoders
from zeroshot_core.cli.main import app

TEXTS = {
    "train": [
        (f"{colour} {thing}", thing) for colour in ("red", "green", "old") for thing in ("apple", "saw")
    ],
    "test": [("blue apple", "apple"), ("a saw", "saw"), ("new saw", "saw")],
}


@pytest.fixture
def hashed(monkeypatch, hash_encoder, tmp_path):
    """Words hashed instead of a model, and a set of six texts for BANKING77."""
    monkeypatch.setattr(encoders, "load_encoder", lambda *_, **__: hash_encoder)
    monkeypatch.setenv("ZEROSHOT_DATA", str(tmp_path))
    (tmp_path / "banking77").mkdir()
    for part, rows in TEXTS.items():
        with (tmp_path / "banking77" / f"{part}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("text", "category"), *rows])


def run(*arguments):
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.usefixtures("hashed")
def test_a_text_gets_a_label_at_once():
    found = json.loads(run("classify", "--labels", "apple, saw", "--json", "an apple", "a saw"))
    assert [each["label"] for each in found["predictions"]] == ["apple", "saw"]
    assert sum(found["predictions"][0]["probabilities"].values()) == pytest.approx(1.0)
    assert "apple" in run("classify", "--labels", "apple,saw", "an apple")


@pytest.mark.usefixtures("hashed")
def test_a_single_label_is_refused_with_a_sentence():
    result = CliRunner().invoke(app, ["classify", "--labels", "apple", "an apple"])
    assert result.exit_code == 1
    assert "expected at least 2 labels" in result.stderr


@pytest.mark.usefixtures("hashed")
def test_zero_shot_figures_stand_beside_the_label_names():
    found = json.loads(run("evaluate", "classification", "--data", "banking77", "--json"))
    assert set(found["scores"]) == {"label_vectors", "with_unlabelled_texts"}
    assert found["baselines"]["label_name"]["accuracy"] == 1.0
    assert (found["n_test"], found["n_unlabelled"], found["n_per_label"]) == (3, 6, 0)
    scores = found["scores"]["with_unlabelled_texts"]
    assert scores["low"] <= scores["accuracy"] <= scores["high"]
    assert 0 <= scores["calibration_error"] <= 1


@pytest.mark.usefixtures("hashed")
def test_few_shot_figures_stand_beside_a_probe_and_neighbours():
    arguments = ("evaluate", "classification", "--data", "banking77", "--mode", "few-shot", "--shots", "2")
    found = json.loads(run(*arguments, "--json"))
    assert set(found["baselines"]) == {"label_name", "linear_probe", "nearest_neighbours"}
    assert set(found["scores"]) == {"examples", "with_unlabelled_texts"}
    assert (found["n_per_label"], found["n_unlabelled"]) == (2, 6)
    assert "linear probe" in run(*arguments)
