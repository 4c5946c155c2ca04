"""One rule and one wording for each kind of parameter."""

import datetime
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from zeroshot_core import InvalidInputError, checks


@pytest.mark.parametrize("value", [5, np.int64(5), np.uint8(5)])
def test_a_whole_number_of_numpy_counts_as_one_of_python(value: object) -> None:
    assert checks.whole("top_k", value, least=1) == 5
    assert type(checks.whole("top_k", value, least=1)) is int


@pytest.mark.parametrize("value", [True, np.bool_(True), 5.0, "5", None, 0])
def test_what_is_no_whole_number_in_range_is_refused(value: object) -> None:
    with pytest.raises(InvalidInputError, match=r"expected top_k as a whole number of at least 1, got"):
        checks.whole("top_k", value, least=1)


@pytest.mark.parametrize("value", [0.5, np.float32(0.5), np.float64(0.5)])
def test_a_number_of_numpy_counts_as_one_of_python(value: object) -> None:
    assert type(checks.real("share", value, least=0, most=1)) is float


@pytest.mark.parametrize("value", [True, float("nan"), float("inf"), "0.5", 1.5])
def test_what_is_no_number_in_range_is_refused(value: object) -> None:
    with pytest.raises(InvalidInputError, match=r"expected share as a number from 0 to 1, got"):
        checks.real("share", value, least=0, most=1)


def test_bounds_that_are_excluded_are_said_so() -> None:
    with pytest.raises(InvalidInputError, match=r"expected q as a number above 0 and below 1, got 1"):
        checks.real("q", 1, above=0, below=1)


def test_a_wrong_choice_is_told_the_nearest_right_one() -> None:
    with pytest.raises(InvalidInputError, match=r"one of 'none', 'full', got 'ful'; did you mean 'full'\?"):
        checks.choice("tune", "ful", ["none", "full"])


def test_an_unknown_name_is_told_the_nearest_known_one() -> None:
    with pytest.raises(
        InvalidInputError, match=r"Retriever does not know 'filters'; did you mean 'filter'\?"
    ):
        checks.known_names("Retriever", ["filters"], ["filter", "k"])


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("wine", "got one: 'wine'; wrap it in a list"),
        ({"a": 1}, "got a dict"),
        ({"a"}, "got a set"),
        (pd.DataFrame({"name": ["wine"]}), r"got a DataFrame with columns \['name'\]"),
        (5, "got 5"),
    ],
)
def test_what_is_no_list_is_refused_by_its_kind(value: object, told: str) -> None:
    with pytest.raises(InvalidInputError, match=told):
        checks.sequence("X", value, of="texts")


def test_sequences_of_any_kind_become_lists() -> None:
    for value in (("a", "b"), np.array(["a", "b"]), pd.Series(["a", "b"], index=[7, 3]), iter(["a", "b"])):
        assert checks.sequence("X", value, of="texts") == ["a", "b"]


def test_a_table_is_told_how_to_give_one_column() -> None:
    with pytest.raises(InvalidInputError, match=r"table\['name'\]\.tolist\(\) or \[Item\(...\) for ...\]"):
        checks.sequence("X", pd.DataFrame({"name": ["wine"]}), of="items or texts")


@pytest.mark.parametrize("value", [None, np.array("wine"), pd.DataFrame()])
def test_what_holds_nothing_to_go_through_is_no_list(value: object) -> None:
    with pytest.raises(InvalidInputError, match="expected X as a list of texts, got"):
        checks.sequence("X", value, of="texts")


def test_groups_go_by_their_place_whatever_the_index_of_a_series_says() -> None:
    assert checks.groups(pd.Series(["a", "b"], index=[1, 0]), 2, of="item") == ["a", "b"]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (["a"], "expected 2 groups, one for each item, got 1"),
        ("ab", "got one: 'ab'"),
        (pd.DataFrame({"g": ["a", "b"]}), "with columns"),
        ([["a"], ["b"]], r"as the group of each item, got \['a'\] in row 0"),
        (pd.Series(["a", float("nan")]), "got nan in row 1"),
        ([pd.NA, "a"], "got <NA> in row 0"),
    ],
)
def test_groups_that_name_nothing_are_refused(value: object, told: str) -> None:
    with pytest.raises(InvalidInputError, match=told):
        checks.groups(value, 2, of="item")


@pytest.mark.parametrize(
    "value",
    [
        [1, 2.5],
        (1, 2.5),
        np.array([1, 2.5], dtype=np.float32),
        pd.Series([1, 2.5], index=[5, 4]),
        [Decimal("1"), Fraction(5, 2)],
        np.ma.array([1.0, 2.5]),
    ],
)
def test_numbers_of_any_kind_become_floats(value: object) -> None:
    assert checks.numbers("targets", value).tolist() == [1.0, 2.5]


def test_what_is_missing_among_numbers_is_nan() -> None:
    for value in ([1, None], pd.Series([1, pd.NA], dtype="Int64"), [1, float("nan")]):
        np.testing.assert_array_equal(checks.numbers("targets", value), [1, np.nan])


@pytest.mark.parametrize(
    "value",
    [
        [True, False],
        np.array([True]),
        pd.to_datetime(pd.Series(["2024-01-01"])),
        np.array(["2024-01-01"], dtype="datetime64[D]"),
        [datetime.date(2024, 1, 1)],
        ["1_009"],
        [1, "1_009"],
        np.ma.array([1.0, 2.0], mask=[False, True]),
        [1j],
        [[1, 2], [3]],
        {"a": 1},
        "12",
    ],
)
def test_what_numpy_would_make_numbers_of_is_refused(value: object) -> None:
    with pytest.raises(InvalidInputError, match="expected targets that are numbers"):
        checks.numbers("targets", value)


def test_numbers_beyond_what_a_machine_holds_are_refused_in_one_sentence() -> None:
    with pytest.raises(InvalidInputError, match=r"expected share as a number from 0 to 1, got 1000.*\.\.\."):
        checks.real("share", 10**400, least=0, most=1)
    with pytest.raises(
        InvalidInputError, match=r"expected share as a number.*a value of type int that cannot"
    ):
        checks.real("share", 10**5000, least=0)
    with pytest.raises(
        InvalidInputError, match="expected top_k as a whole number from 1 to 9223372036854775807"
    ):
        checks.whole("top_k", 2**63, least=1)


def test_vectors_of_another_shape_are_refused_with_both_shapes() -> None:
    with pytest.raises(InvalidInputError, match=r"finite numbers of shape \(any, 3\), got shape \(1, 2\)"):
        checks.vectors("vectors", [[1, 2]], (None, 3))


def test_vectors_that_are_not_finite_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="values that are not finite"):
        checks.vectors("vectors", [[1, float("nan")]], (1, 2))


def test_a_message_never_repeats_more_than_200_characters_of_a_value() -> None:
    with pytest.raises(InvalidInputError) as refused:
        checks.whole("top_k", "x" * 5000)

    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain \u00e9 \U0001f600", "plain \u00e9 \U0001f600"),
        ("a\ud800b", "a\ufffdb"),
        ("\ud800\ud800x", "\ufffd\ufffdx"),
        ("\ude00\ud83d", "\ufffd\ufffd"),
        ("\ud83d\ude00", "\U0001f600"),
        ("\ufeffcut\udcff", "\ufeffcut\ufffd"),
    ],
)
def test_lone_surrogates_are_read_as_the_replacement_character_and_pairs_as_what_they_mean(
    text: str, expected: str
) -> None:
    assert checks.repaired_text(text) == expected


def test_repaired_texts_are_counted_in_one_warning() -> None:
    image = object()
    with pytest.warns(UserWarning, match=r"2 of 4 names hold lone surrogates") as caught:
        assert checks.repaired_texts(["a\ud800", "b", image, "\udfff"], "names") == [
            "a\ufffd",
            "b",
            image,
            "\ufffd",
        ]
    assert len(caught) == 1
    assert checks.repaired_texts(["a", "b"]) == ["a", "b"]


@pytest.mark.parametrize("value", [None, 3, 2.5, True, b"folder", "", "a\0b", "\ud800", ["folder"]])
def test_what_is_no_path_is_refused(value):
    with pytest.raises(InvalidInputError, match="expected folder as a path, got "):
        checks.path("folder", value)


def test_paths_need_not_be_there(tmp_path):
    assert checks.path("folder", str(tmp_path / "nowhere")) == tmp_path / "nowhere"
    assert checks.path("folder", tmp_path) == tmp_path


def test_a_value_is_shown_in_one_line():
    assert "\n" not in checks.shown(np.zeros((40, 3)))
    assert checks.shown(np.eye(2)) == "array([[1., 0.], [0., 1.]])"


def test_an_unknown_name_is_cut():
    with pytest.raises(InvalidInputError) as refusal:
        checks.known_names("a model", ["x" * 5000], ["top_k"])
    assert len(str(refusal.value)) < 300


def test_a_boolean_among_numbers_is_not_made_one_of_them() -> None:
    with pytest.raises(InvalidInputError, match="expected targets that are numbers, got True of type bool"):
        checks.numbers("targets", [1.0, True])
