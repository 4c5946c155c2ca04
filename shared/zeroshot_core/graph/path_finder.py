"""The chains of relations that explain how an activation reached a concept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from zeroshot_core.graph.knowledge_graph import KnowledgeGraph
from zeroshot_core.graph.matrices import adjacency, edge_arrays, entries_of
from zeroshot_core.graph.series import check_spread
from zeroshot_core.types import Relation

if TYPE_CHECKING:
    from zeroshot_core.types import Floats, Ints

__all__ = ["Path", "PathFinder"]


@dataclass(frozen=True, kw_only=True)
class Path:
    """The strongest way from a seed to a concept.

    Parameters
    ----------
    seed
        Concept where the path starts; the target itself where `relations` is empty.
    relations
        As the graph holds them, so a relation may be crossed against its direction.
    score
        Weight of the seed times ``decay * share`` of each crossing, with the shares of `adjacency`.
    """

    seed: str
    relations: tuple[Relation, ...]
    score: float


class PathFinder:
    """Finds strongest paths over one graph; immutable, safe to share between threads.

    Parameters
    ----------
    types
        Relation types to follow; all of them by default.
    relation_weights
        Weights of relation types, as in `adjacency`.
    """

    def __init__(
        self,
        graph: KnowledgeGraph,
        types: Sequence[str] | None = None,
        *,
        relation_weights: Mapping[str, float] | None = None,
    ) -> None:
        self.graph = graph
        self.adjacency = adjacency(graph, types, relation_weights=relation_weights)
        self._incoming = self.adjacency.T.tocsr()
        self._relation_index = _strongest_relations(graph, types, relation_weights)

    def best_paths(
        self, seeds: Mapping[str, float], targets: Iterable[str], *, n_hops: int, decay: float = 1.0
    ) -> dict[str, Path]:
        """Find the strongest path of at most `n_hops` relations from any seed to each target.

        The strongest path is the largest single term of what `expand` sums up for the target. Targets out of
        reach are left out.

        Raises
        ------
        UnknownConceptError
            If the graph lacks a seed or a target.
        InvalidInputError
            If `n_hops` or `decay` is wrong.
        """
        check_spread(n_hops, decay)
        targets = tuple(dict.fromkeys(targets))
        self.graph.require([*seeds, *targets])
        positions = self.graph.positions
        goals = np.array([positions[id_] for id_ in targets], dtype=np.int64)
        layers = self._layers({positions[id_]: weight for id_, weight in seeds.items()}, goals, n_hops, decay)
        found = {id_: self._trace(layers, goal) for id_, goal in zip(targets, goals.tolist(), strict=True)}
        return {id_: path for id_, path in found.items() if path is not None}

    def _layers(
        self, seeds: Mapping[int, float], goals: Ints, n_hops: int, decay: float
    ) -> list[dict[int, tuple[float, int]]]:
        """Best (score, previous row) of each row after exactly h hops; the last layer holds goals only."""
        layers = [{row: (float(weight), -1) for row, weight in seeds.items() if weight > 0}]
        for hop in range(1, n_hops + 1):
            rows = np.fromiter(layers[-1], dtype=np.int64)
            scores = np.array([layers[-1][row][0] for row in rows.tolist()])
            if hop == n_hops:
                tails, heads, shares = entries_of(self._incoming, goals)
                before = np.zeros(len(self.graph))
                before[rows] = scores
                strength = decay * before[heads] * shares
            else:
                heads, tails, shares = entries_of(self.adjacency, rows)
                strength = decay * np.repeat(scores, np.diff(self.adjacency.indptr)[rows]) * shares
            layers.append(_strongest_ways(heads, tails, strength))
        return layers

    def _trace(self, layers: Sequence[Mapping[int, tuple[float, int]]], goal: int) -> Path | None:
        """Walk back from a goal at its best layer, the shortest one on ties."""
        hops = [h for h, layer in enumerate(layers) if goal in layer]
        if not hops:
            return None
        best = max(hops, key=lambda h: (layers[h][goal][0], -h))
        row, relations = goal, []
        for hop in range(best, 0, -1):
            previous = layers[hop][row][1]
            relations.append(self._relation_between(previous, row))
            row = previous
        return Path(
            seed=self.graph.concept_ids[row],
            relations=tuple(reversed(relations)),
            score=layers[best][goal][0],
        )

    def _relation_between(self, row: int, column: int) -> Relation:
        """Heaviest relation between two neighbours; far quicker than indexing a sparse matrix."""
        index = self._relation_index
        start, end = index.indptr[row : row + 2]
        place = start + np.searchsorted(index.indices[start:end], column)
        return self.graph.relations[int(index.data[place]) - 1]


def _strongest_ways(heads: Ints, tails: Ints, strength: Floats) -> dict[int, tuple[float, int]]:
    """Best (strength, head) of each tail, where there is any."""
    order = np.argsort(strength, kind="stable")
    order = order[strength[order] > 0]
    ways = zip(strength[order].tolist(), heads[order].tolist(), strict=True)
    # Written weakest first, so the strongest way into each tail stays.
    return dict(zip(tails[order].tolist(), ways, strict=True))


def _strongest_relations(
    graph: KnowledgeGraph, types: Sequence[str] | None, relation_weights: Mapping[str, float] | None
) -> sparse.csr_matrix:
    """Index + 1 of the heaviest relation between two rows, either way round, shape (n, n)."""
    heads, tails, weights, index = edge_arrays(graph, types, relation_weights=relation_weights)
    order = np.argsort(-weights, kind="stable")
    rows = np.stack([heads, tails], axis=1)[order].ravel()
    columns = np.stack([tails, heads], axis=1)[order].ravel()
    # `unique` keeps the first of each pair, which is the heaviest.
    _, first = np.unique(rows * len(graph) + columns, return_index=True)
    values = index[order][first // 2] + 1
    return sparse.csr_matrix((values, (rows[first], columns[first])), shape=(len(graph),) * 2)
