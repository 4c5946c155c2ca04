import numpy as np
import pytest
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.index import AllOf, AnyOf, Condition, Not
from zeroshot_core.index.filters import FilterColumns, filter_of, literal, render


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
        (
            AnyOf((Condition("a", "==", 1), Condition("b", "<", 2), Condition("a", "in", [3, 4]))),
            '(metadata["a"] == 1 or metadata["a"] == 3 or metadata["a"] == 4) or (metadata["b"] < 2)',
        ),
        (
            AllOf((Condition("id", "!=", "a"), Condition("id", "!=", "b"), Condition("text", "==", "c"))),
            '(not (id in ["a", "b"])) or (text == "c")'.replace("or", "and"),
        ),
    ],
)
def test_filter_is_rendered(filter, expression):
    assert render(filter) == expression


def test_a_server_is_given_one_list_for_each_type_of_values():
    columns = FilterColumns(takes_lists=True)
    filter = Condition("a", "not in", [1, "b", 2.5, "c", True])
    lists = ("[1]", '["b", "c"]', "[2.5]", "[true]")
    listed = " or ".join(f'metadata["a"] in {values}' for values in lists)

    assert render(filter, columns) == f'(not ({listed})) or (not exists metadata["a"])'
    assert render(Condition("a", "in", ["b"]), columns) == 'metadata["a"] == "b"'


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


@pytest.mark.parametrize("key", ["][", "k][", "a\0b", "line\nbreak", "\x1b[31m", "\x85"])
def test_a_key_that_milvus_cannot_look_up_is_refused_by_name(key):
    with pytest.raises(InvalidInputError, match=r"without control characters and '\]\['.* got .*; rename it"):
        Condition(key, "==", 1)


@pytest.mark.parametrize("key", ["]", "[", "k]", "a b", 'say "hi"', "\u2603", "$foo"])
def test_a_key_that_milvus_can_look_up_is_taken(key):
    assert Condition(key, "==", 1).field == key


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"$foo": 1}, r"expected metadata keys, or one of \$and, \$or, \$not, got '\$foo'"),
        ({"$an": []}, r"got '\$an'; did you mean '\$and'\?"),
        ({1: 2}, "expected metadata keys, .* got 1"),
        ({"price": {}}, "filter on 'price': expected an operator, got an empty mapping"),
        ({"price": {"$foo": 1}}, r"expected one of \$eq, .* got '\$foo'"),
        ({"$or": [None]}, "expected a mapping or a filter, got None"),
        ({"price": 2**63}, "expected a whole number of at most 64 bits, got 9223372036854775808"),
        ({"price": {"$in": [10**400]}}, "at most 64 bits"),
        ({"concepts": {"$contains": ["a", ["b"]]}}, "expected a string, a finite number or a boolean"),
        ([1], r"expected a mapping or a filter, got \[1\]"),
    ],
)
def test_mapping_that_says_nothing_is_refused(mapping, message):
    with pytest.raises(InvalidInputError, match=message):
        filter_of(mapping)


def test_numbers_of_numpy_are_taken_as_pythons():
    assert render(Condition("price", "<", np.float64(5.5))) == 'metadata["price"] < 5.5'
    assert render(Condition("size", "in", [np.int64(1), np.bool_(True)])).endswith('metadata["size"] == true')


def nested(n_levels):
    deep, mapping = Condition("price", "<", 5), {"price": 5}
    for _ in range(n_levels - 1):
        deep, mapping = Not(deep), {"$not": mapping}
    return deep, mapping


def test_filters_are_nested_as_deep_as_milvus_reads_them_and_no_deeper():
    deep, mapping = nested(32)
    assert render(deep)
    assert filter_of(mapping) is not None
    for n_levels in (33, 200, 100_000):
        deep, mapping = nested(n_levels)
        with pytest.raises(
            InvalidInputError, match="expected a filter of at most 32 levels, got a deeper one"
        ):
            render(deep)
        with pytest.raises(
            InvalidInputError, match="expected a filter of at most 32 levels, got a deeper one"
        ):
            filter_of(mapping)
