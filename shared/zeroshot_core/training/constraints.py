"""What shall be nearer than what: relations of a graph, or any other triples, beside the examples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from zeroshot_core.checks import real, whole
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph import KnowledgeGraph, closure_matrix

if TYPE_CHECKING:
    from zeroshot_core.types import Relation

__all__ = ["Constraints", "SideExamples", "graph_constraints", "kin_matrix"]


@dataclass(frozen=True, kw_only=True)
class Constraints:
    """Each anchor shall be nearer to its positive than to its negatives.

    Parameters
    ----------
    anchors, positives
        Texts, shape (m,).
    negatives
        Texts for each anchor; an anchor without any teaches nothing, and is refused.
    weight
        Of their loss beside that of the examples, above 0.

    Raises
    ------
    InvalidInputError
        If there is none, the lengths differ, an anchor has no negatives, or the weight is not above 0.
    """

    anchors: tuple[str, ...]
    positives: tuple[str, ...]
    negatives: tuple[tuple[str, ...], ...]
    weight: float = 1.0

    def __post_init__(self) -> None:
        lengths = {len(self.anchors), len(self.positives), len(self.negatives)}
        if len(lengths) > 1 or not self.anchors:
            raise InvalidInputError(
                "expected one positive and some negatives for each of at least 1 anchor, got "
                f"{len(self.anchors)}, {len(self.positives)} and {len(self.negatives)} of them"
            )
        bare = next((a for a, n in zip(self.anchors, self.negatives, strict=True) if not n), None)
        if bare is not None:
            raise InvalidInputError(f"expected negatives for each anchor, got none for {bare!r}; drop it")
        real("weight", self.weight, above=0)


@dataclass(frozen=True, kw_only=True)
class SideExamples:
    """Further texts with labels or targets of another kind, learned beside the main ones.

    Parameters
    ----------
    texts
        Shape (n,).
    labels_or_targets
        As those of `tune_encoder`; the labels have nothing to do with the main ones.
    weight
        Of their loss beside that of the main examples, above 0.
    """

    texts: Sequence[str]
    labels_or_targets: Sequence[str] | Any
    weight: float = 1.0

    def __post_init__(self) -> None:
        real("weight", self.weight, above=0)


def graph_constraints(
    graph: KnowledgeGraph,
    *,
    relation_types: Iterable[str] | None = None,
    n_negatives: int = 5,
    weight: float = 1.0,
    random_state: int = 0,
) -> Constraints:
    """Make constraints of a graph: heads shall be nearer to their tails than to the siblings of the tails.

    Siblings of a tail share a broader concept with it; where it has too few, concepts of its type drawn at
    random stand in. Whatever the head reaches, or is reached from, is no negative.

    Parameters
    ----------
    relation_types
        Types of the relations that count; None takes all.
    n_negatives
        Most negatives of each relation, at least 1.

    Raises
    ------
    InvalidInputError
        If no relation is left, or a number is out of range.
    """
    whole("n_negatives", n_negatives, least=1)
    types = None if relation_types is None else set(relation_types)
    relations = [each for each in graph.relations if types is None or each.type in types]
    rng = np.random.default_rng(random_state)
    kin, siblings = kin_matrix(graph), _siblings(graph, {each.tail for each in relations})
    found = [(each, _negatives(graph, each, kin, siblings, n_negatives, rng)) for each in relations]
    kept = [(each, names) for each, names in found if names]
    if not kept:
        raise InvalidInputError(
            f"expected relations with something else to tell their tails from, got {len(relations)} relations"
        )
    texts = {id_: concept.name for id_, concept in graph.concepts.items()}
    return Constraints(
        anchors=tuple(texts[each.head] for each, _ in kept),
        positives=tuple(texts[each.tail] for each, _ in kept),
        negatives=tuple(tuple(texts[id_] for id_ in ids) for _, ids in kept),
        weight=weight,
    )


def _negatives(
    graph: KnowledgeGraph,
    relation: Relation,
    kin: sparse.csr_matrix,
    siblings: dict[str, list[str]],
    n_negatives: int,
    rng: np.random.Generator,
) -> list[str]:
    """Choose siblings of the tail, and others of its type where they are too few."""
    row = kin[graph.positions[relation.head]]
    near = {graph.concept_ids[place] for place in row.indices} | {relation.head, relation.tail}
    own = [id_ for id_ in siblings[relation.tail] if id_ not in near]
    chosen = [own[place] for place in rng.permutation(len(own))[:n_negatives]]
    type_ = graph.concepts[relation.tail].type
    for place in rng.permutation(len(graph))[: 10 * n_negatives].tolist():
        id_ = graph.concept_ids[place]
        if len(chosen) == n_negatives:
            break
        if id_ not in near and id_ not in chosen and graph.concepts[id_].type == type_:
            chosen.append(id_)
    return chosen


def kin_matrix(graph: KnowledgeGraph) -> sparse.csr_matrix:
    """Whatever each concept reaches or is reached from, itself included; bool, (n, n)."""
    upward = closure_matrix(graph, max(1, len(graph)))
    return sparse.csr_matrix(upward + upward.T)


def _siblings(graph: KnowledgeGraph, tails: set[str]) -> dict[str, list[str]]:
    """Concepts that share a broader concept with each of the tails."""
    children: dict[str, list[str]] = {}
    parents: dict[str, list[str]] = {}
    for relation in graph.relations:
        children.setdefault(relation.tail, []).append(relation.head)
        parents.setdefault(relation.head, []).append(relation.tail)
    return {
        id_: list(dict.fromkeys(child for parent in parents.get(id_, ()) for child in children[parent]))
        for id_ in tails
    }
