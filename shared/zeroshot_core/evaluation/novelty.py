"""How well texts that no known label fits are detected, and what is left of accuracy."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.evaluation.open_labels import NEW, NoveltySplit
from zeroshot_core.index import VectorIndex
from zeroshot_core.novelty.ood_scores import KINDS
from zeroshot_core.novelty.scorer import check_false_alarm_rate, fit_novelty_scorer, nearest_similarities
from zeroshot_core.statistics import percentile_interval
from zeroshot_core.types import Item

if TYPE_CHECKING:
    from zeroshot_core.datasets import LabelledTexts
    from zeroshot_core.encoders import Encoder
    from zeroshot_core.types import Floats, Ints, Vectors

__all__ = [
    "Detection",
    "NoveltyReport",
    "OpenSetScores",
    "detection",
    "evaluate_novelty",
    "false_positive_rate",
    "open_set_scores",
]

_N_RESAMPLES = 200


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
    with tempfile.TemporaryDirectory() as folder, VectorIndex.connect(f"{folder}/novelty.db") as index:
        items = [Item(id=f"known-{row}", text=text) for row, text in enumerate(texts)]
        version = index.open(index.build(items, encoder), fingerprint=encoder.fingerprint)
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
