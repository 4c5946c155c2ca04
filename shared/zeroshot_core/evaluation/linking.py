"""How well texts are linked to concepts: synonyms held out of a graph, and concepts held out of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.graph.names import stem_key

if TYPE_CHECKING:
    from zeroshot_core.types import Concept

__all__ = [
    "HeldOutNames",
    "accuracy_at",
    "expected_calibration_error",
    "hold_out_synonyms",
    "match_strings",
    "without_concepts",
]

_N_BINS = 10


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
        graph=KnowledgeGraph(concepts, graph.relations),
        texts=tuple(text for _, text in taken),
        concepts=tuple(id_ for id_, _ in taken),
    )


def without_concepts(graph: KnowledgeGraph, ids: Collection[str]) -> KnowledgeGraph:
    """Take concepts out of a graph, with their relations."""
    graph.require(ids)
    gone = set(ids)
    return KnowledgeGraph(
        [concept for id_, concept in graph.concepts.items() if id_ not in gone],
        [relation for relation in graph.relations if not {relation.head, relation.tail} & gone],
    )


def match_strings(graph: KnowledgeGraph, texts: Sequence[str]) -> list[list[str]]:
    """Find the concepts one of whose names is the text, but for case, punctuation and plural."""
    known: dict[str, dict[str, None]] = defaultdict(dict)
    for id_, concept in graph.concepts.items():
        for name in (concept.name, *concept.synonyms):
            known[stem_key(name)][id_] = None
    return [list(known.get(stem_key(text), ())) for text in texts]


def accuracy_at(ranked: Sequence[Sequence[str]], truths: Sequence[str], k: int) -> float:
    """Share of texts whose concept is among the first `k` that were found for it, in [0, 1]."""
    if len(ranked) != len(truths) or not truths:
        raise InvalidInputError(
            f"expected one ranking for each truth, got {len(ranked)} and {len(truths)}; give both, not empty"
        )
    return sum(truth in found[:k] for found, truth in zip(ranked, truths, strict=True)) / len(truths)


def expected_calibration_error(probabilities: npt.ArrayLike, is_right: npt.ArrayLike) -> float:
    """Mean distance of stated probability and share right, over ten bins of equal width [1]_, in [0, 1].

    Parameters
    ----------
    probabilities, is_right
        Shape (n,).

    References
    ----------
    .. [1] Naeini et al., "Obtaining Well Calibrated Probabilities Using Bayesian Binning", AAAI 2015.
    """
    stated, right = np.asarray(probabilities, dtype=np.float64), np.asarray(is_right, dtype=np.float64)
    if stated.ndim != 1 or stated.shape != right.shape or not len(stated):
        raise InvalidInputError(f"expected two arrays of shape (n,), got {stated.shape} and {right.shape}")
    bins = np.minimum((stated * _N_BINS).astype(np.int64), _N_BINS - 1)
    gaps = np.bincount(bins, weights=stated - right, minlength=_N_BINS)
    return float(np.abs(gaps).sum() / len(stated))


def _synonyms(concept: Concept) -> list[str]:
    return [text for text in dict.fromkeys(concept.synonyms) if text != concept.name]
