"""What an agent is told of the tools over a model, and what they answer, alike in every framework."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from zeroshot_core.prediction.wording import path_in_words, prediction_in_words
from zeroshot_core.types import Hit, Prediction

__all__ = ["ARGUMENTS", "TOOLS", "evidence_in_words", "hits_in_words"]

_EXPLAIN = """\
Predict like zero_shot_predict, and list all known things and concepts behind the prediction, each with its \
score and the path through the knowledge graph that leads to it."""
_RETRIEVE = "Look up known things like a description, by meaning and through the knowledge graph."
_RELATED = """\
Look up the concepts of the knowledge graph that a description is about, and those near them in the graph."""
_FILTER = 'Conditions on attributes that must all hold, such as {"brand": "acme", "price": {"$gt": 3}}.'

TOOLS: Final[Mapping[str, str]] = {
    "zero_shot_predict": "Predict the value or label of a new thing from its description, with the reasons.",
    "zero_shot_retrieve": _RETRIEVE,
    "zero_shot_explain": _EXPLAIN,
    "zero_shot_related_concepts": _RELATED,
}
"""Description by name."""

ARGUMENTS: Final[Mapping[str, str]] = {
    "text": "Description of the thing to predict for, in plain words.",
    "concepts": "Ids of the graph's concepts that it belongs to.",
    "metadata": "Attributes, by name.",
    "id": "Its id, where it has one.",
    "query": "What to look for, in plain words.",
    "k": "How many to return.",
    "filter": _FILTER,
    "top_k": "How many known things to list.",
}
"""Description by name of an argument."""


def hits_in_words(hits: Sequence[Hit]) -> str:
    """Write a line for each hit: id, text, score, and the path that led to it."""
    return "\n".join(map(_line, hits)) or "nothing known matches"


def evidence_in_words(prediction: Prediction) -> str:
    """Say the prediction, and all that is behind it line by line."""
    shares = sorted(prediction.probabilities.items(), key=lambda pair: -pair[1])
    parts = {
        "Probabilities": [f"{label}: {share:.1%}" for label, share in shares],
        "Known things": [_line(hit) for hit in prediction.evidence.items],
        "Concepts": [_line(hit) for hit in prediction.evidence.concepts],
    }
    said = [f"{title}:\n" + "\n".join(lines) for title, lines in parts.items() if lines]
    return "\n".join([prediction_in_words(prediction), *said])


def _line(hit: Hit) -> str:
    path = f"; {path_in_words(hit.path)}" if hit.path else ""
    return f"{hit.id}: {hit.text} (score {hit.score:.2f}{path})"
