"""What spreads over a graph: activation and vectors, each summed up as a truncated Neumann series.

With a linear step ``M`` that shrinks what it is applied to, ``start + M start + M M start + ...`` tends to
``inv(I - M) start``. `expand` stops after a number of hops, `personalized_pagerank` and `smooth_vectors`
where what is left out is too small to matter.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from scipy import sparse

from zeroshot_core import checks
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph.knowledge_graph import KnowledgeGraph
from zeroshot_core.graph.matrices import MOST_HOPS, adjacency
from zeroshot_core.graph.translation import check_vectors_of, unit_rows

if TYPE_CHECKING:
    from zeroshot_core.types import Floats, Vectors

__all__ = [
    "check_smoothing",
    "check_spread",
    "expand",
    "neumann_series",
    "personalized_pagerank",
    "smooth_vectors",
]

# The share of a walk, and of a vector, that is left when the series is cut off.
_LEAST_WALK = 1e-6
_LEAST_VECTOR = 1e-5
_BLOCK_VALUES = 4_000_000

_Term = TypeVar("_Term", "sparse.csr_matrix", "Floats", "Vectors")


def neumann_series(start: _Term, step: Callable[[_Term], _Term], n_steps: int | None = None) -> _Term:
    """Sum ``start + step(start) + step(step(start)) + ...``.

    Parameters
    ----------
    start
        An array or a sparse matrix of any shape.
    step
        Makes each term from the one before, of the same shape.
    n_steps
        Terms after the first; None for all, until a sparse one holds nothing, as after the longest path of a
        graph without cycles.
    """
    term = total = start
    for _ in count() if n_steps is None else range(n_steps):
        term = step(term)
        # An empty term too: adding it orders the entries anew, and their order settles ties between concepts.
        total = total + term
        if n_steps is None and isinstance(term, sparse.csr_matrix) and not term.nnz:
            break
    return total


def check_spread(n_hops: int, decay: float) -> None:
    """Refuse an `n_hops` that is not whole or not in 0-1000, or a `decay` outside (0, 1]."""
    checks.whole("n_hops", n_hops, most=MOST_HOPS)
    checks.real("decay", decay, above=0, most=1)


def expand(
    adjacency: sparse.csr_matrix, seeds: sparse.csr_matrix | Floats, n_hops: int, decay: float
) -> sparse.csr_matrix:
    """Spread the activation of seeds over the graph.

    Parameters
    ----------
    adjacency
        Row-normalised, shape (n, n).
    seeds
        Activation of each concept for each query, shape (q, n).
    n_hops
        How many relations an activation may cross; 0 leaves the seeds as they are.
    decay
        What is kept at each crossing, in (0, 1].

    Returns
    -------
    csr_matrix
        Shape (q, n): the sum of ``decay**h * seeds @ adjacency**h`` over h from 0 to `n_hops`.

    Raises
    ------
    InvalidInputError
        If `n_hops`, `decay` or the shape of `seeds` is wrong.
    """
    check_spread(n_hops, decay)
    _check_seeds(seeds, adjacency)
    start = sparse.csr_matrix(seeds, dtype=np.float64)
    return neumann_series(start, lambda wave: decay * (wave @ adjacency), n_hops)


def personalized_pagerank(
    adjacency: sparse.csr_matrix, seeds: sparse.csr_matrix | Floats, alpha: float
) -> sparse.csr_matrix:
    """Where a walker is who goes back to the seeds with probability `alpha` before each step [1]_, [2]_.

    The closed form is ``alpha * seeds @ inv(I - (1 - alpha) * adjacency)``, summed up as a series. A walker
    at a concept that nothing leaves goes back to the seeds too. Up to a factor, this is `expand` with a
    `decay` of ``1 - alpha`` and no limit of hops.

    Parameters
    ----------
    adjacency
        Row-normalised, shape (n, n).
    seeds
        Not negative, shape (q, n); only the ratios within a row matter.
    alpha
        Probability of going back, in (0, 1]; 1 leaves the seeds, as shares.

    Returns
    -------
    csr_matrix
        Shape (q, n); rows sum to 1, up to entries below 1e-6, which are left out, or to 0 without seeds.

    Raises
    ------
    InvalidInputError
        If `alpha` or the shape of `seeds` is wrong.

    References
    ----------
    .. [1] Haveliwala, "Topic-Sensitive PageRank", WWW 2002.
    .. [2] Gutierrez et al., "HippoRAG: Neurobiologically Inspired Long-Term Memory for Large Language
       Models", NeurIPS 2024.
    """
    alpha = checks.real("alpha", alpha, above=0, most=1)
    _check_seeds(seeds, adjacency)
    starts = sparse.csr_matrix(seeds, dtype=np.float64)
    back = adjacency.T.tocsr()
    step = max(1, _BLOCK_VALUES // max(1, adjacency.shape[0]))
    blocks = [
        _settled(back, starts[start : start + step].toarray().T, 1.0 - alpha)
        for start in range(0, starts.shape[0], step)
    ]
    return sparse.vstack(blocks, format="csr") if blocks else starts


def _settled(back: sparse.csr_matrix, seeds: Floats, decay: float) -> sparse.csr_matrix:
    """Shares of the walkers of each column of `seeds`, shape (n, q), as rows."""
    totals = seeds.sum(axis=0)
    start = seeds / np.where(totals > 0, totals, 1.0)
    n_steps = _n_steps(decay, _LEAST_WALK)
    settled = neumann_series(start, lambda walkers: decay * (back @ walkers), n_steps)
    # Walkers who left the graph begin again, so what they would do is what the others do.
    kept = settled.sum(axis=0)
    shares = settled / np.where(kept > 0, kept, 1.0)
    shares[shares < _LEAST_WALK] = 0.0
    return sparse.csr_matrix(shares.T)


def smooth_vectors(graph: KnowledgeGraph, vectors: Vectors, weight: float) -> Vectors:
    """Mix into each concept's vector those around it: ``(1 - weight) * inv(I - weight * S) @ vectors`` [1]_.

    S holds the shares of each concept's relations, both ways (`adjacency`), so that parents, children and,
    with ``weight**2``, their neighbours count. The closed form is summed up as a series.

    Parameters
    ----------
    vectors
        Shape (n_concepts, d), unit rows, in the order of the graph.
    weight
        From 0, which leaves the vectors as they are, to below 1.

    Returns
    -------
    Vectors
        Shape (n_concepts, d), unit rows; those of concepts without relations stay.

    Raises
    ------
    InvalidInputError
        If there isn't one vector for each concept, or the weight is out of range.

    References
    ----------
    .. [1] Gasteiger et al., "Predict then Propagate: Graph Neural Networks meet Personalized PageRank",
       ICLR 2019.
    """
    check_vectors_of(graph, vectors)
    if check_smoothing(weight) == 0:
        return vectors
    shares = adjacency(graph).astype(np.float32)
    start = np.asarray(vectors, dtype=np.float32)
    n_steps = _n_steps(weight, _LEAST_VECTOR) + 1
    return unit_rows(neumann_series(start, lambda wave: np.float32(weight) * (shares @ wave), n_steps))


def check_smoothing(weight: float) -> float:
    """Check the weight of `smooth_vectors`, in [0, 1)."""
    return checks.real("smoothing", weight, least=0, below=1)


def _n_steps(decay: float, least: float) -> int:
    """Largest n with ``decay**n > least``."""
    n_steps, left = 0, decay
    while left > least:
        n_steps, left = n_steps + 1, left * decay
    return n_steps


def _check_seeds(seeds: sparse.csr_matrix | Floats, adjacency: sparse.csr_matrix) -> None:
    """Refuse seeds that are not of shape (q, n), and what is no square matrix."""
    for name, value in (("seeds", seeds), ("adjacency", adjacency)):
        if not (sparse.issparse(value) or isinstance(value, np.ndarray)):
            raise InvalidInputError(f"expected {name} as a matrix, got {checks.shown(value)}")
    if adjacency.ndim != 2 or adjacency.shape[0] != adjacency.shape[1]:
        raise InvalidInputError(f"expected adjacency as a square matrix, got shape {adjacency.shape}")
    if seeds.ndim != 2 or seeds.shape[1] != adjacency.shape[0]:
        raise InvalidInputError(f"expected seeds of shape (q, {adjacency.shape[0]}), got {seeds.shape}")
