"""What one forecast rests on, as HTML that folds where the window is narrow: what moved it, and paths."""

from __future__ import annotations

import math
from html import escape

from zeroshot_core.explain.wording import contribution_in_words, source_in_words, step_in_words
from zeroshot_core.types import Contribution, Evidence, Hit

__all__ = ["contribution_bars", "evidence_paths"]

_MAX_PATHS = 6
_LEAST_SCORE = 0.005


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


def evidence_paths(evidence: Evidence) -> str:
    """Write the ways to known items through the graph, or to concepts where there are none to items.

    A line each, that folds as text does.
    """
    names = {hit.id: hit.text for hit in (*evidence.items, *evidence.concepts) if hit.text}
    names["query"] = "the new item"
    for hits in (evidence.items, evidence.concepts):
        # Neighbours that share a concept share all of the way but its end.
        by_way = {
            tuple(step.type + step.tail for step in hit.path): hit
            for hit in reversed(hits)
            if hit.path and hit.score >= _LEAST_SCORE
        }
        ways = [_way(hit, names) for hit in reversed(by_way.values())][:_MAX_PATHS]
        if ways:
            return f'<ul class="ways">{"".join(ways)}</ul>'
    return ""


def _way(hit: Hit, names: dict[str, str]) -> str:
    """Walk the hit's path, whose relations may be crossed against their direction."""
    here, parts = "query", [_node("query", names, "query")]
    for step in hit.path:
        is_backward = step.tail == here
        here = step.head if is_backward else step.tail
        type_ = escape(step_in_words(step).replace("_", " "))
        kind = "item" if here == hit.id and hit.kind == "item" else "concept"
        arrow = f"← {type_}" if is_backward else f"{type_} →"
        parts.append(f'<span class="edge">{arrow}</span> {_node(here, names, kind)}')
    return f"<li>{' '.join(parts)}</li>"


def _node(id_: str, names: dict[str, str], kind: str) -> str:
    return f'<span class="{kind}">{escape(names.get(id_, id_))}</span>'
