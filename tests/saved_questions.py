"""Questions to a saved model, with the answers that it gave when it was saved, as plain JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from zeroshot_core import Findings, Item

__all__ = ["answer_of", "check_answer", "question"]


def question(method: str, inputs: list[Any], **options: Any) -> dict[str, Any]:
    """A call of a model's method, as JSON."""
    return {"method": method, "inputs": [_plain(entry) for entry in inputs], "options": options}


def answer_of(model: Any, asked: Mapping[str, Any]) -> Any:
    """What the model says, as JSON."""
    inputs = [_input(entry) for entry in asked["inputs"]]
    return _plain(getattr(model, asked["method"])(inputs, **asked["options"]))


def check_answer(answer: Any, expected: Any, *, where: str = "answer", rtol: float = 1e-6) -> None:
    """Compare texts exactly, numbers to six digits unless fewer are asked for.

    What an answer has gained since then, nothing was asked of: it is empty.
    """
    assert type(answer) is type(expected), where
    if isinstance(expected, dict):
        assert answer.keys() >= expected.keys(), where
        assert not any(answer[name] for name in answer.keys() - expected.keys()), where
        for name, value in expected.items():
            check_answer(answer[name], value, where=f"{where}.{name}", rtol=rtol)
    elif isinstance(expected, list):
        assert len(answer) == len(expected), where
        for place, value in enumerate(expected):
            check_answer(answer[place], value, where=f"{where}[{place}]", rtol=rtol)
    elif isinstance(expected, float):
        np.testing.assert_allclose(answer, expected, rtol=rtol, atol=1e-6, err_msg=where)
    else:
        assert answer == expected, where


def _input(entry: Any) -> Any:
    if isinstance(entry, str):
        return entry
    return Findings(**entry) if "present" in entry else Item(**entry)


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): _plain(entry) for name, entry in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value
