import json
from pathlib import Path

import pytest
from zeroshot_core.cli.forecast_file import write_columns
from zeroshot_core.cli.tables import read_table

COLUMNS = {
    "id": ["=1+1", "@SUM(A1)", "+cmd", "-12", "plain"],
    "expected": [1.5, -2.0, 3.25, None, 7],
    "nearest": ['=HYPERLINK("http://x")', "red\nwine", "caf\u00e9 \ud800\x01", "", "z" * 40_000],
}


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet", "xlsx"])
def test_what_is_written_is_read_again(tmp_path: Path, ending: str) -> None:
    if ending in {"parquet", "xlsx"}:
        pytest.importorskip({"parquet": "pyarrow", "xlsx": "openpyxl"}[ending])
    path = tmp_path / "new" / f"forecast.{ending}"
    write_columns(path, COLUMNS)
    table = read_table(path)

    assert table.columns == tuple(COLUMNS)
    assert len(table.rows) == 5
    assert table.numbers(["expected"], gaps=True).tolist()[:3] == [1.5, -2.0, 3.25]
    assert table.column("expected")[3] == ""
    assert table.column("id")[3:] == ["-12", "plain"]


def test_no_text_becomes_a_formula_in_a_workbook(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    write_columns(tmp_path / "forecast.xlsx", COLUMNS)
    sheet = openpyxl.load_workbook(tmp_path / "forecast.xlsx").active

    assert [cell.value for cell in sheet["A"]] == ["id", *COLUMNS["id"]]
    assert {cell.data_type for column in "AC" for cell in sheet[column] if cell.value} == {"s"}
    assert [cell.quotePrefix for cell in sheet["A"]] == [False, True, True, True, True, False]


def test_no_text_becomes_a_formula_in_csv_and_numbers_stay_as_they_are(tmp_path: Path) -> None:
    write_columns(tmp_path / "forecast.csv", COLUMNS)
    table = read_table(tmp_path / "forecast.csv")

    assert table.column("id") == ["'=1+1", "'@SUM(A1)", "'+cmd", "-12", "plain"]
    assert table.column("nearest")[0] == '\'=HYPERLINK("http://x")'


def test_json_lines_hold_texts_as_they_are(tmp_path: Path) -> None:
    write_columns(tmp_path / "forecast.jsonl", COLUMNS)
    first = json.loads((tmp_path / "forecast.jsonl").read_text(encoding="utf-8").split("\n")[0])

    assert first == {"id": "=1+1", "expected": 1.5, "nearest": '=HYPERLINK("http://x")'}
