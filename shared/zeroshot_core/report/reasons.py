"""What one forecast rests on, as HTML that folds where the window is narrow: what moved it, and paths."""

from __future__ import annotations

import math
from html import escape

from zeroshot_core.explain.wording import contribution_in_words, source_in_words, step_in_words
from zeroshot_core.types import Contribution, Evidence, Hit

__all__ = ["contribution_bars", "evidence_paths"]

_MAX_PATHS = 6
_LEAST_SCORE = 0.005
_MAX_CHARS = 60


def contribution_bars(contributions: tuple[Contribution, ...]) -> str:
    """Draw what moved a forecast as bars, to the right what raised it, to the left what lowered it."""
    told = [each for each in contributions if contribution_in_words(each)]
    if not told:
        return ""
    widest = max(abs(each.amount) for each in told)
    return f'<ul class="bars">{"".join(_bar(each, widest) for each in told)}</ul>'


def _bar(contribution: Contribution, widest: float) -> str:
    width = 50 * abs(contribution.amount) / widest
    left = 50.0 if contribution.amount > 0 else 50 - width
    css = "up" if contribution.amount > 0 else "down"
    return (
        f"<li><span>{escape(source_in_words(contribution))}</span>"
        f'<span class="bar"><i class="{css}" style="left:{left:.1f}%;width:{width:.1f}%"></i></span>'
        f"<span>{_change(contribution)}</span></li>"
    )


def _change(contribution: Contribution) -> str:
    """Write the change with its sign, in percent where it is one."""
    if not contribution.is_relative:
        return f"{contribution.amount:+.4g}"
    factor = math.exp(min(contribution.amount, 700.0))
    return f"{factor:.2g} times" if factor > 3 else f"{factor - 1:+.0%}"


def evidence_paths(evidence: Evidence, query: str) -> str:
    """Write the ways from the query to what is near it in the graph, a line each, that fold as text does."""
    hits = [hit for hit in (*evidence.items, *evidence.concepts) if hit.path and hit.score >= _LEAST_SCORE]
    names = {hit.id: hit.text for hit in (*evidence.items, *evidence.concepts) if hit.text} | {"query": query}
    # Neighbours of one concept would repeat its path.
    by_way = {tuple(step.tail for step in hit.path): hit for hit in reversed(hits)}
    ways = [_way(hit, names) for hit in reversed(by_way.values())][:_MAX_PATHS]
    return f'<ul class="ways">{"".join(ways)}</ul>' if ways else ""


def _way(hit: Hit, names: dict[str, str]) -> str:
    """Walk the hit's path, whose relations may be crossed against their direction."""
    here, parts = "query", [_node("query", names, "query")]
    for step in hit.path:
        is_backward = step.tail == here
        here = step.head if is_backward else step.tail
        arrow = f"← {escape(step_in_words(step))}" if is_backward else f"{escape(step_in_words(step))} →"
        kind = "item" if here == hit.id and hit.kind == "item" else "concept"
        parts.append(f'<span class="edge">{arrow}</span> {_node(here, names, kind)}')
    return f"<li>{' '.join(parts)}</li>"


def _node(id_: str, names: dict[str, str], kind: str) -> str:
    label = names.get(id_, id_)
    short = label if len(label) <= _MAX_CHARS else label[: _MAX_CHARS - 1] + "…"
    return f'<span class="{kind}" title="{escape(label)}">{escape(short)}</span>'
