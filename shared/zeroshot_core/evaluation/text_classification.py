"""Classification with no examples, or few, of each label, beside baselines."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core import checks
from zeroshot_core.encoders.wrappers import RememberingEncoder
from zeroshot_core.evaluation.metrics import expected_calibration_error
from zeroshot_core.prediction import ZeroShotClassifier
from zeroshot_core.statistics import percentile_interval, resampled_means

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from zeroshot_core.datasets import LabelledTexts
    from zeroshot_core.encoders import Encoder
    from zeroshot_core.types import Floats

__all__ = [
    "ClassificationReport",
    "ClassificationScores",
    "draw_examples",
    "evaluate_few_shot",
    "evaluate_zero_shot",
]

_N_RESAMPLES = 1000
_PROBE_REGULARISATION = 10.0
_N_NEIGHBOURS = 10


@dataclass(frozen=True, kw_only=True)
class ClassificationScores:
    """How good labels are; each in [0, 1].

    Parameters
    ----------
    low, high
        Ends of the 95% bootstrap interval of the accuracy.
    calibration_error
        Expected calibration error; None for a method without probabilities.
    """

    accuracy: float
    low: float
    high: float
    macro_f1: float
    calibration_error: float | None = None


@dataclass(frozen=True, kw_only=True)
class ClassificationReport:
    """Scores of the classifier, in its ways of learning, and of baselines, by name.

    Parameters
    ----------
    n_unlabelled, n_per_label
        Texts without labels, and examples of each label, that were learned from.
    seconds
        Of fitting and asking, encoding included.
    """

    data: str
    mode: str
    seed: int
    tune: str
    n_labels: int
    n_test: int
    n_unlabelled: int
    n_per_label: int
    scores: Mapping[str, ClassificationScores]
    baselines: Mapping[str, ClassificationScores]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types."""
        return asdict(self)


def evaluate_zero_shot(
    data: LabelledTexts, encoder: Encoder, *, seed: int = 0, tune: str = "none"
) -> ClassificationReport:
    """Predict labels that have no examples, with and without unlabelled texts.

    The unlabelled texts are the training texts; in a set without a split of its own they are all texts, and
    all are asked.
    """
    asked, truths, unlabelled = data.test_texts, data.test_labels, data.train_texts
    if not data.has_own_split:
        asked, truths = data.train_texts + data.test_texts, data.train_labels + data.test_labels
        unlabelled = asked
    started = time.perf_counter()
    frozen = RememberingEncoder(encoder)
    tuned = (encoder, tune) if tune != "none" else (frozen, tune)
    ways = {"label_vectors": (None, (frozen, "none")), "with_unlabelled_texts": (unlabelled, tuned)}
    scores = {}
    for name, (texts, (reader, way)) in ways.items():
        model = ZeroShotClassifier(reader, data.graph, tune=way, random_state=seed)
        model.fit(labels=data.labels, unlabelled=texts)
        scores[name] = _score(model.classes_, model.predict_proba(asked), truths, seed)
        model.close()
    return _report(
        data,
        "zero-shot",
        seed,
        tune,
        scores,
        {"label_name": _label_name(data, frozen, asked, truths, seed)},
        n_test=len(asked),
        n_unlabelled=len(unlabelled),
        n_per_label=0,
        started=started,
    )


def evaluate_few_shot(
    data: LabelledTexts, encoder: Encoder, *, n_per_label: int, seed: int = 0, tune: str = "none"
) -> ClassificationReport:
    """Predict labels from a few training texts of each, drawn by the seed, with and without the others.

    The others are given without their labels.

    Raises
    ------
    InvalidInputError
        If `n_per_label` is below 1.
    """
    checks.whole("n_per_label", n_per_label, least=1)
    texts, labels = draw_examples(data, n_per_label, seed)
    started = time.perf_counter()
    scores = {}
    for name, others in {"examples": None, "with_unlabelled_texts": data.train_texts}.items():
        model = ZeroShotClassifier(encoder, data.graph, tune=tune, random_state=seed)
        model.fit(texts, labels, labels=data.labels, unlabelled=others)
        scores[name] = _score(model.classes_, model.predict_proba(data.test_texts), data.test_labels, seed)
        model.close()
    vectors, queries = encoder.encode(texts), encoder.encode(data.test_texts, role="query")
    return _report(
        data,
        "few-shot",
        seed,
        tune,
        scores,
        {
            "label_name": _label_name(data, encoder, data.test_texts, data.test_labels, seed),
            "linear_probe": _probe(vectors, labels, queries, data.test_labels, seed),
            "nearest_neighbours": _nearest(vectors, labels, queries, data.test_labels, seed),
        },
        n_test=len(data.test_texts),
        n_unlabelled=len(data.train_texts),
        n_per_label=n_per_label,
        started=started,
    )


def _report(
    data: LabelledTexts,
    mode: str,
    seed: int,
    tune: str,
    scores: Mapping[str, ClassificationScores],
    baselines: Mapping[str, ClassificationScores],
    *,
    started: float,
    **counts: int,
) -> ClassificationReport:
    return ClassificationReport(
        data=data.name,
        mode=mode,
        seed=seed,
        tune=tune,
        n_labels=len(data.labels),
        scores=scores,
        baselines=baselines,
        seconds=time.perf_counter() - started,
        **counts,
    )


def draw_examples(data: LabelledTexts, n_per_label: int, seed: int) -> tuple[list[str], list[str]]:
    """Draw training texts of each label; a label with fewer gives all it has."""
    counts: dict[str, int] = {}
    rows = []
    for row in np.random.default_rng(seed).permutation(len(data.train_texts)).tolist():
        label = data.train_labels[row]
        counts[label] = counts.get(label, 0) + 1
        if counts[label] <= n_per_label:
            rows.append(row)
    return [data.train_texts[row] for row in rows], [data.train_labels[row] for row in rows]


def _label_name(
    data: LabelledTexts, encoder: Encoder, asked: Sequence[str], truths: Sequence[str], seed: int
) -> ClassificationScores:
    """Nearest label name, alone and as it stands."""
    names = encoder.encode([data.graph.concepts[label].name for label in data.labels])
    best = (encoder.encode(asked, role="query") @ names.T).argmax(axis=1)
    return _scored(np.array(data.labels)[best], truths, seed)


def _probe(
    vectors: Any, labels: Sequence[str], queries: Any, truths: Sequence[str], seed: int
) -> ClassificationScores:
    """Logistic regression on frozen vectors."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=_PROBE_REGULARISATION, max_iter=1000).fit(vectors, labels)
    return _score(model.classes_, model.predict_proba(queries), truths, seed)


def _nearest(
    vectors: Any, labels: Sequence[str], queries: Any, truths: Sequence[str], seed: int
) -> ClassificationScores:
    """Vote of the nearest examples, each by its cosine."""
    classes, codes = np.unique(labels, return_inverse=True)
    similarities = queries @ vectors.T
    near = np.argsort(-similarities, axis=1, kind="stable")[:, :_N_NEIGHBOURS]
    votes = np.zeros((len(queries), len(classes)))
    for column in near.T:
        rows = np.arange(len(queries))
        np.add.at(votes, (rows, codes[column]), similarities[rows, column])
    return _scored(classes[votes.argmax(axis=1)], truths, seed)


def _score(
    classes: npt.NDArray[np.str_], probabilities: Floats, truths: Sequence[str], seed: int
) -> ClassificationScores:
    found = classes[probabilities.argmax(axis=1)]
    error = expected_calibration_error(probabilities.max(axis=1), found == np.array(truths))
    return _scored(found, truths, seed, error)


def _scored(
    found: npt.NDArray[np.str_], truths: Sequence[str], seed: int, error: float | None = None
) -> ClassificationScores:
    from sklearn.metrics import f1_score

    is_right = found == np.array(truths)
    means = resampled_means(is_right, _N_RESAMPLES, np.random.default_rng(seed))
    low, high = percentile_interval(means)
    return ClassificationScores(
        accuracy=float(is_right.mean()),
        low=low,
        high=high,
        macro_f1=float(f1_score(truths, found, average="macro", zero_division=0)),
        calibration_error=error,
    )
