"""The guard: what was trained is compared with the base on held-out texts, and kept only where they gain.

Why not the evaluators of sentence-transformers, or `load_best_model_at_end`: they choose an epoch, but never
the base; none holds labels out as a whole, or gives an interval of the gain text by text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.errors import TooLittleError
from zeroshot_core.statistics import percentile_interval, resampled_means

if TYPE_CHECKING:
    import numpy.typing as npt

    from zeroshot_core.training.examples import Examples
    from zeroshot_core.types import Floats, Ints, Vectors

    Mask = npt.NDArray[np.bool_]

__all__ = [
    "Gain",
    "Guard",
    "average_precisions",
    "hold_out",
    "neighbour_errors",
    "paired_gain",
    "spread",
    "unseen_labels",
]

# One in so many texts, or groups of texts, is held out.
_HELD_OUT = 5
_UNSEEN_LABELS = 0.1
_FEWEST_EXAMPLES = 8
# Texts that are compared, at most.
_MOST_PROBED = 5000
_N_NEIGHBOURS = 10
_N_RESAMPLES = 1000
# Vectors have collapsed if their spread falls below this share of the base's.
_COLLAPSED = 0.1


def hold_out(
    examples: Examples, rng: np.random.Generator, groups: Sequence[Hashable] | None = None
) -> npt.NDArray[np.bool_]:
    """Choose the texts to hold out, shape (n,): a fifth, and with ten or more labels a tenth of the labels.

    Each label, or each level of the targets, gives a fifth of its examples, as far as that can be; label
    texts are never held out. With groups it is a fifth of them, each as a whole, at least one, but none with
    most of the texts.

    Parameters
    ----------
    groups
        Of each example, shape (n_examples,).

    Raises
    ------
    TooLittleError
        If there are fewer than 8 examples, or one group only.
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
        held_out[:n] |= np.isin(examples.values[:n], labels[: int(_UNSEEN_LABELS * len(labels))])
    if groups is not None:
        held_out[:n] = _in_held_out_groups(groups, rng)
    return held_out


def _in_held_out_groups(groups: Sequence[Hashable], rng: np.random.Generator) -> Mask:
    sizes = Counter(groups)
    names = [name for name, size in sizes.items() if 2 * size <= len(groups)]
    if len(sizes) < 2:
        raise TooLittleError(f"expected at least 2 groups, one of which is held out, got {list(sizes)}")
    chosen = {names[place] for place in rng.permutation(len(names))[: max(1, len(sizes) // _HELD_OUT)]}
    return np.array([group in chosen for group in groups], dtype=bool)


def unseen_labels(examples: Examples, held_out: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Which texts have a label that no example has which isn't held out, shape (n,)."""
    if not examples.is_labelled:
        return np.zeros(len(held_out), dtype=bool)
    n = examples.n_examples
    return ~np.isin(examples.values, examples.values[:n][~held_out[:n]])


@dataclass(frozen=True, kw_only=True)
class Gain:
    """Difference of two sets of vectors on the held-out texts.

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


class Guard:
    """Compares vectors of the examples and label texts, or of a sample of 5,000 examples where they are many.

    Parameters
    ----------
    held_out
        Of the examples and label texts, shape (n,), as `hold_out` chooses them.

    Attributes
    ----------
    rows
        Of the texts that are compared, shape (m,): whatever takes vectors takes those of these rows.
    texts
        The same as texts.
    """

    def __init__(self, examples: Examples, held_out: npt.NDArray[np.bool_], rng: np.random.Generator) -> None:
        chosen = np.sort(rng.permutation(examples.n_examples)[:_MOST_PROBED])
        self.rows = np.r_[chosen, np.arange(examples.n_examples, len(examples.texts))]
        self._examples = replace(examples.take(self.rows), n_label_texts=examples.n_label_texts)
        self.texts = self._examples.texts
        self._held_out = held_out[self.rows]
        self._is_unseen = unseen_labels(examples, held_out)[self.rows][self._held_out]

    def text_scores(self, vectors: Vectors) -> Floats:
        """Score each held-out text by how the other texts are ordered around it, shape (n_held_out,).

        With labels it is the average precision of its label among all other texts (nan where no other has
        it); with targets, minus the squared error of the mean target of its ten nearest texts in the rest,
        over the variance of the held-out targets.

        Parameters
        ----------
        vectors
            Shape (m, d), unit rows.
        """
        values, held_out = self._examples.values, self._held_out
        if self._examples.is_labelled:
            return average_precisions(vectors, values.astype(np.int64), held_out)
        errors = neighbour_errors(vectors, values.astype(np.float64), held_out).mean(axis=1)
        variance = float(values[held_out].var(axis=0).mean())
        return np.asarray(-errors / max(variance, float(np.finfo(np.float64).tiny)))

    def part_scores(self, vectors: Vectors) -> tuple[float | None, float | None]:
        """Score held-out texts of labels learned from, and of those that are not; None without any.

        With labels it is the mean of `text_scores`, 0 where none has one. With targets it is the share of the
        error that the mean target of the rest makes which the ten nearest take away, 0 where it makes none.
        """
        if not self._examples.is_labelled:
            return self._explained(vectors), None
        scores = self.text_scores(vectors)
        parts = (scores[part] for part in (~self._is_unseen, self._is_unseen))
        seen, unseen = (_known_mean(part) if len(part) else None for part in parts)
        return seen, unseen

    def score(self, vectors: Vectors) -> float:
        """Mean of the part scores, so that seen and unseen labels count alike; higher is better."""
        return float(np.mean([score for score in self.part_scores(vectors) if score is not None]))

    def gain(self, before: Vectors, after: Vectors, rng: np.random.Generator) -> Gain:
        """Compare the held-out texts one by one."""
        return paired_gain(self.text_scores(before), self.text_scores(after), self._is_unseen, rng)

    def collapse(self, base: Vectors, after: Vectors) -> str:
        """Why vectors are of no use, or nothing."""
        if spread(after) < _COLLAPSED * spread(base):
            return (
                "base kept: vectors collapsed, their spread fell "
                f"from {spread(base):.3g} to {spread(after):.3g}"
            )
        return ""

    def verdict(self, base: Vectors, after: Vectors) -> str:
        """Why the base is kept, or nothing."""
        before, now = self.score(base), self.score(after)
        if not now > before:
            return f"base kept: held-out texts do not gain, {before:.3f} before and {now:.3f} after"
        return self.collapse(base, after)

    def _explained(self, vectors: Vectors) -> float:
        targets, held_out = self._examples.values.astype(np.float64), self._held_out
        plain = float(np.square(targets[held_out] - targets[~held_out].mean(axis=0)).sum())
        error = float(neighbour_errors(vectors, targets, held_out).sum())
        return 1.0 - error / plain if plain > 0.0 else 0.0


def paired_gain(before: Floats, after: Floats, is_unseen: Mask, rng: np.random.Generator) -> Gain:
    """Compare the scores of the same texts, each of shape (n,); nan in either leaves a text out."""
    differences = after - before
    parts = [differences[part & ~np.isnan(differences)] for part in (~is_unseen, is_unseen)]
    filled = [part for part in parts if len(part)]
    means = [resampled_means(part, _N_RESAMPLES, rng) for part in filled] or [np.zeros(1)]
    return Gain(
        mean=float(np.mean([part.mean() for part in filled])) if filled else 0.0,
        interval=percentile_interval(np.mean(means, axis=0)),
        unseen=float(parts[1].mean()) if len(parts[1]) else None,
    )


def average_precisions(vectors: Vectors, labels: Ints, queries: npt.NDArray[np.bool_]) -> Floats:
    """Average precision of each query's label when all other texts are ranked, shape (n_queries,).

    Parameters
    ----------
    vectors
        Shape (n, d), unit rows.
    labels
        Shape (n,).
    queries
        Shape (n,). One without another text of its label has nan.
    """
    rows = np.flatnonzero(queries)
    similarities = vectors[rows] @ vectors.T
    similarities[np.arange(len(rows)), rows] = -np.inf
    order = np.argsort(-similarities, axis=1, kind="stable")[:, :-1]
    hits = labels[order] == labels[rows][:, None]
    precision = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
    counts = hits.sum(axis=1)
    return np.where(counts > 0, (precision * hits).sum(axis=1) / np.maximum(counts, 1), np.nan)


def neighbour_errors(vectors: Vectors, targets: Floats, queries: npt.NDArray[np.bool_]) -> Floats:
    """Squared errors of the mean target of the ten nearest other texts, shape (n_queries, horizon).

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
    return np.asarray(np.square(targets[queries] - known[near].mean(axis=1)))


def spread(vectors: Vectors) -> float:
    """One minus the mean cosine of two different texts; near 0 where all vectors are the same."""
    n = len(vectors)
    total = vectors.sum(axis=0, dtype=np.float64)
    return float(1.0 - (total @ total - n) / (n * max(1, n - 1)))


def _known_mean(scores: Floats) -> float:
    known = scores[~np.isnan(scores)]
    return float(known.mean()) if len(known) else 0.0
