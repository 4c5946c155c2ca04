"""What several texts say, merged into one relation that cites them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from zeroshot_core.construction.reading import Triple
from zeroshot_core.construction.resolving import Mention
from zeroshot_core.types import Relation

__all__ = ["Edge", "edges_of", "ends", "mentions_of", "merge_edges"]


class Edge(NamedTuple):
    """A triple with its ends resolved to concept ids, and the id of the text that says it."""

    head: str
    type: str
    tail: str
    source: str


def ends(triple: Triple) -> tuple[Mention, Mention]:
    """Head and tail, each with its type."""
    return (triple.head, triple.head_type), (triple.tail, triple.tail_type)


def edges_of(said: Iterable[tuple[str, Triple]], ids: Mapping[Mention, str]) -> list[Edge]:
    """Resolve the triples of texts, given as (text id, triple)."""
    return [
        Edge(head=ids[ends(t)[0]], type=t.relation, tail=ids[ends(t)[1]], source=source) for source, t in said
    ]


def merge_edges(known: Iterable[Relation], edges: Iterable[Edge]) -> list[Relation]:
    """Add edges to relations: each new source of a relation counts 1 in its weight."""
    relations = {(r.head, r.type, r.tail): r for r in known}
    cited: dict[tuple[str, str, str], dict[str, None]] = defaultdict(dict)
    for head, type_, tail, source in edges:
        cited[head, type_, tail][source] = None
    for (head, type_, tail), sources in cited.items():
        old = relations.get((head, type_, tail))
        before = old.sources if old else ()
        added = tuple(source for source in sources if source not in before)
        weight = (old.weight if old else 0.0) + len(added)
        relations[head, type_, tail] = Relation(
            head=head, type=type_, tail=tail, weight=weight, sources=before + added
        )
    return list(relations.values())


def mentions_of(text_ids: Iterable[str], edges: Iterable[Edge]) -> dict[str, tuple[str, ...]]:
    """Concepts that each text names, in its order; none for a text that says nothing."""
    named: dict[str, dict[str, None]] = {id_: {} for id_ in text_ids}
    for edge in edges:
        named[edge.source] |= {edge.head: None, edge.tail: None}
    return {id_: tuple(concepts) for id_, concepts in named.items()}
