import json
import os
from pathlib import Path

import pytest
from cli_samples import KNOWN, NEW, Run, Write
from zeroshot_core import ZeroShotRegressor

pytestmark = pytest.mark.usefixtures("hashing")

SERVER = os.environ.get("ZEROSHOT_TEST_URI")
OPTIONS = ("--text", "description", "--target", "units")
EDGES = [
    ("head", "type", "tail"),
    *((kind, "in", aisle) for kind, aisle in {(row[2], row[3]) for row in KNOWN}),
]


def test_the_model_forecasts_in_python_as_from_the_command(run: Run, model: Path, new_items: Path) -> None:
    told = json.loads(run("predict", "--model", model, new_items, "--json").stdout)["predictions"]

    regressor = ZeroShotRegressor.load(model)
    forecast = regressor.predict([entry["text"] for entry in told])

    assert regressor.schema_.concepts == ("kind", "aisle")
    assert len(forecast) == len(NEW)
    assert all(entry["value"] >= 0 for entry in told)


def test_a_model_is_fitted_anew_in_its_folder_and_leaves_no_old_version(
    run: Run, write: Write, tmp_path: Path
) -> None:
    header = ("description", "kind", "units")
    for rows in (KNOWN[:12], KNOWN):
        items = write("items.csv", [header, *((row[1], row[2], row[4]) for row in rows)])
        result = run("fit", "--items", items, *OPTIONS, "--model", tmp_path / "model")
        assert result.exit_code == 0, result.stderr

    told = json.loads(run("info", "--model", tmp_path / "model", "--json").stdout)
    regressor = ZeroShotRegressor.load(tmp_path / "model")

    assert told["items"] == len(KNOWN)
    assert [version.id for version in regressor.model_index_.index.versions()] == [told["index"]["version"]]


@pytest.mark.server
@pytest.mark.skipif(not SERVER, reason="ZEROSHOT_TEST_URI is not set")
def test_a_server_keeps_one_version_of_a_model(run: Run, write: Write, tmp_path: Path) -> None:
    header = ("description", "kind", "units")
    for rows in (KNOWN[:12], KNOWN):
        items = write("items.csv", [header, *((row[1], row[2], row[4]) for row in rows)])
        result = run("fit", "--items", items, *OPTIONS, "--model", tmp_path / "model", "--uri", SERVER)
        assert result.exit_code == 0, result.stderr

    unnamed = run("predict", "--model", tmp_path / "model", items, "--json")
    assert (unnamed.exit_code, "its folder alone names" in unnamed.stderr) == (1, True)
    told = json.loads(run("predict", "--model", tmp_path / "model", items, "--json", "--uri", SERVER).stdout)
    regressor = ZeroShotRegressor.load(tmp_path / "model", trust_uri=True)
    index = regressor.model_index_.index

    assert len(told["predictions"]) == len(KNOWN)
    assert [version.id for version in index.versions()] == [regressor.version_.info.id]
    index.drop(regressor.version_.info.id)
    regressor.close()


def test_several_targets_are_forecast_as_a_curve_over_an_edge_list(
    run: Run, write: Write, known_items: Path, new_items: Path, tmp_path: Path
) -> None:
    edges = write("edges.csv", EDGES)
    options = ("--text", "description", "--target", "units,week_2", "--graph", edges, "--unseen", "kind")
    fitted = run("fit", "--items", known_items, *options, "--model", tmp_path / "model")
    told = json.loads(run("predict", "--model", tmp_path / "model", new_items, "--json").stdout)

    assert fitted.exit_code == 0, fitted.stderr
    assert told["targets"] == ["units", "week_2"]
    first = told["predictions"][0]
    assert len(first["value"]) == len(first["interval"][0]) == 2
    assert {step[2] for hit in first["items"] for step in hit["path"]} <= {row[2] for row in KNOWN} | {
        "drinks"
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--text", "name", "--target", "units"), "expected a column 'name', got sku, description"),
        (("--text", "description", "--target", "sales"), "expected a column 'sales'"),
        (
            ("--text", "description", "--target", "kind"),
            "expected numbers in column 'kind', got 24 other cells",
        ),
        ((*OPTIONS, "--concepts", "kind,brand"), "expected a column 'brand'"),
        ((*OPTIONS, "--unseen", "brand"), "expected a column 'brand'"),
        ((*OPTIONS, "--id", "kind"), "red wine"),
        ((*OPTIONS, "--graph", "nowhere.csv"), "expected a readable UTF-8 file, got 'nowhere.csv'"),
        ((*OPTIONS, "--uri", "ftp://milvus"), "expected a uri"),
    ],
)
def test_what_the_table_does_not_hold_fails_in_one_sentence(
    run: Run, known_items: Path, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    result = run("fit", "--items", known_items, *options, "--model", tmp_path / "model")

    assert result.exit_code == 1
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "model" / "model.json").exists()


def test_a_folder_of_other_files_is_left_alone(run: Run, known_items: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")

    result = run("fit", "--items", known_items, *OPTIONS, "--model", tmp_path)

    assert result.exit_code == 1
    assert "which holds other files" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_graph_and_columns_of_concepts_together_are_wrong_usage(run: Run, known_items: Path) -> None:
    result = run(
        "fit", "--items", known_items, *OPTIONS, "--model", "m", "--graph", "e.csv", "--concepts", "kind"
    )

    assert result.exit_code == 2
    assert "give --graph or --concepts, not both" in result.stderr
