"""Texts without labels assigned to labels softly: prototypes move to the texts that seem theirs.

Why not a library of optimal transport, such as POT: three scalings of rows and columns are all of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from zeroshot_core.types import Floats, Vectors

__all__ = ["TEMPERATURE", "assigned", "unit_rows"]

TEMPERATURE = 0.03
_N_ROUNDS = 15
_N_BALANCINGS = 3


def assigned(
    rows: Floats,
    anchors: Floats,
    *,
    temperature: float = TEMPERATURE,
    anchor_weight: float = 0.0,
    fixed: tuple[npt.NDArray[np.bool_], Floats] | None = None,
    leaning: Floats | None = None,
) -> Floats:
    """Say how much of each label is in each text, shape (n, c); rows sum to 1.

    In 15 rounds texts are assigned, each label as much as any other, by entropic optimal transport with even
    marginals [1]_, and prototypes move to the mean of their texts.

    Parameters
    ----------
    rows, anchors
        Of texts and labels, shapes (n, d) and (c, d), centred unit rows; prototypes begin at the latter.
    temperature
        Of the similarities.
    anchor_weight
        Of a label's own vector in its prototype, counted in texts.
    fixed
        Which texts have labels, shape (n,), and their shares, shape (n, c).
    leaning
        Logarithms of what else speaks for each label in each text, shape (n, c).

    References
    ----------
    .. [1] Cuturi, "Sinkhorn Distances: Lightspeed Computation of Optimal Transport", NeurIPS 2013.
    """
    prototypes, shares = anchors, np.zeros((len(rows), len(anchors)))
    for _ in range(_N_ROUNDS):
        logits = rows @ prototypes.T / temperature
        shares = _balanced(logits if leaning is None else logits + leaning)
        if fixed is not None:
            shares[fixed[0]] = fixed[1][fixed[0]]
        prototypes = unit_rows(shares.T @ rows + anchor_weight * anchors)
    return shares


def unit_rows(rows: Floats | Vectors) -> Floats:
    """Divide rows by their lengths, in double precision; rows of zeros stay."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, 1e-12), dtype=np.float64)


def _balanced(logits: Floats) -> Floats:
    """Scale columns to even sums and rows to 1 in turn."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    for _ in range(_N_BALANCINGS):
        powers = powers / np.maximum(powers.sum(axis=0), 1e-12)
        powers = powers / powers.sum(axis=1, keepdims=True)
    return np.asarray(powers)
