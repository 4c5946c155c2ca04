"""What a planner does: fit a spreadsheet with prices and dates, and take the forecasts back as a file."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from cli_samples import KINDS, PLACES, Run
from typer.testing import CliRunner
from zeroshot_core import ZeroShotRegressor, load_model
from zeroshot_core.cli import console
from zeroshot_core.cli.main import app
from zeroshot_core.cli.tables import read_table
from zeroshot_core.encoders import HashEncoder

pytestmark = pytest.mark.usefixtures("hashing")

WEEKS = tuple(f"week {n}" for n in range(1, 9))
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def sheet_of(path: Path, *, gap: str = "51") -> Path:
    """A spreadsheet of Europe: semicolons, decimal commas, days with points, Windows-1252."""
    rows = [
        (
            text.format(place),
            kind,
            aisle,
            f"{units / 7 + rank:.2f}".replace(".", ","),
            f"{3 + rank:02}.{1 + rank:02}.2024",
            gap if (kind, rank) == ("pasta", 1) else str(units + rank),
            *(str(units + week) for week in range(8)),
        )
        for kind, (aisle, units, text) in KINDS.items()
        for rank, place in enumerate(PLACES)
    ]
    header = ("größe", "kind", "aisle", "price", "since", "units", *WEEKS)
    path.write_bytes("\r\n".join(map(";".join, [header, *rows])).encode("cp1252"))
    return path


def new_of(path: Path) -> Path:
    rows = ("größe;kind;aisle;price;since", "=wine from Liguria;red wine;drinks;2,5;3.4.2024", "cat toy;;;;")
    path.write_bytes("\r\n".join(rows).encode("cp1252"))
    return path


OPTIONS = ("--text", "größe", "--concepts", "kind,aisle", "--numeric", "price", "--dates", "since")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("planning")


@pytest.fixture(scope="module")
def curves(run: Run, folder: Path) -> Path:
    """Folder of a model of eight weeks."""
    with pytest.MonkeyPatch.context() as patch:
        from zeroshot_core import encoders

        patch.setattr(encoders, "load_encoder", lambda *_, **__: encoders.HashEncoder(64))
        items = sheet_of(folder / "items.csv")
        options = (*OPTIONS, "--target", ",".join(WEEKS), "--model", folder / "curves", "--quiet")
        result = run("fit", "--items", items, *options)
    assert (result.exit_code, result.output) == (0, "")
    return folder / "curves"


def test_prices_and_dates_are_learned_from_and_asked_again(run: Run, folder: Path, curves: Path) -> None:
    assert load_model(curves).schema_.numeric == ("price",)
    told = run("info", "--model", curves).stdout
    assert "numeric price" in told
    assert "dates since" in told


@pytest.mark.parametrize("width", [80, 140, 200])
def test_curves_have_a_column_a_step_and_fit_the_line(folder: Path, curves: Path, width: int) -> None:
    env = {"COLUMNS": str(width), "FORCE_COLOR": "1", "TERM": "xterm"}
    words = ("predict", "--model", str(curves), str(new_of(folder / "new.csv")), "--quiet")
    printed = ANSI.sub("", CliRunner().invoke(app, words, env=env).stdout)
    told = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)["predictions"]

    assert max(map(len, printed.splitlines())) <= width
    for week in WEEKS:
        assert printed.count(week) == 1
    for entry in told:
        for value, low, high in zip(entry["value"], *entry["interval"], strict=True):
            assert f"{value:.1f} " in printed
            assert f"{low:.1f} - {high:.1f} " in printed


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet", "xlsx"])
def test_a_forecast_is_a_file_with_a_row_an_item(run: Run, folder: Path, curves: Path, ending: str) -> None:
    if ending in {"parquet", "xlsx"}:
        pytest.importorskip({"parquet": "pyarrow", "xlsx": "openpyxl"}[ending])
    out = folder / f"forecast.{ending}"
    new = new_of(folder / "new.csv")
    result = run("predict", "--model", curves, new, "--coverage", 0.8, "--out", out)
    table = read_table(out)

    assert (result.exit_code, result.stdout) == (0, "")
    assert f"2 predictions are in {out}" in result.stderr
    assert table.column("id") == ["row-1", "row-2"]
    parts = ("expected", "median", "low", "high", "q10", "q50", "q90")
    steps = {f"{part}_{week}" for week in WEEKS for part in parts}
    assert set(table.columns) == {"id", *steps, "nearest", "reason"}
    low, high = table.numbers(["low_week 1"]), table.numbers(["high_week 1"])
    median = table.numbers(["median_week 1"])
    # The ends are counts.
    assert ((low - 1 < median) & (median < high + 1)).all()


def test_a_file_of_another_kind_is_wrong_usage(run: Run, curves: Path, tmp_path: Path) -> None:
    result = run("predict", "--model", curves, "--out", tmp_path / "forecast.pdf", given="größe\nwine\n")

    assert result.exit_code == 2
    assert "expected a file that ends with .csv, .jsonl, .parquet, .xlsx" in " ".join(
        result.stderr.replace("\u2502", " ").split()
    )


def test_rows_without_a_target_are_refused_or_left_out(run: Run, tmp_path: Path) -> None:
    items = sheet_of(tmp_path / "items.csv", gap="NA")
    words = ("fit", "--items", items, *OPTIONS, "--target", "units", "--model", tmp_path / "model")
    refused = run(*words)
    fitted = run(*words, "--missing", "drop")

    assert refused.exit_code == 1
    assert "expected numbers in column 'units', got 1 other cells: 'NA' in line 15" in refused.stderr
    assert fitted.exit_code == 0, fitted.stderr
    assert f"fitted on 23 items of {items}" in fitted.stdout
    assert "read with semicolons between cells, Windows-1252, decimal commas" in fitted.stderr
    assert f"note: columns of {items} that are not used: week 1, week 2" in fitted.stderr


def test_a_classifier_is_fitted_on_labels_and_answers_predict_and_classify(
    run: Run, folder: Path, tmp_path: Path
) -> None:
    items = sheet_of(tmp_path / "items.csv")
    words = ("--text", "größe", "--target", "aisle", "--kind", "classifier", "--model", tmp_path / "model")
    fitted = run("fit", "--items", items, *words)
    assert fitted.exit_code == 0, fitted.stderr

    new = new_of(tmp_path / "new.csv")
    predicted = json.loads(run("predict", "--model", tmp_path / "model", new, "--json").stdout)
    classified = json.loads(run("classify", "--model", tmp_path / "model", new, "--json").stdout)
    assert predicted == classified
    assert predicted["labels"] == ["drinks", "pantry"]
    assert predicted["predictions"][0]["label"] == "drinks"
    out = tmp_path / "labels.csv"
    assert run("predict", "--model", tmp_path / "model", new, "--out", out, "--quiet").output == ""
    assert read_table(out).columns == ("id", "label", "probability", "nearest", "reason")


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--kind", "ranker"), 2, "expected regressor or classifier, got 'ranker'"),
        (("--missing", "fill"), 2, "expected refuse or drop, got 'fill'"),
        (("--kind", "classifier", "--unseen", "kind"), 2, "--unseen is for numbers"),
        (("--numeric", "kind"), 1, "expected numbers in column 'kind', got 24 other cells"),
        (("--numeric", "cost"), 1, "expected a column 'cost'"),
        (("--dates", "price"), 1, "expected days in column 'price', got '"),
        (("--numeric", "units"), 1, "expected a target that nothing else reads, got 'units'"),
    ],
)
def test_what_cannot_be_learned_is_refused(
    run: Run, tmp_path: Path, options: tuple[str, ...], code: int, message: str
) -> None:
    items = sheet_of(tmp_path / "items.csv")
    words = ("--text", "größe", "--target", "units", "--model", tmp_path / "model")
    result = run("fit", "--items", items, *words, *options)

    assert result.exit_code == code
    assert message in " ".join(result.stderr.replace("\u2502", " ").split())
    assert not (tmp_path / "model" / "model.json").exists()


def test_labels_that_are_missing_are_named_by_their_lines(run: Run, tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("text,label\n" + "wine,drinks\nsoap,care\n" * 3 + "tea,\n")
    words = ("--text", "text", "--target", "label", "--kind", "classifier", "--model", tmp_path / "model")
    refused = run("fit", "--items", tmp_path / "items.csv", *words)
    fitted = run("fit", "--items", tmp_path / "items.csv", *words, "--missing", "drop")

    assert (refused.exit_code, fitted.exit_code) == (1, 0)
    assert "expected a label in column 'label', got none in line 8" in refused.stderr


def test_bars_are_drawn_on_a_terminal_alone(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    items = sheet_of(tmp_path / "items.csv")
    words = ("fit", "--items", items, "--text", "größe", "--target", "units", "--model", tmp_path / "model")
    assert "%|" not in run(*words).output
    with console.Phases(2) as phases:
        phases.begin("read")
        phases.begin("learn")
    assert capsys.readouterr().err == "[1/2] read\n[2/2] learn\n"

    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert console.shows_progress()
    assert not console.shows_progress(quiet=True)


def test_the_version_is_said(run: Run) -> None:
    assert re.fullmatch(r"zeroshot \d+\.\d+\S*\n", run("--version").stdout)


def test_numbers_change_the_forecast(run: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    prices = rng.uniform(1, 9, 60)
    rows = [f"thing {n},{price:.3f},{100 * price:.1f}" for n, price in enumerate(prices)]
    (tmp_path / "items.csv").write_text("\n".join(["text,price,units", *rows]))
    words = ("--text", "text", "--target", "units", "--numeric", "price", "--model", tmp_path / "model")
    assert run("fit", "--items", tmp_path / "items.csv", *words).exit_code == 0

    told = run("predict", "--model", tmp_path / "model", "--json", given="text,price\nthing,2\nthing,8\n")
    cheap, dear = [entry["value"] for entry in json.loads(told.stdout)["predictions"]]
    assert dear > 2 * cheap


def test_bars_are_up_to_who_opens_a_model(tmp_path: Path) -> None:
    model = ZeroShotRegressor(HashEncoder(16), show_progress=True)
    model.fit([f"thing {n}" for n in range(8)], list(range(8))).save(tmp_path / "model")
    state = (tmp_path / "model" / "model.json").read_text(encoding="utf-8")

    assert "show_progress" not in state
    assert not load_model(tmp_path / "model").show_progress
