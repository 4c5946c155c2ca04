"""What each source says."""

from __future__ import annotations

from zeroshot_core.graph.knowledge_graph import KnowledgeGraph
from zeroshot_core.types import Relation

__all__ = ["by_source"]


def by_source(graph: KnowledgeGraph) -> list[tuple[str, list[Relation], list[str]]]:
    """Deal out a graph by its sources.

    Returns
    -------
    list of (source, relations, ids)
        For each source its relations and the concepts at their ends; last, for the source ``""``, the
        relations without one and the concepts that no relation names, if there are any.
    """
    dealt: dict[str, list[Relation]] = {}
    for relation in graph.relations:
        for source in relation.sources or ("",):
            dealt.setdefault(source, []).append(relation)
    related = {end for relation in graph.relations for end in (relation.head, relation.tail)}
    alone = [id_ for id_ in graph.concept_ids if id_ not in related]
    unsourced = dealt.pop("", [])
    parts = [(source, relations, _ends(relations)) for source, relations in dealt.items()]
    if unsourced or alone:
        parts.append(("", unsourced, [*_ends(unsourced), *alone]))
    return parts


def _ends(relations: list[Relation]) -> list[str]:
    return list(dict.fromkeys(end for relation in relations for end in (relation.head, relation.tail)))
