"""Learning what is usual: known texts are held out, alone and with their labels, and must be told apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.estimators.calibration_split import FEWEST_UNREAD
from zeroshot_core.estimators.stacking import hold_out_labels
from zeroshot_core.novelty.known_labels import KINDS, fit_known_labels
from zeroshot_core.novelty.scores import FEWEST_TEXTS, N_NEIGHBOURS, Novelty
from zeroshot_core.retrieval import fold_neighbours

if TYPE_CHECKING:
    import numpy.typing as npt

    from zeroshot_core.types import Floats, Ints, Vectors

    Mask = npt.NDArray[np.bool_]

__all__ = ["cluster_codes", "fit_novelty", "held_out_scores"]

_N_FOLDS = 5
# Held-out texts that are asked; more change neither weights nor thresholds.
_MOST_ASKED = 2000
# Shares of labels that are held out: nobody says how much will be new.
_SHARES_OF_LABELS = (0.25, 0.5, 0.75)
_RATES = np.linspace(0.01, 0.3, 30)
_UNLEARNED_RATE, _TOLERANCE = 0.05, 0.01
_RIDGE = 1e-3


@dataclass(frozen=True, kw_only=True)
class _Answers:
    """Evidence on held-out texts (n, 4), their labels, those the classifier gave, and what was new."""

    evidence: Floats
    codes: Ints
    given: Ints
    is_new: Mask


def fit_novelty(
    vectors: Vectors, codes: Ints | None = None, *, unread: Mask | None = None, random_state: int = 0
) -> Novelty:
    """Learn what is usual from known texts, with labels or without.

    Parameters
    ----------
    vectors
        Shape (n, d), unit rows.
    codes
        Numbers of the labels, shape (n,). None, or fewer than two labels with two texts, makes about
        ``sqrt(n)`` clusters, which stand in for labels.
    unread
        Texts that the encoder was not tuned on, shape (n,). At least 100 of them alone say what is usual:
        those it was tuned on lie nearer to their labels than new texts of these will. None for all.

    Raises
    ------
    InvalidInputError
        If there are fewer than 10 texts.
    """
    if len(vectors) < FEWEST_TEXTS:
        raise InvalidInputError(
            f"expected at least {FEWEST_TEXTS} texts to learn what is usual from, got {len(vectors)}; "
            "give more"
        )
    if codes is None or (np.unique(codes, return_counts=True)[1] > 1).sum() < 2:
        codes = cluster_codes(vectors, random_state=random_state)
    if unread is None or unread.sum() < FEWEST_UNREAD:
        unread = np.ones(len(codes), dtype=np.bool_)
    rng = np.random.default_rng(random_state)
    usual = _joined(_asked(vectors, codes, _folds(unread, random_state), rng, _MOST_ASKED)).evidence
    centres, scales = usual.mean(axis=0), np.maximum(usual.std(axis=0), 1e-9)
    games = []
    for share in _SHARES_OF_LABELS:
        parts = hold_out_labels(codes, random_state=random_state, share_of_labels=share)
        games.append(_joined(_asked(vectors, codes, parts, rng, _MOST_ASKED // len(_SHARES_OF_LABELS))))
    everything = _joined(games)
    weights = _weights((everything.evidence - centres) / scales, everything.is_new)
    return Novelty(
        labels=fit_known_labels(vectors, codes),
        centres=centres,
        scales=scales,
        weights=weights,
        known=np.sort((usual - centres) / scales @ weights),
        best_rate=_best_rate(games, weights / scales),
    )


def held_out_scores(novelty: Novelty, vectors: Vectors, codes: Ints, *, random_state: int = 0) -> Floats:
    """Score known vectors (n, d), a fifth at a time, by what the others teach with their labels (n,)."""
    scores = np.empty(len(vectors))
    rng = np.random.default_rng(random_state)
    for training, held in _folds(np.ones(len(codes), dtype=np.bool_), random_state):
        (found,) = _asked(vectors, codes, [(training, held)], rng, len(codes))
        scores[held] = novelty.weighed(found.evidence)
    return scores


def cluster_codes(vectors: Vectors, *, random_state: int = 0) -> Ints:
    """Put vectors (n, d) into about ``sqrt(n)`` clusters, at least 2; the number of each, shape (n,)."""
    from sklearn.cluster import KMeans

    n_clusters = max(2, round(float(np.sqrt(len(vectors)))))
    clusters = KMeans(n_clusters, n_init=1, max_iter=20, random_state=random_state).fit_predict(vectors)
    return np.asarray(clusters, dtype=np.int64)


def _folds(is_asked: Mask, random_state: int) -> Iterator[tuple[Mask, Mask]]:
    """Deal rows that may be asked into parts of about a fifth of all; what teaches, and what is asked."""
    asked = np.flatnonzero(is_asked)
    n_folds = max(1, round(_N_FOLDS * len(asked) / len(is_asked)))
    folds = np.full(len(is_asked), -1)
    folds[asked] = np.random.default_rng(random_state).permutation(len(asked)) % n_folds
    return ((folds != fold, folds == fold) for fold in range(n_folds))


def _asked(
    vectors: Vectors, codes: Ints, parts: Iterable[tuple[Mask, Mask]], rng: np.random.Generator, most: int
) -> Iterator[_Answers]:
    """Ask held-out texts, until there are enough."""
    n_asked = 0
    for training, held in parts:
        if n_asked >= most:
            return
        rows = np.sort(rng.permutation(np.flatnonzero(held))[: most - n_asked])
        n_asked += len(rows)
        top_k = min(N_NEIGHBOURS, int(training.sum()))
        _, similarities = fold_neighbours(vectors, (~training).astype(np.int64), top_k, queries=rows)
        known = fit_known_labels(vectors[training], codes[training])
        names = np.unique(codes[training])
        yield _Answers(
            evidence=known.evidence(vectors[rows], similarities),
            codes=codes[rows],
            given=names[known.scores(vectors[rows]).argmax(axis=1)],
            is_new=~np.isin(codes[rows], names),
        )


def _joined(answers: Iterable[_Answers]) -> _Answers:
    parts = list(answers)
    return _Answers(
        **{
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in ("evidence", "codes", "given", "is_new")
        }
    )


def _weights(evidence: Floats, is_new: Mask) -> Floats:
    """Weights, none below 0 and 1 in sum, of a logistic regression that counts both kinds alike."""
    from scipy.optimize import minimize
    from scipy.special import expit

    even = np.full(len(KINDS), 1.0 / len(KINDS))
    if is_new.all() or not is_new.any():
        return even
    shares = np.where(is_new, 0.5 / is_new.mean(), 0.5 / (~is_new).mean()) / len(is_new)
    design, signs = np.column_stack([evidence, np.ones(len(evidence))]), np.where(is_new, 1.0, -1.0)

    def loss(beta: Floats) -> tuple[float, Floats]:
        margins = signs * (design @ beta)
        slope = -(shares * signs * expit(-margins)) @ design
        return float(shares @ np.logaddexp(0.0, -margins) + _RIDGE * beta @ beta), slope + 2 * _RIDGE * beta

    bounds = [(0.0, None)] * len(KINDS) + [(None, None)]
    found = minimize(loss, np.zeros(len(KINDS) + 1), jac=True, method="L-BFGS-B", bounds=bounds).x[:-1]
    return np.asarray(found / found.sum()) if found.sum() > 0 else even


def _best_rate(games: Iterable[_Answers], weights: Floats) -> float:
    """Find the share of known texts to call new at which most answers are right.

    Right is the mean of accuracy and macro-F1, "new" being one more label. Of rates that do about as well the
    highest is taken: there are fewer labels to hold out than there are in the world, and so fewer that are
    hard to tell.
    """
    curves = [
        [_quality(game, scores > np.quantile(scores[~game.is_new], 1 - rate)) for rate in _RATES]
        for game, scores in ((game, game.evidence @ weights) for game in games)
        if game.is_new.any() and not game.is_new.all()
    ]
    if not curves:
        return _UNLEARNED_RATE
    qualities = np.mean(curves, axis=0)
    return float(_RATES[np.flatnonzero(qualities >= qualities.max() - _TOLERANCE)[-1]])


def _quality(answers: _Answers, is_called_new: Mask) -> float:
    truths = np.where(answers.is_new, -1, answers.codes)
    given = np.where(is_called_new, -1, answers.given)
    return (float((given == truths).mean()) + _macro_f1(given, truths)) / 2


def _macro_f1(given: Ints, truths: Ints) -> float:
    """Mean over the true labels of the harmonic mean of precision and recall."""
    names = np.unique(truths)
    right = np.bincount(np.searchsorted(names, truths[given == truths]), minlength=len(names))
    n_true = np.bincount(np.searchsorted(names, truths), minlength=len(names))
    n_given = np.bincount(np.searchsorted(names, given[np.isin(given, names)]), minlength=len(names))
    return float((2 * right / (n_true + n_given)).mean())
