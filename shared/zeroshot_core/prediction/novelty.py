"""How new a text is: far from its nearest neighbours, from every label, and from all labels together.

Three kinds of evidence are weighed: the mean distance to the nearest known texts [1]_, the relative
Mahalanobis distance to the labels [2]_, and the energy of the similarities to the labels' means [3]_. The
weights are those that best tell texts of held-out labels from texts of the labels left. Without labels,
clusters stand in for them.

References
----------
.. [1] Sun et al., "Out-of-Distribution Detection with Deep Nearest Neighbors", ICML 2022.
.. [2] Ren et al., "A Simple Fix to Mahalanobis Distance for Improving Near-OOD Detection", 2021.
.. [3] Liu et al., "Energy-based Out-of-distribution Detection", NeurIPS 2020.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.prediction.calibration import conformal_quantile
from zeroshot_core.prediction.class_gaussians import ClassGaussians, fit_class_gaussians
from zeroshot_core.prediction.stacking import hold_out_labels
from zeroshot_core.retrieval import fold_neighbours

if TYPE_CHECKING:
    import numpy.typing as npt

    from zeroshot_core.index import OpenVersion
    from zeroshot_core.types import Floats, Ints, Vectors

    Mask = npt.NDArray[np.bool_]

__all__ = [
    "N_NEIGHBOURS",
    "Novelty",
    "check_false_alarm_rate",
    "energy",
    "fit_novelty",
    "nearest_similarities",
    "novelty_evidence",
]

N_NEIGHBOURS = 5
_TEMPERATURE = 0.1
_N_FOLDS = 5
_FEWEST_TEXTS = 10
# Held-out texts of a fold that are asked; more change neither weights nor thresholds.
_MOST_ASKED = 1000
_RIDGE = 1e-3


@dataclass(frozen=True, kw_only=True)
class Novelty:
    """What is usual, and how far from it something is.

    Parameters
    ----------
    gaussians
        Of the labels or clusters.
    centres, scales, weights
        Shape (3,): mean and deviation of each kind of evidence over known texts, and what it counts for.
    known
        Scores of known texts that were held out, shape (n,), rising.
    """

    gaussians: ClassGaussians
    centres: Floats
    scales: Floats
    weights: Floats
    known: Floats

    def score(self, vectors: Vectors, similarities: Floats | Vectors) -> Floats:
        """Score vectors (q, d) by `similarities` (q, k) to their nearest known ones, shape (q,).

        The higher, the newer; 0 is usual, and 1 about a standard deviation above it.
        """
        evidence = novelty_evidence(self.gaussians, vectors, similarities)
        return np.asarray((evidence - self.centres) / self.scales @ self.weights)

    def threshold(self, false_alarm_rate: float) -> float:
        """Score above which at most this share of known texts lies.

        Raises
        ------
        InvalidInputError
            If the rate is not above 0 and below 1.
        """
        check_false_alarm_rate(false_alarm_rate)
        return float(conformal_quantile(self.known[:, None], 1 - false_alarm_rate)[0])


def check_false_alarm_rate(rate: Any) -> None:
    """Refuse what is no share of known texts.

    Raises
    ------
    InvalidInputError
        If it is not a number above 0 and below 1.
    """
    if isinstance(rate, bool) or not isinstance(rate, int | float | np.floating) or not 0 < rate < 1:
        raise InvalidInputError(
            f"expected a false_alarm_rate above 0 and below 1, got {rate!r}; "
            "it is the share of known texts that may be called new, such as 0.05"
        )


def fit_novelty(vectors: Vectors, codes: Ints | None = None, *, random_state: int = 0) -> Novelty:
    """Learn what is usual from known texts, with labels or without.

    Parameters
    ----------
    vectors
        Shape (n, d), unit rows.
    codes
        Numbers of the labels, shape (n,). None, or fewer than two labels with two texts, makes about
        ``sqrt(n)`` clusters.

    Raises
    ------
    InvalidInputError
        If there are fewer than 10 texts.
    """
    if len(vectors) < _FEWEST_TEXTS:
        raise InvalidInputError(
            f"expected at least {_FEWEST_TEXTS} texts to learn what is usual from, got {len(vectors)}; "
            "give more"
        )
    if codes is None or (np.unique(codes, return_counts=True)[1] > 1).sum() < 2:
        codes = _clusters(vectors, random_state)
    rng = np.random.default_rng(random_state)
    folds = rng.permutation(len(codes)) % _N_FOLDS
    plain = ((folds != fold, folds == fold) for fold in range(_N_FOLDS))
    evidence, is_new = _held_out(vectors, codes, plain, rng)
    usual = evidence[~is_new]
    centres, scales = usual.mean(axis=0), np.maximum(usual.std(axis=0), 1e-9)
    harder, is_new = _held_out(vectors, codes, hold_out_labels(codes, random_state=random_state), rng)
    weights = _weights((harder - centres) / scales, is_new)
    return Novelty(
        gaussians=fit_class_gaussians(vectors, codes),
        centres=centres,
        scales=scales,
        weights=weights,
        known=np.sort((usual - centres) / scales @ weights),
    )


def novelty_evidence(gaussians: ClassGaussians, vectors: Vectors, similarities: Floats | Vectors) -> Floats:
    """Mean neighbour distance, relative Mahalanobis distance and energy, shape (q, 3)."""
    means = gaussians.means + gaussians.centre
    units = means / np.linalg.norm(means, axis=1, keepdims=True)
    return np.column_stack(
        [
            1.0 - similarities.mean(axis=1),
            gaussians.relative_distance(vectors),
            energy(vectors @ units.T, _TEMPERATURE),
        ]
    )


def energy(scores: Floats, temperature: float) -> Floats:
    """``-T log sum exp(s / T)`` over the labels of scores (q, m), shape (q,); the higher, the newer."""
    from scipy.special import logsumexp

    return np.asarray(-temperature * logsumexp(scores / temperature, axis=1))


def nearest_similarities(version: OpenVersion, vectors: Vectors, top_k: int = N_NEIGHBOURS) -> Floats:
    """Search Milvus for the cosines of vectors (q, d) with their nearest items, shape (q, top_k) at most."""
    scores = version.search_items(vectors, min(top_k, version.count())).scores
    return np.array([np.asarray(row, dtype=np.float64) for row in scores])


def _held_out(
    vectors: Vectors, codes: Ints, parts: Iterable[tuple[Mask, Mask]], rng: np.random.Generator
) -> tuple[Floats, Mask]:
    """Evidence on held-out texts (n, 3), and whether their labels were held out with them."""
    return tuple(map(np.concatenate, zip(*_asked(vectors, codes, parts, rng), strict=True)))  # type: ignore[return-value]


def _asked(
    vectors: Vectors, codes: Ints, parts: Iterable[tuple[Mask, Mask]], rng: np.random.Generator
) -> Iterator[tuple[Floats, Mask]]:
    for training, held in parts:
        rows = np.sort(rng.permutation(np.flatnonzero(held))[:_MOST_ASKED])
        top_k = min(N_NEIGHBOURS, int(training.sum()))
        _, similarities = fold_neighbours(vectors, (~training).astype(np.int64), top_k, queries=rows)
        gaussians = fit_class_gaussians(vectors[training], codes[training])
        yield (
            novelty_evidence(gaussians, vectors[rows], similarities),
            ~np.isin(codes[rows], codes[training]),
        )


def _weights(evidence: Floats, is_new: Mask) -> Floats:
    """Weights, none below 0 and 1 in sum, of a logistic regression that counts both kinds alike."""
    from scipy.optimize import minimize
    from scipy.special import expit

    n_kinds = evidence.shape[1]
    if is_new.all() or not is_new.any():
        return np.full(n_kinds, 1.0 / n_kinds)
    shares = np.where(is_new, 0.5 / is_new.mean(), 0.5 / (~is_new).mean()) / len(is_new)
    design, signs = np.column_stack([evidence, np.ones(len(evidence))]), np.where(is_new, 1.0, -1.0)

    def loss(beta: Floats) -> tuple[float, Floats]:
        margins = signs * (design @ beta)
        slope = -(shares * signs * expit(-margins)) @ design
        return float(shares @ np.logaddexp(0.0, -margins) + _RIDGE * beta @ beta), slope + 2 * _RIDGE * beta

    bounds = [(0.0, None)] * n_kinds + [(None, None)]
    found = minimize(loss, np.zeros(n_kinds + 1), jac=True, method="L-BFGS-B", bounds=bounds).x[:n_kinds]
    return np.asarray(found / found.sum()) if found.sum() > 0 else np.full(n_kinds, 1.0 / n_kinds)


def _clusters(vectors: Vectors, random_state: int) -> Ints:
    """Give the number of each text's cluster, shape (n,)."""
    from sklearn.cluster import KMeans

    n_clusters = max(2, round(float(np.sqrt(len(vectors)))))
    clusters = KMeans(n_clusters, n_init=1, max_iter=20, random_state=random_state).fit_predict(vectors)
    return np.asarray(clusters, dtype=np.int64)
