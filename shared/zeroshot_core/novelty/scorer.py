"""Novelty scores: four out-of-distribution scores weighed into one, and the rate of false alarms it keeps.

The weights are those that best tell texts of held-out classes from texts of the classes left, and the
threshold is a conformal quantile over held-out texts. Scikit-learn's outlier detectors know neither classes
nor a rate of false alarms that holds on new texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.checks import real
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.estimators.calibration import conformal_rank
from zeroshot_core.estimators.calibration_split import FEWEST_CALIBRATION_TEXTS
from zeroshot_core.estimators.stacking import hold_out_labels
from zeroshot_core.novelty.ood_scores import KINDS, OodScores, fit_ood_scores
from zeroshot_core.retrieval import fold_neighbours

if TYPE_CHECKING:
    import numpy.typing as npt

    from zeroshot_core.index import OpenVersion
    from zeroshot_core.types import Floats, Ints, Vectors

    Mask = npt.NDArray[np.bool_]

__all__ = [
    "AUTO",
    "FEWEST_TEXTS",
    "NoveltyScorer",
    "check_enough_texts",
    "check_false_alarm_rate",
    "cluster_codes",
    "cross_validated_scores",
    "fit_novelty_scorer",
    "nearest_similarities",
]

AUTO = "auto"
# To learn what is in-distribution from.
FEWEST_TEXTS = 10
_N_NEIGHBOURS = 5
_N_FOLDS = 5
# Held-out texts that are scored; more change neither weights nor thresholds.
_MOST_SCORED = 2000
# Shares of classes that are held out: nobody says how much will be new.
_SHARES_OF_CLASSES = (0.25, 0.5, 0.75)
_RATES = np.linspace(0.01, 0.3, 30)
_DEFAULT_RATE, _TOLERANCE = 0.05, 0.01
_RIDGE = 1e-3


@dataclass(frozen=True, kw_only=True)
class NoveltyScorer:
    """How far from in-distribution texts something is.

    Parameters
    ----------
    ood_scores
        Of the known classes, or of the clusters in their place.
    centres, scales, weights
        Shape (4,): mean and deviation of each kind of score over in-distribution texts, and what it counts
        for.
    reference
        Scores of in-distribution texts that were held out, shape (n,), rising.
    best_rate
        The rate of false alarms at which held-out classes were detected best.
    """

    ood_scores: OodScores
    centres: Floats
    scales: Floats
    weights: Floats
    reference: Floats
    best_rate: float

    def score(self, vectors: Vectors, similarities: Floats | Vectors) -> Floats:
        """Score vectors (q, d) by `similarities` (q, k) to their nearest known ones, shape (q,).

        The higher, the newer; 0 is the mean in-distribution text, and 1 about a standard deviation above it.
        """
        return self.weigh(self.ood_scores.measure(vectors, similarities))

    def weigh(self, measured: Floats) -> Floats:
        """Weigh scores of each kind (q, 4) into one, shape (q,)."""
        return np.asarray((measured - self.centres) / self.scales @ self.weights)

    def threshold(self, false_alarm_rate: float | str) -> float:
        """Score above which at most this share of in-distribution texts lies; ``"auto"`` is `best_rate`.

        Raises
        ------
        InvalidInputError
            If the rate is neither ``"auto"`` nor above 0 and below 1.
        """
        rate = check_false_alarm_rate(false_alarm_rate)
        share = self.best_rate if isinstance(rate, str) else rate
        return float(self.reference[conformal_rank(len(self.reference), 1 - share)])


def fit_novelty_scorer(
    vectors: Vectors, codes: Ints | None = None, *, calibration: Mask | None = None, random_state: int = 0
) -> NoveltyScorer:
    """Learn from known texts, with labels or without, what is in-distribution.

    Parameters
    ----------
    vectors
        Shape (n, d), unit rows.
    codes
        Numbers of the labels, shape (n,). None, or fewer than two labels with two texts, makes about
        ``sqrt(n)`` clusters, which stand in for labels.
    calibration
        Texts that the encoder was not tuned on, shape (n,). At least 100 of them alone set the threshold:
        those it was tuned on lie nearer to their labels than new texts of these will. None for all.

    Raises
    ------
    InvalidInputError
        If there are fewer than 10 texts.
    """
    check_enough_texts(len(vectors))
    if codes is None or (np.unique(codes, return_counts=True)[1] > 1).sum() < 2:
        codes = cluster_codes(vectors, random_state=random_state)
    if calibration is None or calibration.sum() < FEWEST_CALIBRATION_TEXTS:
        calibration = np.ones(len(codes), dtype=np.bool_)
    rng = np.random.default_rng(random_state)
    held_out = _episodes(vectors, codes, _folds(calibration, random_state), rng, _MOST_SCORED)
    known = _concatenated(held_out).measured
    centres, scales = known.mean(axis=0), np.maximum(known.std(axis=0), 1e-9)
    worlds = []
    for share in _SHARES_OF_CLASSES:
        parts = hold_out_labels(codes, random_state=random_state, share_of_labels=share)
        most = _MOST_SCORED // len(_SHARES_OF_CLASSES)
        worlds.append(_concatenated(_episodes(vectors, codes, parts, rng, most)))
    everything = _concatenated(worlds)
    weights = _weights((everything.measured - centres) / scales, everything.is_new)
    return NoveltyScorer(
        ood_scores=fit_ood_scores(vectors, codes),
        centres=centres,
        scales=scales,
        weights=weights,
        reference=np.sort((known - centres) / scales @ weights),
        best_rate=_best_rate(worlds, weights / scales),
    )


def cross_validated_scores(
    scorer: NoveltyScorer, vectors: Vectors, codes: Ints, *, random_state: int = 0
) -> Floats:
    """Score known vectors (n, d) with labels (n,), each fifth by what the other four say, shape (n,)."""
    scores = np.empty(len(vectors))
    rng = np.random.default_rng(random_state)
    for training, held in _folds(np.ones(len(codes), dtype=np.bool_), random_state):
        (found,) = _episodes(vectors, codes, [(training, held)], rng, len(codes))
        scores[held] = scorer.weigh(found.measured)
    return scores


def cluster_codes(vectors: Vectors, *, random_state: int = 0) -> Ints:
    """Put vectors (n, d) into about ``sqrt(n)`` clusters, at least 2; the number of each, shape (n,)."""
    from sklearn.cluster import KMeans

    n_clusters = max(2, round(float(np.sqrt(len(vectors)))))
    clusters = KMeans(n_clusters, n_init=1, max_iter=20, random_state=random_state).fit_predict(vectors)
    return np.asarray(clusters, dtype=np.int64)


def nearest_similarities(version: OpenVersion, vectors: Vectors, top_k: int = _N_NEIGHBOURS) -> Floats:
    """Search Milvus for the cosines of vectors (q, d) with their nearest items, shape (q, top_k) at most."""
    top_k = min(top_k, version.count())
    scores = version.search_items(vectors, top_k).scores
    return np.array(scores, dtype=np.float64) if len(scores) else np.zeros((0, top_k))


def check_false_alarm_rate(rate: object) -> float | str:
    """Check a share of in-distribution texts above 0 and below 1, or ``"auto"``."""
    if isinstance(rate, str) and rate == AUTO:
        return rate
    return real(
        "false_alarm_rate",
        rate,
        above=0,
        below=1,
        remedy="it is the share of known texts that may be called new, such as 0.05, or "
        f'"{AUTO}", which learns it from labels held out',
    )


def check_enough_texts(n_texts: int) -> None:
    """Refuse fewer texts than say what is in-distribution."""
    if n_texts < FEWEST_TEXTS:
        raise InvalidInputError(
            f"expected at least {FEWEST_TEXTS} texts to learn what is in-distribution from, got {n_texts}; "
            "give more"
        )


@dataclass(frozen=True, kw_only=True)
class _Episode:
    """Held-out texts, scored and classified by what the others teach.

    Parameters
    ----------
    measured
        Scores of each kind, shape (n, 4).
    codes, predicted
        Numbers of their labels, and of those that the classifier gave, shape (n,).
    is_new
        Whether the classifier knew no text of the label, shape (n,).
    """

    measured: Floats
    codes: Ints
    predicted: Ints
    is_new: Mask


def _episodes(
    vectors: Vectors, codes: Ints, parts: Iterable[tuple[Mask, Mask]], rng: np.random.Generator, most: int
) -> Iterator[_Episode]:
    """Learn from the first mask of each part and score texts of the second, until `most` are scored."""
    n_scored = 0
    for training, held in parts:
        if n_scored >= most:
            return
        rows = np.sort(rng.permutation(np.flatnonzero(held))[: most - n_scored])
        n_scored += len(rows)
        top_k = min(_N_NEIGHBOURS, int(training.sum()))
        _, similarities = fold_neighbours(vectors, (~training).astype(np.int64), top_k, queries=rows)
        known = fit_ood_scores(vectors[training], codes[training])
        names = np.unique(codes[training])
        yield _Episode(
            measured=known.measure(vectors[rows], similarities),
            codes=codes[rows],
            predicted=names[known.logits(vectors[rows]).argmax(axis=1)],
            is_new=~np.isin(codes[rows], names),
        )


def _concatenated(episodes: Iterable[_Episode]) -> _Episode:
    parts = list(episodes)
    return _Episode(
        measured=np.concatenate([part.measured for part in parts]),
        codes=np.concatenate([part.codes for part in parts]),
        predicted=np.concatenate([part.predicted for part in parts]),
        is_new=np.concatenate([part.is_new for part in parts]),
    )


def _folds(is_scored: Mask, random_state: int) -> Iterator[tuple[Mask, Mask]]:
    """Deal rows to be scored into folds of about a fifth of all; yields what teaches, and what is scored."""
    scored = np.flatnonzero(is_scored)
    n_folds = max(1, round(_N_FOLDS * len(scored) / len(is_scored)))
    folds = np.full(len(is_scored), -1)
    folds[scored] = np.random.default_rng(random_state).permutation(len(scored)) % n_folds
    return ((folds != fold, folds == fold) for fold in range(n_folds))


def _weights(measured: Floats, is_new: Mask) -> Floats:
    """Weights, none below 0 and 1 in sum, of a logistic regression in which new and known count alike.

    Scikit-learn's logistic regression takes no bounds.
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    even = np.full(len(KINDS), 1.0 / len(KINDS))
    if is_new.all() or not is_new.any():
        return even
    shares = np.where(is_new, 0.5 / is_new.mean(), 0.5 / (~is_new).mean()) / len(is_new)
    design, signs = np.column_stack([measured, np.ones(len(measured))]), np.where(is_new, 1.0, -1.0)

    def loss(beta: Floats) -> tuple[float, Floats]:
        margins = signs * (design @ beta)
        slope = -(shares * signs * expit(-margins)) @ design
        return float(shares @ np.logaddexp(0.0, -margins) + _RIDGE * beta @ beta), slope + 2 * _RIDGE * beta

    bounds = [(0.0, None)] * len(KINDS) + [(None, None)]
    found = minimize(loss, np.zeros(len(KINDS) + 1), jac=True, method="L-BFGS-B", bounds=bounds).x[:-1]
    return np.asarray(found / found.sum()) if found.sum() > 0 else even


def _best_rate(worlds: Iterable[_Episode], weights: Floats) -> float:
    """Find the share of known texts to call new at which most answers are right.

    Right is the mean of accuracy and macro-F1, "new" being one more label. Of rates that do about as well the
    highest is taken: there are fewer labels to hold out than there are in the world, and so fewer that are
    hard to tell.
    """
    curves = [
        [_quality(world, scores > np.quantile(scores[~world.is_new], 1 - rate)) for rate in _RATES]
        for world, scores in ((world, world.measured @ weights) for world in worlds)
        if world.is_new.any() and not world.is_new.all()
    ]
    if not curves:
        return _DEFAULT_RATE
    qualities = np.mean(curves, axis=0)
    return float(_RATES[np.flatnonzero(qualities >= qualities.max() - _TOLERANCE)[-1]])


def _quality(world: _Episode, is_called_new: Mask) -> float:
    from sklearn.metrics import f1_score

    truths = np.where(world.is_new, -1, world.codes)
    predicted = np.where(is_called_new, -1, world.predicted)
    macro_f1 = f1_score(truths, predicted, average="macro", labels=np.unique(truths), zero_division=0)
    return (float((predicted == truths).mean()) + float(macro_f1)) / 2
