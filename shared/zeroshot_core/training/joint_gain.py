"""What a round gains on held-out texts, those of unseen labels included, with its interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from zeroshot_core.training.examples import Examples
    from zeroshot_core.types import Floats, Ints, Vectors

__all__ = ["Gain", "held_out_scores", "paired_gain", "unseen_labels"]

_N_NEIGHBOURS = 10
_N_RESAMPLES = 1000
_COVERAGE = 0.95


@dataclass(frozen=True, kw_only=True)
class Gain:
    """Difference of two encoders on the held-out texts.

    Parameters
    ----------
    mean
        Of the differences; where some labels are unseen, the mean of the seen part's and the unseen part's,
        so that both count alike.
    interval
        Of the mean, with coverage 0.95: paired bootstrap over the texts of each part.
    unseen
        Of the unseen labels alone; None where there are none.
    """

    mean: float
    interval: tuple[float, float]
    unseen: float | None


def unseen_labels(examples: Examples, held_out: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Which texts have a label that is held out as a whole, shape (n,)."""
    if not examples.is_labelled:
        return np.zeros(len(held_out), dtype=bool)
    return ~np.isin(examples.values, examples.values[~held_out])


def held_out_scores(vectors: Vectors, examples: Examples, held_out: npt.NDArray[np.bool_]) -> Floats:
    """Score each held-out text by how the other texts are ordered around it, shape (n_held_out,).

    With labels it is the average precision of its label among all other texts (nan where no other has it);
    with targets, minus the squared error of the mean target of its ten nearest texts in the rest, over the
    variance of the held-out targets.

    Parameters
    ----------
    vectors
        Shape (n, d), unit rows, one for each text.
    held_out
        Shape (n,).
    """
    if examples.is_labelled:
        return _average_precisions(vectors, examples.values.astype(np.int64), held_out)
    return _neighbour_scores(vectors, examples.values.astype(np.float64), held_out)


def paired_gain(
    before: Floats, after: Floats, is_unseen: npt.NDArray[np.bool_], rng: np.random.Generator
) -> Gain:
    """Compare the scores of the same texts, each of shape (n,)."""
    differences = after - before
    parts = [differences[part & ~np.isnan(differences)] for part in (~is_unseen, is_unseen)]
    filled = [part for part in parts if len(part)]
    means = np.mean([_resampled_means(part, rng) for part in filled], axis=0) if filled else np.zeros(1)
    low, high = np.quantile(means, [(1 - _COVERAGE) / 2, (1 + _COVERAGE) / 2]).tolist()
    return Gain(
        mean=float(np.mean([part.mean() for part in filled])) if filled else 0.0,
        interval=(low, high),
        unseen=float(parts[1].mean()) if len(parts[1]) else None,
    )


def _resampled_means(values: Floats, rng: np.random.Generator) -> Floats:
    picked = rng.integers(0, len(values), (_N_RESAMPLES, len(values)))
    return np.asarray(values[picked].mean(axis=1))


def _average_precisions(vectors: Vectors, labels: Ints, queries: npt.NDArray[np.bool_]) -> Floats:
    rows = np.flatnonzero(queries)
    similarities = vectors[rows] @ vectors.T
    similarities[np.arange(len(rows)), rows] = -np.inf
    order = np.argsort(-similarities, axis=1, kind="stable")[:, :-1]
    hits = labels[order] == labels[rows][:, None]
    precision = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
    counts = hits.sum(axis=1)
    return np.where(counts > 0, (precision * hits).sum(axis=1) / np.maximum(counts, 1), np.nan)


def _neighbour_scores(vectors: Vectors, targets: Floats, queries: npt.NDArray[np.bool_]) -> Floats:
    known = targets[~queries]
    n_near = min(_N_NEIGHBOURS, len(known))
    near = np.argsort(-(vectors[queries] @ vectors[~queries].T), axis=1, kind="stable")[:, :n_near]
    errors = np.square(targets[queries] - known[near].mean(axis=1)).mean(axis=1)
    spread = float(targets[queries].var(axis=0).mean())
    return np.asarray(-errors / max(spread, float(np.finfo(np.float64).tiny)))
