"""Activation of a graph's concepts by those that a query mentions, and the paths that explain it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np
from scipy import sparse

from zeroshot_core import checks
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph import (
    KnowledgeGraph,
    Path,
    PathFinder,
    check_spread,
    expand,
    personalized_pagerank,
)

if TYPE_CHECKING:
    from zeroshot_core.types import Floats, Ints, Relation

__all__ = ["ActivatedGraph", "Activation", "Spread", "Spreading", "unmoved"]

Spread: TypeAlias = Literal["hops", "pagerank"]

_LONGEST_PATH = 32


@dataclass(frozen=True, kw_only=True)
class Spreading:
    """How activation spreads, whatever the graph.

    Parameters
    ----------
    spread
        ``"hops"``: over `n_hops` relations (`graph.expand`); ``"pagerank"``: without a limit, a walker going
        back with probability ``1 - decay`` (`graph.personalized_pagerank`).
    n_hops
        Relations that an activation may cross.
    decay
        What is kept of it at each crossing, above 0 and at most 1; below 1 for ``"pagerank"``.
    relation_weights
        Weights of relation types, as in `graph.adjacency`.

    Raises
    ------
    InvalidInputError
        If a parameter is out of range.
    """

    spread: Spread = "hops"
    n_hops: int = 2
    decay: float = 0.5
    relation_weights: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        check_spread(self.n_hops, self.decay)
        checks.choice("spread", self.spread, get_args(Spread))
        if self.spread == "pagerank" and self.decay == 1:
            raise InvalidInputError(
                "expected decay below 1 for pagerank, got 1; a walker must go back at times"
            )


class ActivatedGraph:
    """One graph over which activation spreads; immutable, safe to share between threads."""

    def __init__(self, graph: KnowledgeGraph, spreading: Spreading) -> None:
        self.graph = graph
        self._spreading = spreading
        self._reduced: tuple[frozenset[str], ActivatedGraph] | None = None

    def reach(self, seeds: Sequence[Mapping[str, float]]) -> Activation:
        """Spread from the weighted seeds of each query."""
        columns = [self.graph.positions[id_] for weights in seeds for id_ in weights]
        data = [weight for weights in seeds for weight in weights.values()]
        ends = np.cumsum([0, *map(len, seeds)])
        start = sparse.csr_matrix((data, columns, ends), shape=(len(seeds), len(self.graph)))
        way = self._spreading
        if way.spread == "pagerank":
            values = personalized_pagerank(self._finder.adjacency, start, 1.0 - way.decay)
        else:
            values = expand(self._finder.adjacency, start, way.n_hops, way.decay)
        return Activation(over=self, seeds=seeds, values=values)

    def sources_near(self, activation: Activation) -> set[str]:
        """Collect the sources of the relations that begin or end at a concept active for any query."""
        rows, heads, tails = self._cited
        is_active = np.zeros(len(self.graph), dtype=np.bool_)
        is_active[activation.values.indices] = True
        relations = self.graph.relations
        near = rows[is_active[heads] | is_active[tails]].tolist()
        return {source for row in near for source in relations[row].sources}

    def without_sources(self, hidden: frozenset[str]) -> ActivatedGraph:
        """Give the graph as it is without some sources: a relation weighs by the share of those it keeps.

        One without any left is gone. The last such graph is kept, for filters mostly repeat.
        """
        known = self._reduced
        if known is None or known[0] != hidden:
            cited = (_without(relation, hidden) for relation in self.graph.relations)
            graph = self.graph.replace(relations=[relation for relation in cited if relation is not None])
            self._reduced = known = hidden, ActivatedGraph(graph, self._spreading_over(graph))
        return known[1]

    def _spreading_over(self, graph: KnowledgeGraph) -> Spreading:
        """Leave out weights of relation types that are gone."""
        weights = self._spreading.relation_weights or {}
        kept = {type_: weight for type_, weight in weights.items() if type_ in graph.relation_types}
        return replace(self._spreading, relation_weights=kept)

    @cached_property
    def _cited(self) -> tuple[Ints, Ints, Ints]:
        """Rows, heads and tails of the relations that have sources, each (n,)."""
        positions = self.graph.positions
        found = [
            (row, positions[relation.head], positions[relation.tail])
            for row, relation in enumerate(self.graph.relations)
            if relation.sources
        ]
        rows, heads, tails = np.array(found, dtype=np.int64).reshape(-1, 3).T
        return rows, heads, tails

    def paths(
        self, seeds: Mapping[str, float], targets: Iterable[str], activation: Floats
    ) -> dict[str, Path]:
        """Find the strongest path to each target that the activation has reached.

        PageRank has no limit of hops: for what lies beyond `n_hops`, longer and longer paths are tried.
        """
        positions = self.graph.positions
        missing = [
            id_ for id_ in dict.fromkeys(targets) if id_ in positions and activation[positions[id_]] > 0
        ]
        n_hops = self._spreading.n_hops
        found: dict[str, Path] = {}
        while missing:
            found |= self._finder.best_paths(seeds, missing, n_hops=n_hops, decay=self._spreading.decay)
            missing = [id_ for id_ in missing if id_ not in found]
            if self._spreading.spread == "hops" or n_hops >= _LONGEST_PATH:
                break
            n_hops = min(_LONGEST_PATH, 2 * n_hops + 1)
        return found

    def certain_seeds(self, seeds: Mapping[str, float]) -> dict[str, float]:
        """Seeds that no path over a relation comes up to: it keeps at most `decay` of the strongest seed."""
        least = self._spreading.decay * max(seeds.values(), default=0.0)
        return {id_: float(weight) for id_, weight in seeds.items() if weight > least}

    def specificity(self, concept: str) -> tuple[int, int, int]:
        """How much a concept says: rank of its type, concepts of its type, less what leads up to it.

        A type from which relations lead up to others is narrower than these: a kind of product than its
        department. Of two that are not so ordered, the one of more concepts parts things more finely.
        """
        type_ = self.graph.concepts[concept].type
        n_above, n_of_type = self._types
        return n_above[type_], n_of_type[type_], -int(self._n_below[self.graph.positions[concept]])

    @cached_property
    def _types(self) -> tuple[dict[str, int], Counter[str]]:
        """For each type how many others lie above it, and how many concepts it has."""
        concepts = self.graph.concepts
        up: dict[str, set[str]] = {concept.type: set() for concept in concepts.values()}
        for relation in self.graph.relations:
            up[concepts[relation.head].type].add(concepts[relation.tail].type)
        above = {}
        for type_ in up:
            reached, fringe = set[str](), up[type_]
            while fringe:
                reached |= fringe
                fringe = set().union(*(up[each] for each in fringe)) - reached
            above[type_] = len(reached - {type_})
        return above, Counter(concept.type for concept in concepts.values())

    @cached_property
    def _n_below(self) -> Ints:
        """Relations that lead up to each concept, shape (n_concepts,)."""
        tails = [self.graph.positions[relation.tail] for relation in self.graph.relations]
        return np.bincount(np.asarray(tails, dtype=np.int64), minlength=len(self.graph))

    @cached_property
    def _finder(self) -> PathFinder:
        return PathFinder(self.graph, relation_weights=self._spreading.relation_weights)


@dataclass(frozen=True, kw_only=True)
class Activation:
    """What a batch of queries activates.

    Parameters
    ----------
    over
        The graph over which it has spread.
    seeds
        For each query the weights of the concepts that it mentions.
    values
        Shape (q, n_concepts), not negative.
    """

    over: ActivatedGraph
    seeds: Sequence[Mapping[str, float]]
    values: sparse.csr_matrix

    @property
    def graph(self) -> KnowledgeGraph:
        """The concepts that the columns stand for."""
        return self.over.graph

    def part(self, queries: slice) -> Activation:
        """Give that of some of the queries."""
        is_whole = len(self.seeds[queries]) == len(self.seeds)
        return self if is_whole else replace(self, seeds=self.seeds[queries], values=self.values[queries])

    def by(self, query: int) -> Floats:
        """Activation of every concept by one query, shape (n_concepts,)."""
        # Far quicker than indexing a sparse matrix.
        row = np.zeros(self.values.shape[1])
        entries = slice(self.values.indptr[query], self.values.indptr[query + 1])
        row[self.values.indices[entries]] = self.values.data[entries]
        return row

    def telling(self, query: int, concepts: Sequence[str]) -> Sequence[str]:
        """Give those of an item's concepts of which one lies on its strongest path: certain seeds, or all."""
        certain = self._certain_seeds[query]
        return [id_ for id_ in concepts if id_ in certain] or concepts

    @cached_property
    def _certain_seeds(self) -> list[dict[str, float]]:
        return [self.over.certain_seeds(each) for each in self.seeds]

    def paths(self, query: int, targets: Iterable[str]) -> dict[str, Path]:
        """Find the strongest path from one query's seeds to each target that it activates."""
        certain, targets = self._certain_seeds[query], dict.fromkeys(targets)
        found = {id_: Path(seed=id_, relations=(), score=certain[id_]) for id_ in targets if id_ in certain}
        others = [id_ for id_ in targets if id_ not in certain]
        return found | self.over.paths(self.seeds[query], others, self.by(query)) if others else found


def _without(relation: Relation, hidden: frozenset[str]) -> Relation | None:
    kept = tuple(source for source in relation.sources if source not in hidden)
    if len(kept) == len(relation.sources):
        return relation
    share = len(kept) / len(relation.sources)
    return replace(relation, sources=kept, weight=relation.weight * share) if kept else None


def unmoved(n_queries: int) -> Activation:
    """Activation of no concept, for queries whose hits shall owe nothing to a graph."""
    empty = ActivatedGraph(KnowledgeGraph(), Spreading())
    return Activation(over=empty, seeds=[{}] * n_queries, values=sparse.csr_matrix((n_queries, 0)))
