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


EXAMPLES = "text,kind,note\n" + "".join(f"{text},{label},x\n" for text, label in TEXTS["train"])


@pytest.fixture
def examples(tmp_path):
    """A table of six texts with labels, in two of three columns."""
    (tmp_path / "examples.csv").write_text(EXAMPLES)
    return str(tmp_path / "examples.csv")


@pytest.mark.usefixtures("hashed")
def test_examples_in_a_table_teach_labels_and_texts_come_from_a_file_or_standard_input(examples, tmp_path):
    (tmp_path / "new.csv").write_text("text\na blue apple\na rusty saw\n")
    words = ["classify", "--examples", examples, "--labels", "kind", "--json"]
    asked = [
        run(*words, "a blue apple", "a rusty saw"),
        run(*words, str(tmp_path / "new.csv")),
        CliRunner().invoke(app, [*words, "-"], input="text\na blue apple\na rusty saw\n").stdout,
    ]

    for printed in asked:
        told = json.loads(printed)
        assert told["labels"] == ["apple", "saw"]
        assert [each["label"] for each in told["predictions"]] == ["apple", "saw"]
        assert {hit["text"] for hit in told["predictions"][0]["items"]} <= {row[0] for row in TEXTS["train"]}


@pytest.mark.usefixtures("hashed")
def test_labels_without_examples_stand_beside_the_column_of_those_with_some(examples):
    told = json.loads(run("classify", "--examples", examples, "--labels", "kind,pear", "--json", "a pear"))

    assert told["labels"] == ["apple", "pear", "saw"]


@pytest.mark.usefixtures("hashed")
@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["a"], 2, "give --labels or --model, and not both"),
        (["a", "--labels", "a,b", "--model", "m"], 2, "give --labels or --model, and not both"),
        (["a", "--model", "m", "--examples", "e.csv"], 2, "give --examples or --model, not both"),
        (["a", "--model", "m"], 1, "expected a saved model in m"),
        (
            ["a", "--labels", "color", "--examples", "{}"],
            1,
            "among --labels color, got none; its columns are",
        ),
        (["a", "--labels", "kind,note", "--examples", "{}"], 1, "got kind, note; its columns are"),
        (["{}", "--labels", "a,b", "--text", "name"], 1, "expected a column 'name', got text, kind, note"),
        (["-", "--labels", "a,b"], 1, "standard input: expected a column 'text', got a text; name that of"),
    ],
)
def test_what_cannot_be_labelled_is_refused(examples, words, code, message):
    result = CliRunner().invoke(
        app, ["classify", *(word.format(examples) for word in words)], input="a text\nb\n"
    )

    assert result.exit_code == code
    assert message in " ".join(result.stderr.replace("\u2502", " ").split())


@pytest.mark.usefixtures("hashed")
def test_an_example_without_a_label_is_named_by_its_line(tmp_path):
    (tmp_path / "examples.csv").write_text(f"{EXAMPLES}old thing,,x\n")
    words = ["classify", "--examples", str(tmp_path / "examples.csv"), "--labels", "kind", "a saw"]

    assert "expected a label in column 'kind', got none in line 8" in CliRunner().invoke(app, words).stderr


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
