"""How well vectors order held-out texts: the measure by which a tuned encoder is kept or dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.training.examples import Examples

if TYPE_CHECKING:
    import numpy.typing as npt

    from zeroshot_core.types import Floats, Ints, Vectors

__all__ = ["mean_average_precision", "neighbour_r2", "probe", "split_examples"]

_HELD_OUT = 0.2
_UNSEEN_LABELS = 0.1
_FEWEST_HELD_OUT = 2
_N_NEIGHBOURS = 10


def split_examples(examples: Examples, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Choose the texts to hold out, shape (n,): a fifth, and with ten or more labels a tenth of the labels.

    Raises
    ------
    InvalidInputError
        If fewer than two texts would be held out.
    """
    n = len(examples.texts)
    held_out = rng.random(n).argsort().argsort() < round(_HELD_OUT * n)
    if examples.is_labelled:
        labels = rng.permutation(np.unique(examples.values))
        held_out |= np.isin(examples.values, labels[: int(_UNSEEN_LABELS * len(labels))])
    if held_out.sum() < _FEWEST_HELD_OUT:
        raise InvalidInputError(f"expected at least 8 distinct texts, a fifth of which is held out, got {n}")
    return held_out


def probe(vectors: Vectors, examples: Examples, held_out: npt.NDArray[np.bool_]) -> float:
    """Score vectors of all texts, shape (n, d), by what they say of the held-out ones; higher is better."""
    if examples.is_labelled:
        return mean_average_precision(vectors, examples.values.astype(np.int64), held_out)
    return neighbour_r2(vectors, examples.values.astype(np.float64), held_out)


def mean_average_precision(vectors: Vectors, labels: Ints, queries: npt.NDArray[np.bool_]) -> float:
    """Mean over the queries of the average precision of their label when all other texts are ranked.

    Parameters
    ----------
    vectors
        Shape (n, d), unit rows.
    labels
        Shape (n,).
    queries
        Shape (n,). Those without another text of their label are passed over; 0 if none is left.
    """
    rows = np.flatnonzero(queries)
    similarities = vectors[rows] @ vectors.T
    similarities[np.arange(len(rows)), rows] = -np.inf
    order = np.argsort(-similarities, axis=1, kind="stable")[:, :-1]
    hits = labels[order] == labels[rows][:, None]
    counts = hits.sum(axis=1)
    precision = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
    found = counts > 0
    if not found.any():
        return 0.0
    return float(((precision * hits).sum(axis=1)[found] / counts[found]).mean())


def neighbour_r2(vectors: Vectors, targets: Floats, queries: npt.NDArray[np.bool_]) -> float:
    """Share of the queries' variance explained by the mean target of the ten nearest other texts.

    Parameters
    ----------
    vectors
        Shape (n, d), unit rows.
    targets
        Shape (n, horizon).
    queries
        Shape (n,); neighbours are sought among the rest.
    """
    known = targets[~queries]
    n_near = min(_N_NEIGHBOURS, len(known))
    near = np.argsort(-(vectors[queries] @ vectors[~queries].T), axis=1, kind="stable")[:, :n_near]
    errors = targets[queries] - known[near].mean(axis=1)
    spread = targets[queries] - targets[queries].mean(axis=0)
    return float(1.0 - np.square(errors).sum() / max(np.square(spread).sum(), np.finfo(np.float64).tiny))
