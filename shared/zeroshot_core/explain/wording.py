"""Paths, hits and predictions in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from zeroshot_core.types import Concept, Hit, Prediction, Relation, Value

__all__ = ["evidence_in_words", "hit_in_words", "hits_in_words", "path_in_words", "prediction_in_words"]

_SHOWN = 3
_PARTS = {"vector": "similarity of the texts", "graph": "overlap in the graph"}


class NamedConcepts(Protocol):
    """What names concepts, as a `KnowledgeGraph` does."""

    @property
    def concepts(self) -> Mapping[str, Concept]:
        """Concepts by id."""


def path_in_words(path: Sequence[Relation], graph: NamedConcepts | None = None) -> str:
    """Write a path as a chain, each step in the direction it was walked: ``query -near-> a <-part of- b``.

    Parameters
    ----------
    graph
        With it, concepts are told by their names in quotes, and the first step, by which the query reaches
        the graph, with its weight.
    """
    words, here = "", None
    for step in path:
        is_backward = step.tail == here
        start, end = (step.tail, step.head) if is_backward else (step.head, step.tail)
        if start != here:
            words += f"{'; ' if words else ''}{_name(start, graph)}"
        weight = f" ({step.weight:.2f})" if graph is not None and here is None else ""
        words += f" <-{step.type}{weight}- " if is_backward else f" -{step.type}{weight}-> "
        words += _name(end, graph)
        here = end
    return words


def hit_in_words(hit: Hit, graph: NamedConcepts) -> str:
    """Say the score, what each part contributed, and the path, with concepts by their names.

    Each step of the path is written in the direction in which it was walked: ``leaflet 2: score 0.55;
    similarity of the texts 0.31, overlap in the graph 0.79; query -mentions (0.98)-> "painful joint"
    <-has_finding- "gout" <-disease- leaflet 2``.
    """
    parts = ", ".join(f"{_PARTS.get(name, name)} {value:.2f}" for name, value in hit.parts.items())
    said = [f"{_name(hit.id, graph)}: score {hit.score:.2f}", parts, path_in_words(hit.path, graph)]
    return "; ".join(part for part in said if part)


def hits_in_words(hits: Sequence[Hit]) -> str:
    """Write a line for each hit: id, text, score, and the path that led to it."""
    return "\n".join(map(_line, hits)) or "nothing known matches"


def prediction_in_words(prediction: Prediction) -> str:
    """Say the value, its uncertainty, and the nearest items and concepts behind it.

    A language model's reason stands first, as it is written before the rest is known.
    """
    parts = [prediction.reason] if prediction.reason else []
    parts.append(f"Predicted {_value(prediction.value)}{_uncertainty(prediction)}.")
    if prediction.fallback:
        parts.append(f"Not chosen by the language model: {prediction.fallback}.")
    if prediction.evidence.items:
        parts.append(f"Nearest known: {_nearest(prediction.evidence.items)}.")
    if prediction.evidence.concepts:
        parts.append(f"Concepts: {_nearest(prediction.evidence.concepts)}.")
    path = next((hit.path for hit in prediction.evidence.items if hit.path), ())
    if path:
        parts.append(f"Through the graph: {path_in_words(path)}.")
    return " ".join(parts)


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


def _name(id_: str, graph: NamedConcepts | None) -> str:
    return f'"{graph.concepts[id_].name}"' if graph is not None and id_ in graph.concepts else id_


def _line(hit: Hit) -> str:
    path = f"; {path_in_words(hit.path)}" if hit.path else ""
    return f"{hit.id}: {hit.text} (score {hit.score:.2f}{path})"


def _nearest(hits: Sequence[Hit]) -> str:
    return ", ".join(f"{hit.text or hit.id} ({hit.score:.2f})" for hit in hits[:_SHOWN])


def _uncertainty(prediction: Prediction) -> str:
    if prediction.interval is not None and prediction.coverage is not None:
        low, high = prediction.interval
        return f", with {prediction.coverage:.0%} probability between {_value(low)} and {_value(high)}"
    if prediction.probabilities:
        likely = sorted(prediction.probabilities.items(), key=lambda pair: -pair[1])[:_SHOWN]
        return f" ({', '.join(f'{label} {share:.0%}' for label, share in likely)})"
    return ""


def _value(value: Value) -> str:
    if isinstance(value, str):
        return value or "none of the labels"
    if isinstance(value, tuple):
        return "[" + ", ".join(f"{number:.4g}" for number in value) + "]"
    return f"{value:.4g}"
