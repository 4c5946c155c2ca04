"""What is asked comes in several forms, and many inputs through one call."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from zeroshot_core import InvalidInputError, Item, PromptedClassifier, TableSchema, ZeroShotClassifier
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.serving.inputs import answer_batch, to_item

WINE = Item(id="7", text="wine", concepts=("kind:wine",), metadata={"price": 3.0})


@pytest.mark.parametrize(
    ("value", "item"),
    [
        ("wine", Item(id="new", text="wine")),
        (WINE, WINE),
        ({"text": "wine"}, Item(id="new", text="wine")),
        ({"text": "wine", "id": "7", "concepts": ["kind:wine"], "metadata": {"price": 3.0}}, WINE),
        ({"text": "wine", "context": ["a"], "messages": [], 7: 7}, Item(id="new", text="wine")),
        ({"text": "wine", "id": None, "concepts": None, "metadata": None}, Item(id="new", text="wine")),
    ],
)
def test_every_form_makes_an_item(value: Any, item: Item) -> None:
    assert to_item(value, "new") == item


def test_a_mapping_may_be_a_row_of_the_table_that_a_model_was_fitted_on() -> None:
    frame = pd.DataFrame({"text": [f"wine {n}" for n in range(12)], "kind": "wine", "price": 2.5, "nr": 1})
    schema = TableSchema(text="text", concepts="kind", numeric="price", id="nr", target="label")
    model = ZeroShotClassifier(HashEncoder(32)).fit(
        frame.assign(label=["a", "b"] * 6, nr=range(12)), schema=schema
    )
    row = {"text": "wine", "kind": "wine", "price": 3}
    wine = Item(id="new", text="wine", concepts=("kind:wine",), metadata={"kind": "wine", "price": 3.0})

    assert to_item(row, "new", model) == wine
    assert to_item({**row, "nr": 7}, "new", model).id == "7"
    assert to_item(WINE, "new", model) == WINE
    assert to_item({"text": "wine"}, "new", model) == Item(id="new", text="wine")
    asked = PromptedClassifier(model, lambda prompt, schema: "")
    assert to_item(row, "new", asked) == wine
    with pytest.raises(InvalidInputError, match="expected a column 'price' in the table, got none"):
        to_item({"text": "wine", "kind": "wine"}, "new", model)
    model.close()


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (7, "or an item, got int"),
        ({}, r"expected 'text' .*, got no text in \[\]"),
        ({"question": "wine"}, r"got no text in \['question'\]"),
        ({"text": 3}, "a text that is 3"),
        ({"text": "wine", "concept": ["kind:wine"]}, "an unknown 'concept'; did you mean 'concepts'"),
        ({"text": "wine", "concepts": "kind:wine"}, "no list of ids"),
        ({"text": "wine", "metadata": {"tags": ["a"]}}, "no plain values"),
        ({"text": " "}, "non-empty text"),
    ],
)
def test_what_is_wrong_is_said(value: Any, told: str) -> None:
    with pytest.raises(InvalidInputError, match=told):
        to_item(value, "new")


def test_wrong_inputs_cost_the_good_ones_nothing_if_asked_apart() -> None:
    calls: list[list[int]] = []

    def halves(numbers: list[int]) -> list[int]:
        calls.append(numbers)
        if any(number % 2 for number in numbers):
            raise InvalidInputError(f"expected even numbers, got {numbers}")
        return [number // 2 for number in numbers]

    assert answer_batch(halves, [2, 4], apart=True) == [1, 2]
    one, wrong, three = answer_batch(halves, [2, 3, 6], apart=True)
    assert (one, str(wrong), three) == (1, "expected even numbers, got [3]", 3)
    assert all(isinstance(answer, InvalidInputError) for answer in answer_batch(halves, [2, 3], apart=False))
    assert calls == [[2, 4], [2, 3, 6], [2], [3], [6], [2, 3]]


def test_a_model_that_is_down_is_asked_once() -> None:
    def fail(numbers: list[int]) -> list[int]:
        raise ConnectionError(f"down at {len(numbers)}")

    assert [str(error) for error in answer_batch(fail, [1, 2, 3], apart=True)] == ["down at 3"] * 3
