"""A graph's relations as sparse matrices, whose rows and columns are the graph's positions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from zeroshot_core import checks
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph.knowledge_graph import KnowledgeGraph

if TYPE_CHECKING:
    from zeroshot_core.types import Floats, Ints

__all__ = [
    "MOST_HOPS",
    "activations",
    "adjacency",
    "ancestors",
    "check_relation_weights",
    "closure_matrix",
    "edge_arrays",
    "entries_of",
]

# No path of use is longer, and a series of millions of steps would not end.
MOST_HOPS = 1000


def edge_arrays(
    graph: KnowledgeGraph,
    types: Sequence[str] | None = None,
    *,
    relation_weights: Mapping[str, float] | None = None,
) -> tuple[Ints, Ints, Floats, Ints]:
    """Head rows, tail rows, weights and indices, each (n_relations,), of the relations of `types`.

    Weights are multiplied by the weight of the relation's type; types of weight 0 are left out.
    """
    factors = dict.fromkeys(graph.relation_types if types is None else _checked_types(graph, types), 1.0)
    given = check_relation_weights(graph, relation_weights)
    factors = {type_: given.get(type_, 1.0) for type_ in factors if given.get(type_, 1.0) > 0}
    positions, relations = graph.positions, graph.relations
    kept = [i for i, relation in enumerate(relations) if relation.type in factors]
    heads = np.fromiter((positions[relations[i].head] for i in kept), dtype=np.int64, count=len(kept))
    tails = np.fromiter((positions[relations[i].tail] for i in kept), dtype=np.int64, count=len(kept))
    weights = np.fromiter(
        (relations[i].weight * factors[relations[i].type] for i in kept), dtype=np.float64, count=len(kept)
    )
    return heads, tails, weights, np.asarray(kept, dtype=np.int64)


def _checked_types(graph: KnowledgeGraph, types: Sequence[str]) -> Sequence[str]:
    if isinstance(types, str) or set(types) - set(graph.relation_types):
        raise InvalidInputError(
            f"expected a list of relation types among {list(graph.relation_types)}, got {types!r}"
        )
    return types


def check_relation_weights(
    graph: KnowledgeGraph, relation_weights: Mapping[str, float] | None
) -> dict[str, float]:
    """Copy weights of relation types, none for None.

    Raises
    ------
    InvalidInputError
        If a type is not in the graph, or a weight is not a finite number of at least 0.
    """
    weights = {} if relation_weights is None else relation_weights
    if not isinstance(weights, Mapping):
        raise InvalidInputError(
            f"expected relation_weights as a dict from a type to a weight, got {checks.shown(weights)}"
        )
    unknown = sorted(set(weights) - set(graph.relation_types))
    if unknown:
        raise InvalidInputError(
            f"expected relation types among {list(graph.relation_types)}, got {checks.shown(unknown)}; mind "
            "the spelling"
        )
    return {
        type_: checks.real(f"the weight of relation type {type_!r}", weight, least=0)
        for type_, weight in weights.items()
    }


def adjacency(
    graph: KnowledgeGraph,
    types: Sequence[str] | None = None,
    *,
    directed: bool = False,
    relation_weights: Mapping[str, float] | None = None,
) -> sparse.csr_matrix:
    """Weights between concepts, as shares of all that leaves a concept.

    Parameters
    ----------
    types
        Relation types to follow; all of them by default.
    directed
        Follow relations from head to tail only; else both ways.
    relation_weights
        What the weights of relations are multiplied by, for each type; 1 where it is missing, 0 for types
        that are not followed. As rows are shares, only the ratios between types matter.

    Returns
    -------
    csr_matrix
        Shape (n_concepts, n_concepts); each row sums to 1, or to 0 where nothing leaves the concept.

    Raises
    ------
    InvalidInputError
        If a type is not in the graph, or a weight is not a finite number of at least 0.
    """
    heads, tails, weights, _ = edge_arrays(graph, types, relation_weights=relation_weights)
    n = len(graph)
    matrix = sparse.csr_matrix((weights, (heads, tails)), shape=(n, n))
    if not checks.flag("directed", directed):
        matrix = matrix + matrix.T
    totals = np.asarray(matrix.sum(axis=1)).ravel()
    scale = np.divide(1.0, totals, out=np.zeros_like(totals), where=totals > 0)
    return sparse.csr_matrix(sparse.diags(scale) @ matrix)


def activations(graph: KnowledgeGraph, seeds: Sequence[Iterable[str]]) -> sparse.csr_matrix:
    """Turn lists of concept ids into rows of ones, shape (q, n_concepts).

    Raises
    ------
    UnknownConceptError
        If the graph lacks one of the ids.
    """
    distinct = [dict.fromkeys(ids) for ids in seeds]
    graph.require(id_ for ids in distinct for id_ in ids)
    columns = [graph.positions[id_] for ids in distinct for id_ in ids]
    ends = np.cumsum([0, *map(len, distinct)])
    return sparse.csr_matrix((np.ones(len(columns)), columns, ends), shape=(len(distinct), len(graph)))


def closure_matrix(
    graph: KnowledgeGraph, n_hops: int, types: Sequence[str] | None = None
) -> sparse.csr_matrix:
    """Which concepts each one reaches from head to tail within `n_hops`, itself included; bool, (n, n)."""
    n_hops = checks.whole("n_hops", n_hops, most=MOST_HOPS)
    heads, tails, _, _ = edge_arrays(graph, types)
    n = len(graph)
    step = sparse.csr_matrix((np.ones(len(heads), dtype=bool), (heads, tails)), shape=(n, n))
    reached = sparse.identity(n, dtype=bool, format="csr")
    for _ in range(n_hops):
        grown = sparse.csr_matrix(reached + reached @ step)
        if grown.nnz == reached.nnz:
            break
        reached = grown
    return reached


def ancestors(
    graph: KnowledgeGraph, ids: Iterable[str], n_hops: int, types: Sequence[str] | None = None
) -> dict[str, int]:
    """Concepts reached from any of `ids` along head -> tail, with the fewest hops to each (0 for `ids`).

    Raises
    ------
    UnknownConceptError
        If the graph lacks one of `ids`.
    """
    n_hops = checks.whole("n_hops", n_hops, most=MOST_HOPS)
    seeds = activations(graph, [ids])
    step = adjacency(graph, types, directed=True)
    distance: dict[str, int] = {}
    wave = seeds
    for hop in range(n_hops + 1):
        fresh = [id_ for column in wave.indices if (id_ := graph.concept_ids[column]) not in distance]
        distance.update(dict.fromkeys(fresh, hop))
        if not fresh:
            break
        wave = activations(graph, [fresh]) @ step
    return distance


def entries_of(matrix: sparse.csr_matrix, rows: Ints) -> tuple[Ints, Ints, Floats]:
    """Row, column and value of every entry of the given rows, in one pass."""
    counts = matrix.indptr[rows + 1] - matrix.indptr[rows]
    starts = np.repeat(matrix.indptr[rows], counts)
    offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    entries = starts + offsets
    return np.repeat(rows, counts), matrix.indices[entries], matrix.data[entries]
