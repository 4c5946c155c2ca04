"""Hits in plain words."""

from __future__ import annotations

from collections.abc import Sequence

from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.types import Hit, Relation

__all__ = ["hit_in_words"]

_PARTS = {"vector": "similarity of the texts", "graph": "overlap in the graph"}


def hit_in_words(hit: Hit, graph: KnowledgeGraph) -> str:
    """Say the score, what each part contributed, and the path, with concepts by their names.

    Each step of the path is written in the direction in which it was walked: ``leaflet 2: score 0.55;
    similarity of the texts 0.31, overlap in the graph 0.79; query -mentions (0.98)-> "painful joint"
    <-has_finding- "gout" <-disease- leaflet 2``.
    """
    parts = ", ".join(f"{_PARTS.get(name, name)} {value:.2f}" for name, value in hit.parts.items())
    said = [f"{_named(hit.id, graph)}: score {hit.score:.2f}", parts, _chain(hit.path, graph)]
    return "; ".join(part for part in said if part)


def _chain(path: Sequence[Relation], graph: KnowledgeGraph) -> str:
    words, here = "", ""
    for step in path:
        weight = f" ({step.weight:.2f})" if step is path[0] else ""
        is_forward = step.tail != here
        here = step.tail if is_forward else step.head
        words += "" if words else step.head
        words += f" -{step.type}{weight}-> " if is_forward else f" <-{step.type}- "
        words += _named(here, graph)
    return words


def _named(id_: str, graph: KnowledgeGraph) -> str:
    return f'"{graph.concepts[id_].name}"' if id_ in graph else id_
