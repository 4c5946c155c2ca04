from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from zeroshot_core.datasets import Catalogue, load_furniture
from zeroshot_core.errors import InvalidInputError

HEADER = "X1;item_id;name;category;price;old_price;short_description;designer;depth;height;width"
ROWS = (
    '0;1;STIG;Bar furniture;69,5;SR 99;"Bar stool,\n   74 cm";Henrik  Preutz;50;;60,5',
    "1;1;STIG;Chairs;69,5;SR 99;Bar stool, 74 cm;Henrik Preutz;50;;60,5",
    "2;2;KLIPPAN;Sofas;;No old price;Sofa;Lars Norinder;;;",
    "3;3;KIVIK;Sofas;1995,0;No old price;3-seat sofa;302.818.66 Long and low;95;83;228",
)


@pytest.fixture
def furniture(tmp_path: Path) -> Catalogue:
    path = tmp_path / "ikea.csv"
    path.write_text("\n".join((HEADER, *ROWS)), encoding="utf-8-sig")
    return load_furniture(path)


def test_each_article_with_a_price_comes_once_and_decimal_commas_are_read(furniture: Catalogue) -> None:
    assert [item.id for item in furniture.items] == ["1", "3"]
    assert np.array_equal(furniture.target, [69.5, 1995.0])
    assert furniture.items[0].metadata == {"depth": 50.0, "width": 60.5}


def test_text_is_name_and_description_in_one_line_and_prices_are_no_features(furniture: Catalogue) -> None:
    assert [item.text for item in furniture.items] == ["STIG, Bar stool, 74 cm", "KIVIK, 3-seat sofa"]
    assert set(furniture.rows[0]) == {"kind", "name", "category", "designer"}


def test_a_description_in_the_designer_s_place_is_no_concept(furniture: Catalogue) -> None:
    assert furniture.column("designer") == ["Henrik Preutz", ""]


def test_kind_ends_before_the_first_comma_or_digit(furniture: Catalogue) -> None:
    assert furniture.linked_items()[0].concepts == (
        "kind:bar stool",
        "name:STIG",
        "category:Bar furniture",
        "designer:Henrik Preutz",
    )
    assert furniture.rows[1] == {"name": "KIVIK", "category": "Sofas"}


def test_a_file_that_lacks_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("a;b\n1;2\n")
    with pytest.raises(InvalidInputError, match="got none named"):
        load_furniture(path)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"target": np.array([1.0])}, "shape"),
        ({"target": np.array([1.0, -1.0])}, "at least 0"),
        ({"held_out": {"shops": "shop"}}, "hold out one of"),
    ],
)
def test_a_table_that_does_not_fit_together_is_refused(
    furniture: Catalogue, changes: dict[str, object], told: str
) -> None:
    with pytest.raises(InvalidInputError, match=told):
        replace(furniture, **changes)  # type: ignore[arg-type]
