"""The examples run as they are, and say what they promise."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples" / "llama_index"
PROMISED = {
    "rag_query_engine": [
        "Barolo 2019",
        "query -near-> kind:red wine",
        "Query: which red wine do you have?",
    ],
    "predict_with_prompt": [
        "What can be worn is no return.",
        "What is too small is to go back to the shop. Predicted returns",
        "'value': 'returns'",
    ],
    "agent": [
        "zero_shot_related_concepts: ",
        "zero_shot_predict: Predicted delivery",
        "the team of deliveries",
    ],
    "few_shot_classifier": ["delivery (", "payment (", "returns (", "jobs and careers"],
    "demand": ["orange lemonade from Liguria: ", "80% between ", "nearest known: red wine"],
}


def test_every_example_is_run() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(PROMISED)


# LlamaIndex's agents look at every attribute of their pydantic models.
@pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")
@pytest.mark.parametrize("name", PROMISED)
def test_an_example_says_what_it_promises(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    printed = capsys.readouterr().out
    for words in PROMISED[name]:
        assert words in printed
