"""Predictions as tables and on one screen."""

import pandas as pd
import polars as pl
import pytest
from zeroshot_core import Evidence, Hit, InvalidInputError, Prediction
from zeroshot_core.prediction import predictions_frame

WINE = Hit(id="7", kind="item", score=0.5, text="red wine")
NUMBER = Prediction(
    id="a", value=3.0, interval=(1.0, 5.0), coverage=0.9, evidence=Evidence(items=(WINE,) * 5)
)
CURVE = Prediction(id="b", value=(1.0, 2.0), interval=((0.0, 1.0), (2.0, 3.0)), coverage=0.8)
LABEL = Prediction(id="c", value="pets", probabilities={"pets": 0.75, "drinks": 0.25}, reason="It barks.")


def test_columns_are_what_the_predictions_have() -> None:
    numbers = predictions_frame([NUMBER, NUMBER])

    assert numbers.to_dict("records")[1] == {
        "id": "a",
        "value": 3.0,
        "low": 1.0,
        "high": 5.0,
        "coverage": 0.9,
        "nearest": "red wine (0.50); red wine (0.50); red wine (0.50)",
    }
    assert list(CURVE.to_frame()) == [
        "id",
        "value_1",
        "value_2",
        "low_1",
        "low_2",
        "high_1",
        "high_2",
        "coverage",
    ]
    assert LABEL.to_frame().to_dict("records") == [
        {"id": "c", "label": "pets", "p_pets": 0.75, "p_drinks": 0.25, "reason": "It barks."}
    ]
    assert list(predictions_frame([])) == ["id"]


def test_a_table_is_made_by_the_library_of_another_one() -> None:
    assert isinstance(predictions_frame([NUMBER]), pd.DataFrame)
    table = predictions_frame([NUMBER, LABEL], like=pl.DataFrame())

    assert isinstance(table, pl.DataFrame)
    assert table["value"].to_list() == [3.0, None]


def test_a_single_prediction_is_refused_where_several_are_meant() -> None:
    with pytest.raises(InvalidInputError, match="expected predictions as a list of predictions"):
        predictions_frame(NUMBER)


def test_a_prediction_shows_itself_on_one_screen() -> None:
    assert repr(NUMBER) == (
        "Prediction(id='a', value=3.0, interval=(1.0, 5.0), coverage=0.9, "
        "nearest=['red wine (0.50)', 'red wine (0.50)', 'red wine (0.50)'])"
    )
    long = Prediction(
        id="x" * 10_000, value=(1.0,) * 10_000, probabilities={str(n): 0.001 for n in range(999)}
    )
    assert len(repr(long)) < 1000
    assert "value=0.0" in repr(Prediction(id="a", value=0.0))


@pytest.mark.parametrize("given", [[None], ["wine"], [NUMBER, 3.0]])
def test_what_is_no_prediction_is_refused(given: list[object]) -> None:
    with pytest.raises(InvalidInputError, match="expected predictions to be of class Prediction"):
        predictions_frame(given)
