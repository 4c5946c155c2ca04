"""Personalised PageRank: activation that spreads without a limit of hops, until it settles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph.propagation import check_seeds

if TYPE_CHECKING:
    from zeroshot_core.types import Floats

__all__ = ["personalized_pagerank"]

# What is left of a query's activation when the walk is cut off.
_TOLERANCE = 1e-6
_BLOCK_VALUES = 4_000_000


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
        Probability of going back, in (0, 1]; 1 gives the seeds back, as shares.

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
    if isinstance(alpha, bool) or not isinstance(alpha, int | float | np.floating) or not 0 < alpha <= 1:
        raise InvalidInputError(f"expected alpha above 0 and at most 1, got {alpha!r}")
    check_seeds(seeds, adjacency)
    starts = sparse.csr_matrix(seeds, dtype=np.float64)
    back = adjacency.T.tocsr()
    step = max(1, _BLOCK_VALUES // max(1, adjacency.shape[0]))
    blocks = [
        _settled(back, starts[start : start + step].toarray().T, float(alpha))
        for start in range(0, starts.shape[0], step)
    ]
    return sparse.vstack(blocks, format="csr") if blocks else starts


def _settled(back: sparse.csr_matrix, seeds: Floats, alpha: float) -> sparse.csr_matrix:
    """Shares of the walkers of each column of `seeds`, shape (n, q), as rows."""
    totals = seeds.sum(axis=0)
    wave = seeds / np.where(totals > 0, totals, 1.0)
    settled, left = alpha * wave, 1.0 - alpha
    while left > _TOLERANCE:
        wave = back @ wave
        settled += alpha * left * wave
        left *= 1.0 - alpha
    # Walkers who left the graph begin again, so what they would do is what the others do.
    kept = settled.sum(axis=0)
    shares = settled / np.where(kept > 0, kept, 1.0)
    shares[shares < _TOLERANCE] = 0.0
    return sparse.csr_matrix(shares.T)
