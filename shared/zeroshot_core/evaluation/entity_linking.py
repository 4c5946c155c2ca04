"""How well texts are linked to concepts: synonyms held out of a graph, and concepts held out of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.graph.names import stem_key

if TYPE_CHECKING:
    from zeroshot_core.types import Concept

__all__ = ["HeldOutNames", "hold_out_synonyms", "match_strings", "without_concepts"]


@dataclass(frozen=True, kw_only=True)
class HeldOutNames:
    """A graph that lacks some of its synonyms, and those.

    Parameters
    ----------
    texts, concepts
        Shape (n,): each synonym held out, and the id of its concept.
    """

    graph: KnowledgeGraph
    texts: tuple[str, ...]
    concepts: tuple[str, ...]


def hold_out_synonyms(graph: KnowledgeGraph, *, share: float, random_state: int) -> HeldOutNames:
    """Take a random share of all synonyms out of a graph; every concept stays, and so does its name."""
    if not 0 < share < 1:
        raise InvalidInputError(f"expected a share above 0 and below 1, got {share!r}")
    pairs = [(id_, text) for id_, concept in graph.concepts.items() for text in _synonyms(concept)]
    rng = np.random.default_rng(random_state)
    places = np.sort(rng.choice(len(pairs), round(share * len(pairs)), replace=False)).tolist()
    taken = [pairs[place] for place in places]
    by_concept: dict[str, set[str]] = defaultdict(set)
    for id_, text in taken:
        by_concept[id_].add(text)
    concepts = [
        replace(concept, synonyms=tuple(text for text in concept.synonyms if text not in by_concept[id_]))
        for id_, concept in graph.concepts.items()
    ]
    return HeldOutNames(
        graph=graph.replace(concepts=concepts),
        texts=tuple(text for _, text in taken),
        concepts=tuple(id_ for id_, _ in taken),
    )


def without_concepts(graph: KnowledgeGraph, ids: Collection[str]) -> KnowledgeGraph:
    """Take concepts out of a graph, with their relations."""
    graph.require(ids)
    gone = set(ids)
    return graph.replace(
        concepts=[concept for id_, concept in graph.concepts.items() if id_ not in gone],
        relations=[relation for relation in graph.relations if not {relation.head, relation.tail} & gone],
    )


def match_strings(graph: KnowledgeGraph, texts: Sequence[str]) -> list[list[str]]:
    """Find the concepts one of whose names is the text, but for case, punctuation and plural."""
    known: dict[str, dict[str, None]] = defaultdict(dict)
    for id_, concept in graph.concepts.items():
        for name in (concept.name, *concept.synonyms):
            known[stem_key(name)][id_] = None
    return [list(known.get(stem_key(text), ())) for text in texts]


def _synonyms(concept: Concept) -> list[str]:
    return [text for text in dict.fromkeys(concept.synonyms) if text != concept.name]
