"""Paths, hits and predictions in plain words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Protocol

from zeroshot_core.types import Concept, Contribution, Hit, Prediction, Relation, Value

__all__ = [
    "contribution_in_words",
    "contributions_in_words",
    "evidence_in_words",
    "hit_in_words",
    "hits_in_words",
    "neighbours_in_words",
    "path_in_words",
    "prediction_in_words",
    "shortened_text",
    "source_in_words",
    "step_in_words",
]

_SHOWN = 3
_LARGE = 100
_LONGEST = 60
# What rounds to 0 where it is shown: scores have two digits, changes whole percents.
_NOTHING = 0.005
_MOST_PERCENT = 2.0
_PARTS = {"vector": "similarity of the texts", "lexical": "words shared", "graph": "overlap in the graph"}


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

    Notes
    -----
    The query is said to mention the concepts that it is linked to, and to be near those that only the
    similarity of its text led to.
    """
    words, here = "", None
    for step in path:
        is_backward = step.tail == here
        start, end = (step.tail, step.head) if is_backward else (step.head, step.tail)
        if start != here:
            words += f"{'; ' if words else ''}{_name(start, graph)}"
        weight = f" ({step.weight:.2f})" if graph is not None and here is None else ""
        type_ = step_in_words(step)
        words += f" <-{type_}{weight}- " if is_backward else f" -{type_}{weight}-> "
        words += _name(end, graph)
        here = end
    return words


def neighbours_in_words(amounts: Sequence[float], shared: tuple[str, int]) -> str:
    """Say what the nearest known items had, and what they share: ``The 5 nearest known items had 9 to 12``.

    Parameters
    ----------
    amounts
        Their targets.
    shared
        The concept that most of them share with the item, in words, and with how many it is shared.
    """
    if not amounts:
        return "Nothing known is near."
    low, high = (
        f"{end:,.0f}" if abs(end) >= _LARGE else f"{end:.3g}" for end in (min(amounts), max(amounts))
    )
    who = "nearest known item" if len(amounts) == 1 else f"{len(amounts)} nearest known items"
    said = f"The {who} had {low if low == high else f'{low} to {high}'}"
    name, count = shared
    if not count:
        return f"{said}."
    part = "all" if count == len(amounts) > 1 else f"{count} of them" if len(amounts) > 1 else "it"
    return f"{said}; {part} {'has' if count == 1 else 'have'} the same {name}."


def shortened_text(text: str) -> str:
    """Cut a text to what a cell of a table holds, in one line."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1].rstrip()}…"


def step_in_words(step: Relation) -> str:
    """Name a relation; a query ``mentions`` a concept that it is linked to, and is else ``near`` it.

    The weight of a concept that similarity found is its share among several, below 1.
    """
    return "near" if step.type == "mentions" and step.weight < 1 else step.type


def contributions_in_words(contributions: Sequence[Contribution], n_shown: int = _SHOWN) -> str:
    """Say what moved a forecast most: ``kind: red wine raised it by 40%, price 3.99 lowered it by 12%``.

    Contributions that round to nothing are left out; a factor above 3 is told as such.
    """
    told = [contribution_in_words(each) for each in contributions]
    return ", ".join([words for words in told if words][:n_shown])


def contribution_in_words(contribution: Contribution) -> str:
    """Say what one thing did to a forecast; nothing if it rounds to none."""
    amount = contribution.amount
    change = math.expm1(min(amount, 700.0)) if contribution.is_relative else amount
    verb = "raised" if amount > 0 else "lowered"
    if not contribution.is_relative:
        return (
            f"{source_in_words(contribution)} {verb} it by {abs(amount):.4g}"
            if f"{amount:.3g}" != "0"
            else ""
        )
    if abs(change) < _NOTHING:
        return ""
    if change > _MOST_PERCENT:
        return f"{source_in_words(contribution)} made it {1 + change:.2g} times as much"
    return f"{source_in_words(contribution)} {verb} it by {abs(change):.0%}"


def source_in_words(contribution: Contribution) -> str:
    """Name what a contribution is of: ``kind: red wine``, ``price 3.99``, ``the text``."""
    name, said = contribution.name.replace("_", " "), contribution.said
    if contribution.kind == "concepts":
        return f"{name}: {said}" if said else f"no {name} given"
    if contribution.kind == "column":
        return f"{name} {said}" if said else f"no {name} given"
    return f"the {said or 'text'}" if contribution.kind == "text" else "the nearest known items"


def hit_in_words(hit: Hit, graph: NamedConcepts) -> str:
    """Say the score, what each part contributed, and the path, with concepts by their names.

    Each step of the path is written in the direction in which it was walked: ``leaflet 2: score 0.55;
    similarity of the texts 0.31, overlap in the graph 0.79; query -mentions (0.98)-> "painful joint"
    <-has_finding- "gout" <-disease- leaflet 2``.
    """
    names = _PARTS if hit.modality == "text" else {**_PARTS, "vector": f"similarity of the {_seen(hit)}"}
    parts = ", ".join(f"{names.get(name, name)} {value:.2f}" for name, value in hit.parts.items())
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
    moved = contributions_in_words(prediction.contributions)
    if moved:
        parts.append(f"Set against a typical known item, {moved}.")
    if prediction.evidence.items:
        parts.append(f"Nearest known: {_nearest(prediction.evidence.items)}.")
    concepts = [hit for hit in prediction.evidence.concepts if hit.score >= _NOTHING]
    if concepts:
        parts.append(f"Concepts: {_nearest(concepts)}.")
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
        "Concepts": [_line(hit) for hit in prediction.evidence.concepts if hit.score >= _NOTHING],
    }
    said = [f"{title}:\n" + "\n".join(lines) for title, lines in parts.items() if lines]
    return "\n".join([prediction_in_words(prediction), *said])


def _name(id_: str, graph: NamedConcepts | None) -> str:
    return f'"{graph.concepts[id_].name}"' if graph is not None and id_ in graph.concepts else id_


def _seen(hit: Hit) -> str:
    return "picture" if hit.modality == "image" else "text and picture"


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
        return "[" + ", ".join(map(_number, value)) + "]"
    return _number(value)


def _number(value: float) -> str:
    """Four digits, and never a negative 0."""
    return f"{value:.4g}" if f"{value:.4g}" != "-0" else "0"
