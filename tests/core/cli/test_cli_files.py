"""Files as spreadsheets and programs write them: read with the right rows, or refused in a sentence."""

import gzip
import io
import json
import os
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from cli_samples import Run
from zeroshot_core.cli.tables import Dialect, TextTable, read_table
from zeroshot_core.errors import InvalidInputError, MissingExtraError

ROWS = [("red, dry wine", "wine", 3), ("b\u00e4r \u201colder\u201d", "beer", 12), ("oat milk", "milk", 1200)]
TEXTS = [row[0] for row in ROWS]
UNITS = [3.0, 12.0, 1200.0]
DATA = Path(os.environ.get("ZEROSHOT_DATA", Path(__file__).parents[4] / "shared" / "data"))
IKEA = DATA / "ikea" / "ikea.csv"


def csv_of(
    delimiter: str = ",",
    *,
    header: tuple[str, ...] = ("text", "kind", "units"),
    change: Callable[[int, tuple[object, ...]], tuple[object, ...]] = lambda place, row: row,
    tail: str = "",
) -> str:
    rows = [header, *(change(place, row) for place, row in enumerate(ROWS))]
    quoted = [
        delimiter.join(f'"{cell}"' if delimiter in str(cell) else str(cell) for cell in row) for row in rows
    ]
    return "\r\n".join(quoted) + "\r\n" + tail


def excel_of(*sheets: list[tuple[object, ...]]) -> bytes:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.remove(book.active)
    for number, rows in enumerate(sheets, start=1):
        sheet = book.create_sheet(f"Sheet {number}")
        for row in rows:
            sheet.append(row)
    data = io.BytesIO()
    book.save(data)
    return data.getvalue()


def parquet_of(columns: dict[str, list[object]]) -> bytes:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    data = io.BytesIO()
    parquet.write_table(arrow.table(columns), data)
    return data.getvalue()


RECORDS = [dict(zip(("text", "kind", "units"), row, strict=True)) for row in ROWS]
COLUMNS = {key: [record[key] for record in RECORDS] for key in RECORDS[0]}
HEADER = ("text", "kind", "units")

FILES: dict[str, tuple[Callable[[], bytes], str]] = {
    "commas": (lambda: csv_of().encode(), ""),
    "semicolons": (lambda: csv_of(";").encode(), "semicolons between cells"),
    "tabs": (lambda: csv_of("\t").encode(), "tabs between cells"),
    "bars": (lambda: csv_of("|").encode(), "bars between cells"),
    "the line of Excel": (lambda: b"sep=;\r\n" + csv_of(";").encode(), "semicolons between cells"),
    "a byte order mark": (lambda: csv_of().encode("utf-8-sig"), ""),
    "UTF-16": (lambda: csv_of("\t").encode("utf-16"), "tabs between cells, UTF-16"),
    "UTF-16 without a mark": (lambda: csv_of().encode("utf-16-le"), "UTF-16-LE"),
    "big UTF-16 without a mark": (lambda: csv_of().encode("utf-16-be"), "UTF-16-BE"),
    "UTF-32": (lambda: csv_of().encode("utf-32"), "UTF-32"),
    "Windows-1252": (lambda: csv_of(";").encode("cp1252"), "semicolons between cells, Windows-1252"),
    "gzip": (lambda: gzip.compress(csv_of().encode()), ""),
    "the index of pandas": (
        lambda: csv_of(header=("", *HEADER), change=lambda place, row: (place, *row)).encode(),
        "",
    ),
    "a comma at the end": (
        lambda: csv_of(header=(*HEADER, ""), change=lambda place, row: (*row, "")).encode(),
        "",
    ),
    "a comma at the end of rows alone": (lambda: csv_of(change=lambda place, row: (*row, "")).encode(), ""),
    "an unused column twice": (
        lambda: csv_of(header=(*HEADER, "x", "x"), change=lambda place, row: (*row, 1, 2)).encode(),
        "",
    ),
    "empty rows": (lambda: ("\r\n,,\r\n" + csv_of(tail=",,\r\n\r\n,,\r\n")).encode(), ""),
    "JSON lines": (lambda: "\n".join(map(json.dumps, RECORDS)).encode(), ""),
    "a JSON array": (lambda: json.dumps(RECORDS, indent=1, ensure_ascii=False).encode(), ""),
    "a JSON array in UTF-16": (lambda: json.dumps(RECORDS).encode("utf-16"), "UTF-16"),
    "Parquet": (lambda: parquet_of(COLUMNS), ""),
    "Parquet with whole floats": (lambda: parquet_of({**COLUMNS, "units": UNITS}), ""),
    "Excel": (lambda: excel_of([HEADER, *ROWS]), ""),
    "Excel with an empty edge": (
        lambda: excel_of(
            [(), (None, *HEADER), *((None, *row) for row in ROWS), (None, " ", None), (None, None)]
        ),
        "",
    ),
    "Excel with sheets": (lambda: excel_of([], [HEADER, *ROWS], [("other",), ("x",)]), "sheet 'Sheet 2'"),
    "gzip of Excel": (lambda: gzip.compress(excel_of([HEADER, *ROWS])), ""),
}


def table_of(tmp_path: Path, data: bytes | str, dialect: Dialect | None = None) -> TextTable:
    path = tmp_path / "items"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return read_table(path, dialect)


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_read_with_the_right_rows(tmp_path: Path, name: str) -> None:
    make, dialect = FILES[name]
    table = table_of(tmp_path, make())

    assert table.column("text") == TEXTS
    assert table.column("kind") == ["wine", "beer", "milk"]
    assert table.numbers(["units"]).tolist() == UNITS
    assert [row["units"] for row in table.rows] == ["3", "12", "1200"]
    assert set(table.columns) == set(HEADER)
    assert table.dialect == dialect


@pytest.mark.skipif(not IKEA.exists(), reason="the furniture catalogue is not there")
def test_the_furniture_catalogue_is_read_as_a_spreadsheet_wrote_it() -> None:
    table = read_table(IKEA)

    assert (len(table.rows), len(table.columns)) == (3694, 14)
    assert table.numbers(["price"])[:3].tolist() == [265, 995, 2095]
    assert table.dialect == "semicolons between cells, decimal commas"


@pytest.mark.parametrize("char", ["\u2028", "\u2029", "\u0085", "\x0c"])
def test_json_lines_end_at_line_feeds_alone(tmp_path: Path, char: str) -> None:
    rows = [{"text": f"red wine{char}from Sicily", "units": 9}, {"text": "beer", "units": 2}]
    table = table_of(tmp_path, "\r\n".join(json.dumps(row, ensure_ascii=char < " ") for row in rows))

    assert table.column("text") == [row["text"] for row in rows]
    assert table.lines == (1, 2)


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (("2,5", "1.234", "12"), [2.5, 1234, 12]),
        (("1.234,50", "0,5", "-3"), [1234.5, 0.5, -3]),
        (("1.234.567", "2"), [1234567, 2]),
        (("2.5", "1,234", "12"), [2.5, 1234, 12]),
        (("1,234,567.5", "2"), [1234567.5, 2]),
        (("1 234,5", "2\u00a0000", "3\u202f000"), [1234.5, 2000, 3000]),
        (("1'234.5", "1e-3", ".5", "5."), [1234.5, 0.001, 0.5, 5]),
    ],
)
def test_what_a_column_proves_is_its_decimal_mark(
    tmp_path: Path, cells: tuple[str, ...], numbers: list[float]
) -> None:
    rows = "\n".join(f"wine;{cell}" for cell in cells)

    assert table_of(tmp_path, f"text;price\n{rows}\n").numbers(["price"]).tolist() == numbers


def test_one_column_tells_the_decimal_mark_of_another(tmp_path: Path) -> None:
    table = table_of(tmp_path, "text;price;size\nwine;1.234;2,5\nbeer;2.000;3\n")

    assert table.numbers(["price"]).tolist() == [1234, 2000]


@pytest.mark.parametrize(
    ("text", "cell"),
    [("text;price\nwine;1.234\nbeer;2.000\n", "1.234"), ('text,price\nwine,"1,234"\nbeer,2\n', "1,234")],
)
def test_a_number_that_may_be_two_is_refused_until_somebody_says(
    tmp_path: Path, text: str, cell: str
) -> None:
    with pytest.raises(InvalidInputError, match=rf"'price' that can be .* got '{cell}', .* with --decimal"):
        table_of(tmp_path, text).numbers(["price"])

    said = {mark: table_of(tmp_path, text, Dialect(decimal=mark)).numbers(["price"])[0] for mark in ".,"}
    assert sorted(said.values()) == [1.234, 1234]


def test_a_point_in_plain_csv_and_in_numbers_of_json_is_a_decimal_one(tmp_path: Path) -> None:
    rows = [{"text": "wine", "price": 1.234, "size": "2,5"}, {"text": "beer", "price": 2.125, "size": "3"}]

    assert table_of(tmp_path, "text,price\nwine,1.234\n").numbers(["price"]).tolist() == [1.234]
    table = table_of(tmp_path, json.dumps(rows))
    assert table.numbers(["price"]).tolist() == [1.234, 2.125]
    assert table.numbers(["size"]).tolist() == [2.5, 3]


def test_gaps_are_nan_for_whom_may_have_them(tmp_path: Path) -> None:
    table = table_of(tmp_path, "text,size\nwine,NA\nbeer,\ntea,2.5\n")

    np.testing.assert_array_equal(table.numbers(["size"], gaps=True), [np.nan, np.nan, 2.5])
    with pytest.raises(InvalidInputError, match="got 2 other cells: 'NA' in line 2, '' in line 3"):
        table.numbers(["size"])


def test_what_is_said_goes_before_what_is_found(tmp_path: Path) -> None:
    dialect = Dialect(delimiter=":", encoding="cp1250")
    table = table_of(
        tmp_path, "text:units\n\u017bó\u0142ty ser, \u015bwie\u017cy:3\n".encode("cp1250"), dialect
    )

    assert table.rows == ({"text": "\u017bó\u0142ty ser, \u015bwie\u017cy", "units": "3"},)
    assert table.dialect == ""


def test_quoted_delimiters_and_quotes_do_not_mislead(tmp_path: Path) -> None:
    table = table_of(tmp_path, 'text;units\n"a ""fine"", dry wine";3\n"b, c, d";4\n')

    assert table.column("text") == ['a "fine", dry wine', "b, c, d"]


def test_days_of_a_workbook_are_written_as_days(tmp_path: Path) -> None:
    table = table_of(tmp_path, excel_of([("text", "day"), ("wine", date(2024, 3, 31))]))

    assert table.column("day") == ["2024-03-31"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: excel_of([HEADER, *ROWS])[:900],
            r"expected a whole Excel workbook, got a damaged one \(Bad",
        ),
        (lambda: b"\xd0\xcf\x11\xe0" + bytes(99), "got an older one; save it as .xlsx"),
        (lambda: parquet_of(COLUMNS)[:90], "expected a whole Parquet file, got a damaged one"),
        (lambda: gzip.compress(csv_of().encode())[:40], "expected a readable file, got .*ended before"),
        (lambda: excel_of([]), "expected at least one row, got none"),
        (lambda: excel_of([HEADER]), "expected at least one row, got none"),
        (lambda: b"[]", "expected at least one row, got none"),
        (lambda: b'[{"text": "a"}, 3, [1]]', "got 2 damaged: row 2: expected a JSON object; row 3: exp"),
        (lambda: b'[{"text": "a"}', "damaged: row 1: Expecting ',' delimiter"),
        (lambda: b'"just a text"\n', "expected at least one row, got none"),
        (lambda: "text\ncaf\u00e9".encode("utf-16")[:-1], "expected text in utf-16, got .*--encoding"),
        (lambda: b"text\nna\x8dve\n", "expected text in UTF-8, UTF-16 or Windows-1252, got"),
        (lambda: csv_of(tail="x,y\r\n").encode(), "got 1 damaged: line 5: expected 3 cells, got 2"),
        (lambda: csv_of(";", tail="x;y;1;2\r\n").encode(), "line 5: expected 3 cells, got 4"),
        (lambda: csv_of("\t", tail="x\r\n").encode(), "line 5: expected 3 cells, got 1"),
        (lambda: b"sep=|\r\n" + csv_of("|", tail="x\r\n").encode(), "line 6: expected 3 cells, got 1"),
    ],
)
def test_every_other_file_is_refused_in_a_sentence(
    tmp_path: Path, make: Callable[[], bytes], message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message) as refusal:
        table_of(tmp_path, make())

    assert "\n" not in str(refusal.value)


def test_an_archive_of_other_files_is_no_workbook(tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("items.csv", csv_of())

    with pytest.raises(InvalidInputError, match=r"expected an Excel workbook .* got an archive of other"):
        read_table(tmp_path / "x.zip")


@pytest.mark.parametrize(
    ("library", "make"), [("openpyxl", lambda: excel_of([HEADER])), ("pyarrow", lambda: parquet_of(COLUMNS))]
)
def test_a_library_that_is_missing_is_named_with_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str, make: Callable[[], bytes]
) -> None:
    data = make()
    monkeypatch.setitem(sys.modules, library, None)

    with pytest.raises(
        MissingExtraError, match=rf"{library} is not .* pip install 'zeroshot-milvus\[tables\]'"
    ):
        table_of(tmp_path, data)


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("text,note,note\na,b,c\n", "note", "one column 'note' of texts or numbers, got 2 of them; mend"),
        ('[{"text": "a", "tags": ["x"]}]', "tags", "column 'tags' of texts or numbers, got a list in it"),
    ],
)
def test_a_column_that_cannot_be_used_is_refused_when_it_is_asked_for(
    tmp_path: Path, text: str, column: str, message: str
) -> None:
    table = table_of(tmp_path, text)

    assert table.column("text") == ["a"]
    with pytest.raises(InvalidInputError, match=message):
        table.column(column)


LONG = "t" * 5_000


@pytest.mark.parametrize(
    "text",
    [
        f"{LONG},{LONG}x\na,b\n",
        f"{LONG},{LONG}\na,b\n",
        f"price\n{LONG}\n{LONG}y\n{LONG}z\n",
        f"{LONG},x\na\n",
        json.dumps([{LONG: "a"}]),
        json.dumps([{LONG: ["a"]}]),
        f'{{"{LONG}": 1}}\n{{"{LONG}',
        f'"{LONG}"{LONG},b\n',
        f"[{LONG}]",
    ],
)
def test_no_message_repeats_more_than_200_characters_of_a_file(tmp_path: Path, text: str) -> None:
    def ask() -> None:
        table_of(tmp_path, text).numbers(["price"])

    with pytest.raises(InvalidInputError) as refusal:
        ask()

    assert str(refusal.value).count("t") < 260


def test_the_command_says_in_one_line_what_it_found(run: Run, model: Path) -> None:
    given = "description;kind;aisle\nfine pasta;pasta;pantry\n"
    told = run("predict", "--model", model, "--json", given=given)
    quiet = run("predict", "--model", model, "--json", "--quiet", given=given)
    said = run("predict", "--model", model, "--json", "--delimiter", ";", given=given)

    assert told.stderr == "note: standard input is read with semicolons between cells\n"
    assert (quiet.stderr, said.stderr) == ("", "")
    assert json.loads(told.stdout) == json.loads(quiet.stdout) == json.loads(said.stdout)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--delimiter", "ab"), 2, "expected one character, or tab, got 'ab'"),
        (("--decimal", "x"), 2, "expected . or , got 'x'"),
        (("--encoding", "klingon"), 1, "expected the name of an encoding, such as utf-16 or cp1250, got 'kl"),
        (("--encoding", "hex"), 1, "expected the name of an encoding"),
        (("--encoding", "ascii"), 1, "expected text in ascii, got"),
    ],
)
def test_a_dialect_that_is_none_is_refused(
    run: Run, tmp_path: Path, words: tuple[str, ...], code: int, message: str
) -> None:
    path = tmp_path / "new.csv"
    path.write_text("description\ncaf\u00e9\n", encoding="utf-8")
    result = run("predict", "--model", tmp_path, path, *words)

    assert result.exit_code == code
    assert message in " ".join(result.stderr.replace("\u2502", " ").split())
