"""Answers of a language model that chooses a label: the form they are asked in, and how they are read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import chain
from typing import Any, TypeAlias

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph.names import word_key

__all__ = ["ANSWER_FORMAT", "Answer", "answer_schema", "read_answer", "read_reason", "shortened"]

Answer: TypeAlias = "str | Mapping[str, Any]"
"""A text, with JSON in it or a label alone; or the fields ``reason`` and ``label``."""

# The reason comes first: a label that is chosen after the reasons is chosen for them.
ANSWER_FORMAT = """
Answer with a JSON object alone, such as {"reason": "what decides it, in a sentence", "label": "a label"}."""

_REASON = re.compile(r'"reason"\s*:\s*"((?:[^"\\]|\\u[0-9a-fA-F]{4}|\\[^u])*)')
_MOST_CHARACTERS = 300


def answer_schema(labels: Mapping[str, str]) -> dict[str, Any]:
    """JSON schema of an answer: an object with a reason, and a label that is one of the names given."""
    reason = {"type": "string", "description": "What decides it, in one sentence."}
    label = {"type": "string", "enum": list(labels), "description": "The label that fits the text best."}
    return {
        "title": "ChosenLabel",
        "description": "The label of a text.",
        "type": "object",
        "properties": {"reason": reason, "label": label},
        "required": ["reason", "label"],
        "additionalProperties": False,
    }


def read_answer(answer: Answer | None, labels: Mapping[str, str]) -> tuple[str, str]:
    """Find label and reason in an answer; without fields, its last line has to be the label.

    Case, spaces and punctuation don't count where they tell no candidates apart.

    Parameters
    ----------
    labels
        Id of each candidate by the name that the model was given.

    Raises
    ------
    InvalidInputError
        If there is no answer, or it names none of the candidates.
    """
    fields = answer if isinstance(answer, Mapping) else _fields(answer)
    if fields is not None:
        words, reason = fields.get("label"), fields.get("reason")
    else:
        words, reason = answer, ""
    if isinstance(words, str | int):
        lines = [line.strip() for line in str(words).splitlines() if line.strip()][-1:]
        for name in chain.from_iterable((line, line.rpartition(":")[2]) for line in lines):
            label = _candidate(name, labels)
            if label is not None:
                return label, reason if isinstance(reason, str) else ""
    raise InvalidInputError(f"expected one of {shortened(', '.join(labels))}, got {shortened(repr(words))}")


def read_reason(so_far: Answer | None) -> str:
    """Find what there is of the reason in an answer that is still being written."""
    if isinstance(so_far, Mapping):
        reason = so_far.get("reason")
        return reason if isinstance(reason, str) else ""
    written = _REASON.search(so_far or "")
    return _unescaped(written[1]) if written else ""


def shortened(words: str) -> str:
    """Put words on one line of at most 300 characters."""
    line = " ".join(words.split())
    return line if len(line) <= _MOST_CHARACTERS else f"{line[:_MOST_CHARACTERS]}..."


def _fields(text: str | None) -> Mapping[str, Any] | None:
    """Find the first JSON object with a label; models write around it."""
    # A framework may hand on what is no text.
    if not isinstance(text, str):
        return None
    for brace in re.finditer(r"\{", text):
        try:
            found, _ = json.JSONDecoder(strict=False).raw_decode(text, brace.start())
        except json.JSONDecodeError:
            continue
        if "label" in found:
            return dict(found)
    return None


def _candidate(name: str, labels: Mapping[str, str]) -> str | None:
    if name.strip() in labels:
        return labels[name.strip()]
    key = word_key(name)
    alike = {id_ for known, id_ in labels.items() if key and key in {word_key(known), word_key(id_)}}
    return alike.pop() if len(alike) == 1 else None


def _unescaped(written: str) -> str:
    # Half of a surrogate pair is no character yet.
    return re.sub(r"[\ud800-\udfff]$", "", json.loads(f'"{written}"', strict=False))
