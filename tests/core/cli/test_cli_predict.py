import json
import subprocess
import sys
from pathlib import Path

import pytest
from cli_samples import KNOWN, NEW, Run, Write
from zeroshot_core import ZeroShotRegressor
from zeroshot_core.encoders import HashEncoder

COMMAND = Path(sys.executable).with_name("zeroshot")


def test_json_is_one_object_and_the_rest_is_on_standard_error(model: Path, new_items: Path) -> None:
    words = [COMMAND, "predict", "--model", model, new_items, "--json"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)

    told = json.loads(done.stdout)
    assert done.returncode == 0
    assert [entry["text"] for entry in told["predictions"]] == [row[0] for row in NEW]
    for entry in told["predictions"]:
        low, high = entry["interval"]
        assert 0 <= low <= entry["value"] <= high
        assert entry["items"][0]["id"].split("/")[0] in {"red wine", "lemonade", "pasta", "tomato sauce"}
    assert "not in the graph" in done.stderr


def test_values_that_the_graph_never_saw_are_counted_by_column_in_one_line(
    run: Run, model: Path, new_items: Path
) -> None:
    result = run("predict", "--model", model, new_items, "--json")

    assert result.stderr.startswith("note: left out: 2 values of column 'kind' not in the graph, such as")
    assert "1 value of column 'aisle' not in the graph" in result.stderr
    assert result.stderr.count("\n") == 1


def test_known_values_are_not_worth_a_word(run: Run, model: Path, write: Write) -> None:
    items = write("new.csv", [("description", "kind", "aisle"), ("rye pasta", "pasta", "pantry")])

    assert run("predict", "--model", model, items, "--json").stderr == ""


def test_files_and_standard_input_of_either_format_are_read_alike(
    run: Run, model: Path, new_items: Path
) -> None:
    names = ("description", "kind", "aisle")
    lines = "\n".join(json.dumps(dict(zip(names, row, strict=True))) for row in NEW)

    answers = [
        run("predict", "--model", model, new_items, "--json"),
        run("predict", "--model", model, "-", "--json", given=new_items.read_text()),
        run("predict", "--model", model, "--json", given=lines),
    ]

    first, *others = [json.loads(answer.stdout)["predictions"] for answer in answers]
    for other in others:
        assert [entry["items"] for entry in other] == [entry["items"] for entry in first]
        assert [entry["value"] for entry in other] == pytest.approx([entry["value"] for entry in first])


def test_text_alone_is_enough_and_what_is_missing_is_said(run: Run, model: Path) -> None:
    result = run("predict", "--model", model, "--json", given="description\ndry white wine\n")

    assert result.exit_code == 0
    assert "note: standard input has no column kind, aisle; predicting without" in result.stderr


def test_a_wider_coverage_gives_wider_intervals(run: Run, model: Path, new_items: Path) -> None:
    widths = []
    for coverage in (0.5, 0.9):
        told = json.loads(
            run("predict", "--model", model, new_items, "--json", "--coverage", coverage).stdout
        )
        assert told["coverage"] == coverage
        widths.append([high - low for low, high in (entry["interval"] for entry in told["predictions"])])

    assert all(narrow <= wide for narrow, wide in zip(*widths, strict=True))
    assert sum(widths[0]) < sum(widths[1])


def test_people_get_a_table_with_reasons(run: Run, model: Path, write: Write) -> None:
    items = write("new.csv", [("description", "kind", "aisle"), ("rye [pasta]", "pasta", "pantry")])

    table = run("predict", "--model", model, items, "--coverage", "0.8").stdout

    assert "80% interval" in table
    assert "rye [pasta]" in table
    assert "kind: pasta raised it by" in " ".join(table.replace("\u2502", " ").split())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("name\nwine\n", "standard input: expected a column 'description', got name"),
        ("description\n\n", "expected at least one row"),
        ("description,kind\n,pasta\n", "expected a text in 'description', got none in line 2"),
    ],
)
def test_what_cannot_be_read_fails_in_one_sentence(run: Run, model: Path, given: str, message: str) -> None:
    result = run("predict", "--model", model, "--json", given=given)

    assert (result.exit_code, result.stdout) == (1, "")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_folder_without_a_model_fails_in_one_sentence(run: Run, new_items: Path, tmp_path: Path) -> None:
    result = run("predict", "--model", tmp_path / "none", new_items)

    assert result.exit_code == 1
    assert "expected a saved model in" in result.stderr
    assert "there is no such folder" in result.stderr


@pytest.fixture
def plain() -> ZeroShotRegressor:
    """A model that was fitted in Python, on texts."""
    return ZeroShotRegressor(HashEncoder(64)).fit([row[1] for row in KNOWN], [row[4] for row in KNOWN])


def test_a_model_of_the_command_before_models_had_a_schema_knows_its_columns(
    run: Run, plain: ZeroShotRegressor, new_items: Path, tmp_path: Path
) -> None:
    noted = {"text": "description", "targets": ["units"], "id": "sku", "concepts": ["kind"]}
    plain.save(tmp_path / "noted", extra=noted)

    result = run("predict", "--model", tmp_path / "noted", new_items, "--json", "--quiet")

    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout)["targets"] == ["units"]


def test_a_model_saved_from_python_is_refused_with_the_way_out(
    run: Run, plain: ZeroShotRegressor, new_items: Path, tmp_path: Path
) -> None:
    plain.save(tmp_path / "plain")

    result = run("predict", "--model", tmp_path / "plain", new_items)

    assert result.exit_code == 1
    assert "got one saved from Python; name the column of" in result.stderr
    assert "that describes an item with --text" in result.stderr
    named = run("predict", "--model", tmp_path / "plain", new_items, "--text", "description")
    assert named.exit_code == 0, named.stderr


@pytest.mark.parametrize("coverage", ["0", "1", "90"])
def test_a_coverage_that_is_no_probability_is_wrong_usage(run: Run, model: Path, coverage: str) -> None:
    result = run("predict", "--model", model, "--coverage", coverage)

    assert result.exit_code == 2
    assert "between 0 and 1" in result.stderr
