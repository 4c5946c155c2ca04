"""Hits with the path of relations that led to them."""

from __future__ import annotations

from collections.abc import Mapping

from zeroshot_core.graph import KnowledgeGraph, Path
from zeroshot_core.types import Concept, Hit, Item, Relation

__all__ = ["concept_hit", "item_hit", "item_path", "mention_path"]

QUERY = "query"


def item_hit(item: Item, score: float, *, parts: Mapping[str, float], path: tuple[Relation, ...] = ()) -> Hit:
    """Describe an item that was found."""
    return Hit(
        id=item.id,
        kind="item",
        score=score,
        text=item.text or "",
        parts=parts,
        path=path,
        concepts=item.concepts,
        metadata=item.metadata,
    )


def concept_hit(concept: Concept, *, parts: Mapping[str, float], path: tuple[Relation, ...] = ()) -> Hit:
    """Describe a concept that was found, scored by its graph part; its type stands in the metadata."""
    return Hit(
        id=concept.id,
        kind="concept",
        score=parts["graph"],
        text=concept.name,
        parts=parts,
        path=path,
        metadata={"type": concept.type},
    )


def mention_path(path: Path, seeds: Mapping[str, float]) -> tuple[Relation, ...]:
    """Lead a path of the graph from the query, which mentions the path's seed with the seed's weight."""
    return (Relation(head=QUERY, type="mentions", tail=path.seed, weight=seeds[path.seed]), *path.relations)


def item_path(
    item: Item, seeds: Mapping[str, float], paths: Mapping[str, Path], graph: KnowledgeGraph
) -> tuple[Relation, ...]:
    """Lead from the query over the item's concept with the strongest path to the item; empty without one."""
    reached = [id_ for id_ in item.concepts if id_ in paths]
    if not reached:
        return ()
    best = max(reached, key=lambda id_: paths[id_].score)
    link = Relation(head=item.id, type=graph.concepts[best].type, tail=best)
    return (*mention_path(paths[best], seeds), link)
