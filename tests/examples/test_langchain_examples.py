"""The examples run as they are, and say what they promise."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples" / "langchain"
PROMISED = {
    "rag_chain": ["Barolo 2019", "query -near-> kind:red wine", "The Apulian for 9 euros"],
    "predict_in_chain": ["Forecast: Predicted ", "80% probability", "Order as for the other red wines."],
    "agent": ["kind:red wine: red wine (score", "Predicted ", "It will sell about as well"],
    "few_shot_classifier": [
        "delivery (",
        "payment (",
        "returns (",
        "careers",
        "returns: The shoes are to go back",
    ],
    "many_tools": ["offered: ", "wine_predict", "remembered: That depends on the grape."],
    "demand": ["orangeade from Liguria: ", "80% between ", "nearest known: red wine"],
}


def test_every_example_is_run() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(PROMISED)


@pytest.mark.parametrize("name", PROMISED)
def test_an_example_says_what_it_promises(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    printed = capsys.readouterr().out
    for words in PROMISED[name]:
        assert words in printed
