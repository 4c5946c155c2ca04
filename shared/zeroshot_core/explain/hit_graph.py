"""Hits and what led to them as a graph: for networkx, for GraphML, and as a picture."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING

from zeroshot_core import checks
from zeroshot_core.explain.wording import NamedConcepts, shortened_text
from zeroshot_core.types import Hit, Relation

if TYPE_CHECKING:
    import networkx as nx

__all__ = ["graph_to_html", "hits_to_graph"]

_COLUMN, _LINE, _EDGE = 300, 56, 60
_COLOURS = {"query": "#e8a33d", "concept": "#7aa6c2", "item": "#8fb573"}
_PAGE = """<!doctype html>
<html><head><meta charset="utf-8"><title>Evidence</title>
<style>body {{ font: 14px sans-serif; }} line {{ stroke: #999; }} .type {{ fill: #666; font-size: 11px; }}
</style></head><body><svg viewBox="0 0 {width} {height}" width="{width}" height="{height}">
{drawn}
</svg></body></html>
"""


def hits_to_graph(hits: Sequence[Hit], graph: NamedConcepts | None = None) -> nx.MultiDiGraph:
    """Collect the nodes and relations that led to hits, of one query or several.

    Parameters
    ----------
    graph
        A `KnowledgeGraph` that names the concepts; by their ids without it.

    Returns
    -------
    networkx.MultiDiGraph
        A node each for the query, for items and for concepts (``kind``), with its ``id`` and ``text``, and of
        hits the ``score`` and its parts (``score_vector``, ``score_graph``, ``score_lexical``); an edge for
        each relation with ``type``, ``weight`` and ``sources`` between bars. To a hit that its text alone led
        to, an edge ``near`` leads from the query. All values are numbers and texts, so that
        `networkx.write_graphml` writes it.

    Raises
    ------
    InvalidInputError
        If something is no hit.
    """
    import networkx as nx

    drawn = nx.MultiDiGraph()
    for hit in checks.sequence("hits", hits, of="hits"):
        checks.instance("a hit", hit, Hit, remedy="a Retriever gives them")
        parts = {f"score_{name}": float(part) for name, part in hit.parts.items()}
        key = f"{hit.kind}:{hit.id}"
        text = _printable(hit.text or hit.id)
        drawn.add_node(key, kind=hit.kind, id=hit.id, text=text, score=float(hit.score), **parts)
        near = Relation(head="query", type="near", tail=hit.id, weight=hit.parts.get("vector", hit.score))
        for place, step in enumerate(hit.path or (near,)):
            is_last = place >= len(hit.path) - 1
            head = "query" if place == 0 else hit.kind if is_last and step.head == hit.id else "concept"
            tail = hit.kind if is_last and step.tail == hit.id and head != hit.kind else "concept"
            ends = [f"{head}:{step.head}", f"{tail}:{step.tail}"]
            for end, kind, id_ in zip(ends, (head, tail), (step.head, step.tail), strict=True):
                if end not in drawn:
                    drawn.add_node(end, kind=kind, id=id_, text=_printable(_name(id_, graph)))
            sources = "|".join(step.sources)
            drawn.add_edge(*ends, key=step.type, type=step.type, weight=float(step.weight), sources=sources)
    return drawn


def graph_to_html(drawn: nx.MultiDiGraph) -> str:
    """Draw what `hits_to_graph` gives as a page of HTML that stands alone: no script, nothing fetched.

    The query is on the left, each step of a path further right; the texts of nodes and the weights of edges
    show under the pointer.
    """
    places = _places(drawn)
    lines = [*_edges(drawn, places), *_nodes(drawn, places)]
    width = max((x for x, _ in places.values()), default=0) + _COLUMN
    height = max((y for _, y in places.values()), default=0) + _EDGE
    return _PAGE.format(width=width, height=height, drawn="\n".join(lines))


def _printable(text: str) -> str:
    """Leave out what neither GraphML nor HTML can hold."""
    return "".join(sign for sign in text if sign.isprintable() or sign in "\n\t")


def _name(id_: str, graph: NamedConcepts | None) -> str:
    known = None if graph is None else graph.concepts.get(id_)
    return id_ if known is None else known.name


def _places(drawn: nx.MultiDiGraph) -> dict[str, tuple[int, int]]:
    """Column by the number of steps from a query, row by the order in it."""
    import networkx as nx

    starts = {key for key, kind in drawn.nodes(data="kind") if kind == "query"}
    steps = nx.multi_source_dijkstra_path_length(drawn.to_undirected(), starts, weight=None) if starts else {}
    columns: dict[int, list[str]] = defaultdict(list)
    for key in drawn:
        columns[int(steps.get(key, 1))].append(key)
    return {
        key: (_EDGE + _COLUMN * column, _EDGE + _LINE * row)
        for column, keys in columns.items()
        for row, key in enumerate(keys)
    }


def _edges(drawn: nx.MultiDiGraph, places: dict[str, tuple[int, int]]) -> Iterator[str]:
    for head, tail, edge in drawn.edges(data=True):
        (x1, y1), (x2, y2) = places[head], places[tail]
        said = escape(f"{edge['type']} {edge['weight']:.2f} {edge['sources']}".strip())
        yield f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"><title>{said}</title></line>'
        middle = f'x="{(x1 + x2) // 2}" y="{(y1 + y2) // 2 - 4}"'
        yield f'<text class="type" text-anchor="middle" {middle}>{escape(edge["type"])}</text>'


def _nodes(drawn: nx.MultiDiGraph, places: dict[str, tuple[int, int]]) -> Iterator[str]:
    for key, node in drawn.nodes(data=True):
        x, y = places[key]
        score = f" ({node['score']:.2f})" if "score" in node else ""
        yield f'<circle cx="{x}" cy="{y}" r="8" fill="{_COLOURS[node["kind"]]}"/>'
        label, whole = escape(shortened_text(node["text"]) + score), escape(node["text"])
        yield f'<text x="{x + 12}" y="{y + 5}">{label}<title>{whole}</title></text>'
