"""How well texts that no known label fits are detected, and what is left of accuracy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.estimators.calibration_split import calibration_split
from zeroshot_core.estimators.indexing import ModelIndex
from zeroshot_core.novelty.ood_scores import KINDS
from zeroshot_core.novelty.scorer import check_false_alarm_rate, fit_novelty_scorer, nearest_similarities
from zeroshot_core.statistics import percentile_interval
from zeroshot_core.training import TrainingPlan, tune_encoder, tune_head
from zeroshot_core.types import Item

if TYPE_CHECKING:
    from zeroshot_core.datasets import LabelledTexts
    from zeroshot_core.encoders import Encoder, TransformerEncoder
    from zeroshot_core.training import TuningReport
    from zeroshot_core.types import Floats, Ints, Vectors

__all__ = [
    "NEW",
    "Detection",
    "NoveltyReport",
    "NoveltySplit",
    "OpenSetScores",
    "detection",
    "evaluate_novelty",
    "false_positive_rate",
    "open_set_scores",
    "split_novelty",
    "tuned_on_known",
]

# Code of a text that none of the known labels fits.
NEW = -1
_DEFAULT_SHARE = 0.5
_TRAINED_LAYERS = 3
# Training texts for the encoder: of a label, and in all.
_MOST_PER_LABEL, _MOST_TEXTS = 40, 4000
_N_RESAMPLES = 200


@dataclass(frozen=True, kw_only=True)
class NoveltySplit:
    """Known texts to learn from, and test texts.

    Parameters
    ----------
    labels
        Known labels, sorted.
    rows, codes
        Shape (n,): rows of the training texts with known labels, and numbers of these.
    test_texts, test_codes
        Shape (q,); code -1 is a text of no known label.
    """

    labels: tuple[str, ...]
    rows: Ints
    codes: Ints
    test_texts: tuple[str, ...]
    test_codes: Ints


@dataclass(frozen=True, kw_only=True)
class Detection:
    """How well scores tell new texts from known ones.

    Parameters
    ----------
    auroc, auroc_interval
        Area under the ROC curve and its 95% bootstrap interval; chance is .5.
    fpr95
        Share of new texts taken for known where 95% of the known ones are accepted; lower is better.
    aupr
        Average precision with new texts as the positive ones.
    """

    auroc: float
    auroc_interval: tuple[float, float]
    fpr95: float
    aupr: float


@dataclass(frozen=True, kw_only=True)
class OpenSetScores:
    """Of the known labels and "new" as one more: accuracy, macro-F1; and what was called new.

    Parameters
    ----------
    false_alarm_rate, detection_rate
        Share of known, and of new, test texts that were called new.
    """

    accuracy: float
    macro_f1: float
    false_alarm_rate: float
    detection_rate: float


@dataclass(frozen=True, kw_only=True)
class NoveltyReport:
    """Detection by the weighted score and by each kind of evidence alone, and open-set classification."""

    data: str
    seed: int
    encoder: str
    n_known_labels: int
    n_training: int
    n_test: int
    n_new: int
    stated_rate: float
    weights: Mapping[str, float]
    detection: Detection
    without_labels: Detection
    baselines: Mapping[str, Detection]
    open_set: OpenSetScores

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types."""
        return asdict(self)


def split_novelty(data: LabelledTexts, seed: int, *, known: float | None = None) -> NoveltySplit:
    """Draw the known labels, and take all training texts of these and all test texts [1]_.

    Parameters
    ----------
    known
        Share of the labels; None is all of them where the data hold texts that none fits, else half.

    Raises
    ------
    InvalidInputError
        If the share leaves fewer than two labels known, or nothing new.

    References
    ----------
    .. [1] Zhang et al., "Deep Open Intent Classification with Adaptive Decision Boundary", AAAI 2021.
    """
    everything = sorted(data.labels)
    if known is None:
        known = 1.0 if data.outside_texts else _DEFAULT_SHARE
    n_known = round(known * len(everything))
    n_new = len(everything) - n_known + len(data.outside_texts)
    if not 2 <= n_known <= len(everything) or not n_new:
        raise InvalidInputError(
            f"expected a share that leaves 2 labels known and something new, got {known!r} of "
            f"{len(everything)}"
        )
    drawn = np.random.default_rng(seed).permutation(len(everything))[:n_known]
    labels = tuple(everything[place] for place in np.sort(drawn).tolist())
    codes, test_codes = _codes(labels, data.train_labels), _codes(labels, data.test_labels)
    rows = np.flatnonzero(codes != NEW)
    outside = np.full(len(data.outside_texts), NEW)
    return NoveltySplit(
        labels=labels,
        rows=rows,
        codes=codes[rows],
        test_texts=(*data.test_texts, *data.outside_texts),
        test_codes=np.concatenate([test_codes, outside]),
    )


def evaluate_novelty(
    data: LabelledTexts,
    split: NoveltySplit,
    *,
    encoder: Encoder,
    calibration: npt.NDArray[np.bool_] | None = None,
    seed: int = 0,
    false_alarm_rate: float | str = "auto",
) -> NoveltyReport:
    """Learn from the known texts, indexed in Milvus, what is in-distribution, and score the test texts.

    Parameters
    ----------
    calibration
        Which known texts a tuned encoder was not trained on; None for all.
    false_alarm_rate
        Share of known texts that may be called new; ``"auto"`` learns it from labels held out.
    """
    rate = check_false_alarm_rate(false_alarm_rate)
    texts = [data.train_texts[row] for row in split.rows.tolist()]
    with closing(ModelIndex(None)) as index:
        items = [Item(id=f"known-{row}", text=text) for row, text in enumerate(texts)]
        version = index.build(items, encoder, None, show_progress=False)
        vectors = version.item_vectors([item.id for item in items])
        queries = encoder.encode(split.test_texts, role="query")
        similarities = nearest_similarities(version, queries)
    scorer = fit_novelty_scorer(vectors, split.codes, calibration=calibration, random_state=seed)
    unlabelled = fit_novelty_scorer(vectors, calibration=calibration, random_state=seed)
    is_new = split.test_codes == NEW
    scores = scorer.score(queries, similarities)
    kinds = scorer.ood_scores.measure(queries, similarities)
    predicted = _labelled(vectors, split.codes, queries)
    predicted[scores > scorer.threshold(rate)] = NEW
    return NoveltyReport(
        data=data.name,
        seed=seed,
        encoder=encoder.name,
        n_known_labels=len(split.labels),
        n_training=len(texts),
        n_test=len(is_new),
        n_new=int(is_new.sum()),
        stated_rate=scorer.best_rate if isinstance(rate, str) else rate,
        weights=dict(zip(KINDS, scorer.weights.tolist(), strict=True)),
        detection=detection(scores, is_new),
        without_labels=detection(unlabelled.score(queries, similarities), is_new),
        baselines={name: detection(kind, is_new) for name, kind in zip(KINDS, kinds.T, strict=True)},
        open_set=open_set_scores(predicted, split.test_codes),
    )


def tuned_on_known(
    encoder: TransformerEncoder, data: LabelledTexts, split: NoveltySplit, *, layers: bool, seed: int
) -> tuple[Encoder, TuningReport, npt.NDArray[np.bool_]]:
    """Train the encoder's upper layers, or a head over all of it, on texts of the known labels alone.

    Parameters
    ----------
    layers
        Whether layers are trained, on at most 40 texts of a label and 4,000 in all; otherwise a linear head
        is, on nine tenths of the texts.

    Returns
    -------
    Encoder, TuningReport, mask
        The last is the calibration split, the known texts that were not trained on, shape of `split.rows`.
    """
    rng = np.random.default_rng(seed)
    n_labels = len(split.labels)
    most = min(_MOST_PER_LABEL, _MOST_TEXTS // n_labels) if layers else len(split.rows)
    kept = calibration_split([str(row) for row in split.rows.tolist()]) & (not layers)
    # One text may stand under two labels, and then teaches neither.
    torn = _torn([data.train_texts[row] for row in split.rows.tolist()], split.codes)
    drawn = [
        rng.permutation(np.flatnonzero((split.codes == code) & ~kept))[:most] for code in range(n_labels)
    ]
    places = [place for place in np.concatenate(drawn).tolist() if place not in torn]
    texts = [data.train_texts[split.rows[place]] for place in places]
    labels = [split.labels[split.codes[place]] for place in places]
    calibration = ~np.isin(split.rows, split.rows[places])
    if not layers:
        return *tune_head(encoder, texts, labels, kind="linear"), calibration
    plan = TrainingPlan(epochs=4, learning_rate=1e-4, batch_size=128, random_state=seed)
    return *tune_encoder(encoder, texts, labels, trained_layers=_TRAINED_LAYERS, plan=plan), calibration


def detection(scores: npt.ArrayLike, is_new: npt.ArrayLike, *, seed: int = 0) -> Detection:
    """Judge novelty scores (q,), of which the highest should be those of new texts (q,).

    Raises
    ------
    InvalidInputError
        If the shapes differ, or all texts are new, or none is.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    found, new = _checked(scores, is_new)
    rng = np.random.default_rng(seed)
    parts = np.flatnonzero(new), np.flatnonzero(~new)
    draws = (np.concatenate([rng.choice(part, len(part)) for part in parts]) for _ in range(_N_RESAMPLES))
    return Detection(
        auroc=float(roc_auc_score(new, found)),
        auroc_interval=percentile_interval([roc_auc_score(new[rows], found[rows]) for rows in draws]),
        fpr95=false_positive_rate(found, new),
        aupr=float(average_precision_score(new, found)),
    )


def false_positive_rate(scores: npt.ArrayLike, is_new: npt.ArrayLike, *, accepted: float = 0.95) -> float:
    """Share of new texts that pass for known where the share `accepted` of the known ones does."""
    found, new = _checked(scores, is_new)
    return float((found[new] <= np.quantile(found[~new], accepted)).mean())


def open_set_scores(predicted: Ints, truths: Ints) -> OpenSetScores:
    """Compare predicted and true codes, shape (q,), of which -1 is "new"."""
    from sklearn.metrics import f1_score

    is_new, called_new = truths == NEW, predicted == NEW
    return OpenSetScores(
        accuracy=float((predicted == truths).mean()),
        macro_f1=float(f1_score(truths, predicted, average="macro", labels=np.unique(truths))),
        false_alarm_rate=float(called_new[~is_new].mean()),
        detection_rate=float(called_new[is_new].mean()),
    )


def _labelled(vectors: Vectors, codes: Ints, queries: Vectors) -> Ints:
    """Most probable known label of each query by a linear probe, shape (q,)."""
    from sklearn.linear_model import LogisticRegression

    return np.asarray(LogisticRegression(C=10.0, max_iter=300).fit(vectors, codes).predict(queries))


def _checked(scores: npt.ArrayLike, is_new: npt.ArrayLike) -> tuple[Floats, npt.NDArray[np.bool_]]:
    found, new = np.asarray(scores, dtype=np.float64), np.asarray(is_new, dtype=bool)
    if found.ndim != 1 or found.shape != new.shape or new.all() or not new.any():
        raise InvalidInputError(
            f"expected scores (q,) of both known and new texts, got {found.shape} with {new.sum()} new of "
            f"{new.size}"
        )
    return found, new


def _torn(texts: Sequence[str], codes: Ints) -> set[int]:
    owners: dict[str, set[int]] = {}
    for text, code in zip(texts, codes.tolist(), strict=True):
        owners.setdefault(text, set()).add(code)
    return {place for place, text in enumerate(texts) if len(owners[text]) > 1}


def _codes(labels: Sequence[str], given: Sequence[str]) -> Ints:
    number = {label: place for place, label in enumerate(labels)}
    return np.array([number.get(label, NEW) for label in given], dtype=np.int64)
