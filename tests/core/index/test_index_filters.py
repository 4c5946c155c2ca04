import pytest
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.index import AllOf, AnyOf, Condition, Not
from zeroshot_core.index.filters import literal, render


@pytest.mark.parametrize(
    ("filter", "expression"),
    [
        (None, ""),
        (Condition("price", "<", 5.5), 'metadata["price"] < 5.5'),
        (Condition("id", "in", ["a", "b"]), 'id in ["a", "b"]'),
        (Condition("size", "in", (1, 2)), 'metadata["size"] == 1 or metadata["size"] == 2'),
        (Condition("concepts", "contains", "c"), 'array_contains_any(concepts, ["c"])'),
        (Condition("size", "in", ()), 'id == ""'),
        (Condition("size", "not in", ()), 'id != ""'),
        (AllOf(()), 'id != ""'),
        (AnyOf(()), 'id == ""'),
        (Not(AnyOf(())), 'id != ""'),
        (
            Not(Condition("on", "==", True)),
            '(not (metadata["on"] == true)) or (not exists metadata["on"])',
        ),
        (
            Not(AllOf((Condition("id", "==", "a"), Not(Condition("text", "==", "b"))))),
            '(not (id == "a")) or (text == "b")',
        ),
    ],
)
def test_filter_is_rendered(filter, expression):
    assert render(filter) == expression


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ('say "hi"', r'"say \"hi\""'),
        ("back\\slash", r'"back\\slash"'),
        ("line\nbreak\ttab\rreturn", r'"line\nbreak\ttab\rreturn"'),
        ("'single' ☃", "\"'single' ☃\""),
        (True, "true"),
        (-3, "-3"),
        (1e-7, "1e-07"),
    ],
)
def test_literal_is_escaped(value, written):
    assert literal(value) == written


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None, b"x", "a\0b", {"a": 1}])
def test_value_that_is_no_scalar_is_refused(value):
    with pytest.raises(InvalidInputError, match="expected a string, a finite number or a boolean"):
        Condition("price", "==", value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("price", "=", 1), "expected an operator among ==, !="),
        (("", "==", 1), "expected a field name"),
        (("price", "contains", "c"), "'contains' with the field 'concepts' and only there"),
        (("concepts", "==", "c"), "'contains' with the field 'concepts' and only there"),
        (("price", "in", "abc"), "expected a sequence of values for 'in'"),
        (("price", "<", [1, 2]), "expected one value for '<'.*use 'in'"),
        (("id", "==", 3), "expected a string for the field 'id', got 3"),
    ],
)
def test_condition_that_makes_no_sense_is_refused(arguments, message):
    with pytest.raises(InvalidInputError, match=message):
        Condition(*arguments)


def test_raw_text_is_no_filter():
    with pytest.raises(InvalidInputError, match="expected a Condition, AllOf, AnyOf or Not, got 'price < 5'"):
        AllOf(["price < 5"])
