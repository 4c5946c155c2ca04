from pathlib import Path

import numpy as np
import pytest
from zeroshot_core.cli.tables import TextTable, read_table
from zeroshot_core.errors import InvalidInputError


def table_of(tmp_path: Path, text: str) -> TextTable:
    path = tmp_path / "items.txt"
    path.write_bytes(text.encode())
    return read_table(path)


def test_csv_and_json_lines_of_the_same_items_are_the_same_table(tmp_path: Path) -> None:
    first = table_of(tmp_path, 'text,units\n" red, dry wine ",3\nbeer,\n')
    second = table_of(tmp_path, '{"text": "red, dry wine", "units": 3}\n\n{"text": "beer", "units": null}\n')

    assert (
        first.rows == second.rows == ({"text": "red, dry wine", "units": "3"}, {"text": "beer", "units": ""})
    )
    assert first.columns == second.columns == ("text", "units")


def test_a_key_that_an_object_lacks_is_an_empty_cell(tmp_path: Path) -> None:
    table = table_of(tmp_path, '{"text": "wine"}\n{"text": "beer", "brand": "acme"}\n')

    assert table.column("brand") == ["", "acme"]


def test_a_byte_order_mark_and_windows_lines_are_no_part_of_the_cells(tmp_path: Path) -> None:
    table = table_of(tmp_path, "\ufefftext,units\r\nwine,3\r\n")

    assert table.column("text") == ["wine"]


def test_cells_may_hold_line_ends_and_lines_are_still_counted(tmp_path: Path) -> None:
    table = table_of(tmp_path, 'text,units\n"red\nwine",3\nbeer,4\n')

    assert table.column("text") == ["red\nwine", "beer"]
    assert table.lines == (3, 4)


def test_one_column_of_numbers_is_a_vector_and_two_are_a_matrix(tmp_path: Path) -> None:
    table = table_of(tmp_path, "text,w1,w2\nwine,1,2\nbeer,3,4.5\n")

    np.testing.assert_array_equal(table.numbers(["w1"]), [1, 3])
    np.testing.assert_array_equal(table.numbers(["w1", "w2"]), [[1, 2], [3, 4.5]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected at least one row, got none"),
        ("text,text\na,b\n", "expected a header of distinct names, got \\['text', 'text'\\]"),
        ("text,units\n", "expected at least one row, got none"),
        (
            "text,units\na,1\nb\nc,2,3\n",
            "got 2 damaged: line 3: expected 2 cells, got 1; line 4: expected 2 cells",
        ),
        ('text,units\n"a,1\n', "expected CSV, got unexpected end of data"),
        ('{"text": "a"}\n[1]\n', "got 1 damaged: line 2: expected a JSON object"),
        ('{"text": \n', "line 1: Expecting value"),
    ],
)
def test_a_damaged_table_is_refused_with_its_lines(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        table_of(tmp_path, text)


def test_a_file_that_is_not_text_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_bytes(b"text\n\xff\x00\x01\x02\n")

    with pytest.raises(InvalidInputError, match=r"items\.csv: expected text in UTF-8, .* that are no text"):
        read_table(path)


def test_a_missing_column_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="expected a column 'price', got text, units; mend the name"):
        table_of(tmp_path, "text,units\na,1\n").column("price")


def test_cells_that_are_no_numbers_are_counted_and_shown(tmp_path: Path) -> None:
    table = table_of(tmp_path, "text,units\na,1\nb,many\nc,\n")

    with pytest.raises(InvalidInputError, match="got 2 other cells: 'many' in line 3, '' in line 4"):
        table.numbers(["units"])


def test_a_number_with_an_underscore_is_none(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"expected numbers in column 'units', got 1 other.*'1_009'"):
        table_of(tmp_path, "text,units\nwine,1_009\n").numbers(["units"])


def test_an_object_that_is_nested_too_deeply_is_a_damaged_line(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="line 1: expected a JSON object"):
        table_of(tmp_path, '{"text": ' * 100_000)
