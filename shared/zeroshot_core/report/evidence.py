"""The evidence behind one forecast, drawn as a small graph: query, concepts, neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from zeroshot_core.types import Evidence, Hit

__all__ = ["evidence_graph"]

_COLUMN, _ROW, _WIDTH, _HEIGHT = 360, 44, 240, 30
_MAX_NODES = 8
_MAX_CHARS = 32


@dataclass(frozen=True, kw_only=True)
class _Edge:
    head: str
    tail: str
    label: str
    is_dashed: bool = False


def evidence_graph(query: str, evidence: Evidence) -> str:
    """Draw the paths from the query to its best neighbours as SVG, left to right.

    Neighbours that only their vector led to hang on a dashed line with their score.
    """
    hits = [*evidence.concepts[:_MAX_NODES], *evidence.items[:_MAX_NODES]]
    edges = list(dict.fromkeys(edge for hit in hits for edge in _edges(hit)))
    labels = {"query": query} | {hit.id: hit.text for hit in hits if hit.text}
    places = _places(edges, items={hit.id for hit in evidence.items})
    height = max(y for _, y in places.values()) + _ROW
    width = max(x for x, _ in places.values()) + _WIDTH + 2
    kinds = {hit.id: hit.kind for hit in hits} | {"query": "query"}
    drawn = [_line(edge, places) for edge in edges]
    drawn += [_node(places[id_], labels.get(id_, id_), kinds.get(id_, "concept")) for id_ in places]
    label = "Paths from the new item to its neighbours"
    return f'<svg role="img" aria-label="{label}" viewBox="0 0 {width} {height}">{"".join(drawn)}</svg>'


def _edges(hit: Hit) -> list[_Edge]:
    """Walk the hit's path, whose relations may be crossed against their direction."""
    if not hit.path:
        return [_Edge(head="query", tail=hit.id, label=f"{hit.score:.2f}", is_dashed=True)]
    edges, here = [], "query"
    for step in hit.path:
        there = step.tail if step.head == here else step.head
        edges.append(_Edge(head=here, tail=there, label=step.type))
        here = there
    return edges


def _places(edges: list[_Edge], items: set[str]) -> dict[str, tuple[int, int]]:
    """Put each node as many columns right as it is steps from the query, items in the last, top down."""
    depth = {"query": 0}
    for edge in edges:
        depth.setdefault(edge.tail, depth[edge.head] + 1)
    last = max(depth.values())
    filled = [0] * (last + 1)
    places = {}
    for id_, steps in depth.items():
        column = last if id_ in items else steps
        places[id_] = (1 + column * _COLUMN, 10 + filled[column] * _ROW)
        filled[column] += 1
    return places


def _line(edge: _Edge, places: dict[str, tuple[int, int]]) -> str:
    (x1, y1), (x2, y2) = places[edge.head], places[edge.tail]
    x1, y1, y2 = x1 + _WIDTH, y1 + _HEIGHT // 2, y2 + _HEIGHT // 2
    style = ' class="dashed"' if edge.is_dashed else ""
    bend = f"M{x1},{y1} C{x1 + 45},{y1} {x2 - 45},{y2} {x2},{y2}"
    return (
        f'<path{style} d="{bend}"/><text class="edge" x="{x2 - 6}" y="{y2 - 5}">{escape(edge.label)}</text>'
    )


def _node(place: tuple[int, int], label: str, kind: str) -> str:
    x, y = place
    short = label if len(label) <= _MAX_CHARS else label[: _MAX_CHARS - 1] + "…"
    return (
        f'<g class="{kind}"><title>{escape(label)}</title>'
        f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="6"/>'
        f'<text x="{x + 10}" y="{y + 20}">{escape(short)}</text></g>'
    )
