"""How well vectors order held-out texts: the measure by which a tuned encoder is kept or dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.errors import TooLittleError
from zeroshot_core.training.examples import Examples

if TYPE_CHECKING:
    import numpy.typing as npt

    from zeroshot_core.types import Floats, Ints, Vectors

__all__ = [
    "mean_average_precision",
    "neighbour_r2",
    "part_scores",
    "probe",
    "split_examples",
    "split_groups",
    "spread",
]

_HELD_OUT = 5
_UNSEEN_LABELS = 0.1
_FEWEST_EXAMPLES = 8
_N_NEIGHBOURS = 10


def split_examples(examples: Examples, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Choose the texts to hold out, shape (n,): a fifth, and with ten or more labels a tenth of the labels.

    Each label, or each level of the targets, gives a fifth of its examples, as far as that can be; label
    texts are never held out.

    Raises
    ------
    TooLittleError
        If there are fewer than 8 distinct examples.
    """
    n = examples.n_examples
    if n < _FEWEST_EXAMPLES:
        raise TooLittleError(
            f"expected at least {_FEWEST_EXAMPLES} distinct texts, a fifth of which is held out, got {n}"
        )
    order = rng.permutation(n)
    levels = examples.values.reshape(len(examples.texts), -1).mean(axis=1)
    order = order[np.argsort(levels[order], kind="stable")]
    held_out = np.zeros(len(examples.texts), dtype=bool)
    held_out[order[rng.integers(_HELD_OUT) :: _HELD_OUT]] = True
    if examples.is_labelled:
        labels = rng.permutation(np.unique(examples.values))
        unseen = labels[: int(_UNSEEN_LABELS * len(labels))]
        held_out[:n] |= np.isin(examples.values[:n], unseen)
    return held_out


def split_groups(
    examples: Examples, groups: Sequence[Hashable], rng: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Hold out a fifth of the groups as a whole, at least one, but none with most of the texts; shape (n,).

    Parameters
    ----------
    groups
        Of each distinct text, shape (n_examples,).

    Raises
    ------
    TooLittleError
        If there is one group only.
    """
    sizes = Counter(groups)
    names = [name for name, size in sizes.items() if 2 * size <= len(groups)]
    if len(sizes) < 2:
        raise TooLittleError(f"expected at least 2 groups, one of which is held out, got {list(sizes)}")
    chosen = {names[place] for place in rng.permutation(len(names))[: max(1, len(sizes) // _HELD_OUT)]}
    held_out = np.zeros(len(examples.texts), dtype=bool)
    held_out[: examples.n_examples] = [group in chosen for group in groups]
    return held_out


def probe(vectors: Vectors, examples: Examples, held_out: npt.NDArray[np.bool_]) -> float:
    """Score vectors of all texts, shape (n, d), by what they say of the held-out ones; higher is better.

    Where some labels are held out as a whole, they count as much as those that are not.
    """
    seen, unseen = part_scores(vectors, examples, held_out)
    return float(np.mean([score for score in (seen, unseen) if score is not None]))


def part_scores(
    vectors: Vectors, examples: Examples, held_out: npt.NDArray[np.bool_]
) -> tuple[float | None, float | None]:
    """Score held-out texts of labels learned from, and of those that are not; None without any."""
    if not examples.is_labelled:
        return neighbour_r2(vectors, examples.values.astype(np.float64), held_out), None
    codes = examples.values.astype(np.int64)
    learned = ~held_out
    learned[examples.n_examples :] = False
    is_seen = np.isin(codes, codes[learned])
    seen, unseen = (
        mean_average_precision(vectors, codes, held_out & part) if (held_out & part).any() else None
        for part in (is_seen, ~is_seen)
    )
    return seen, unseen


def spread(vectors: Vectors) -> float:
    """One minus the mean cosine of two different texts; near 0 where all vectors are the same."""
    n = len(vectors)
    total = vectors.sum(axis=0, dtype=np.float64)
    return float(1.0 - (total @ total - n) / (n * max(1, n - 1)))


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
    """Share of the error of the mean target of all that the mean of the ten nearest other texts takes away.

    It is 0 where the mean of all makes no error.

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
    plain = float(np.square(targets[queries] - known.mean(axis=0)).sum())
    return float(1.0 - np.square(errors).sum() / plain) if plain > 0.0 else 0.0
