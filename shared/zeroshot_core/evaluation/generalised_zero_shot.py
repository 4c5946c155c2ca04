"""Generalised zero-shot classification: labels with examples and labels without, in one prediction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core.classification.label_head import fit_label_head
from zeroshot_core.classification.label_vectors import label_vectors
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.estimators.stacking import harmonic_mean, seen_unseen_curve

if TYPE_CHECKING:
    import numpy.typing as npt

    from zeroshot_core.datasets import LabelledTexts
    from zeroshot_core.encoders import Encoder
    from zeroshot_core.types import Floats, Ints, Vectors

__all__ = [
    "SEEN_LABELS",
    "GeneralisedReport",
    "GeneralisedScores",
    "GeneralisedSplit",
    "evaluate_generalised",
    "score_generalised",
    "split_generalised",
]

SEEN_LABELS: Mapping[str, int] = {"banking77": 50, "clinc150": 100}
_PROBE_REGULARISATION = 10.0


@dataclass(frozen=True, kw_only=True)
class GeneralisedScores:
    """Accuracies among all labels, each in [0, 1].

    Parameters
    ----------
    seen, unseen
        On texts of labels with, and without, examples.
    harmonic_mean
        Of both.
    ausuc
        Area under the curve of both over all penalties.
    """

    seen: float
    unseen: float
    harmonic_mean: float
    ausuc: float


@dataclass(frozen=True, kw_only=True)
class GeneralisedSplit:
    """Which labels have examples, and which.

    Parameters
    ----------
    is_seen
        Shape (m,), in the order of the labels.
    rows, codes
        Shape (n,): rows of the training texts, and numbers of their labels.
    """

    is_seen: npt.NDArray[np.bool_]
    rows: Ints
    codes: Ints


@dataclass(frozen=True, kw_only=True)
class GeneralisedReport:
    """What stacking gains, beside baselines.

    Parameters
    ----------
    seen_only
        Accuracy on texts of seen labels of a linear probe that knows no others.
    baselines
        By name; none has a penalty.
    """

    data: str
    seed: int
    n_seen: int
    n_unseen: int
    n_per_label: int
    scores: GeneralisedScores
    seen_only: float
    baselines: Mapping[str, GeneralisedScores]

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types."""
        return asdict(self)


def split_generalised(
    data: LabelledTexts, seed: int, *, n_seen: int | None = None, n_per_label: int = 10
) -> GeneralisedSplit:
    """Draw the labels that have examples, and as many examples for each.

    Parameters
    ----------
    n_seen
        None takes 50 of BANKING77's and 100 of CLINC150's labels.

    Raises
    ------
    InvalidInputError
        If there are not more labels than `n_seen`, or one has fewer examples.
    """
    labels = sorted(data.labels)
    n_seen = SEEN_LABELS.get(data.name, len(labels) * 2 // 3) if n_seen is None else n_seen
    if not 1 < n_seen < len(labels):
        raise InvalidInputError(f"expected n_seen above 1 and below {len(labels)}, got {n_seen}")
    rng = np.random.default_rng(seed)
    is_seen = np.isin(np.arange(len(labels)), rng.permutation(len(labels))[:n_seen])
    codes = np.searchsorted(labels, data.train_labels)
    order = rng.permutation(len(codes))
    order = order[np.argsort(codes[order], kind="stable")]
    starts = np.searchsorted(codes[order], np.arange(len(labels)))
    within = np.arange(len(order)) - starts[codes[order]]
    rows = order[(within < n_per_label) & is_seen[codes[order]]]
    if len(rows) < n_seen * n_per_label:
        raise InvalidInputError(f"expected {n_per_label} training texts of each label, got fewer for some")
    return GeneralisedSplit(is_seen=is_seen, rows=rows, codes=codes[rows])


def evaluate_generalised(
    data: LabelledTexts, seed: int, *, encoder: Encoder, n_seen: int | None = None, n_per_label: int = 10
) -> GeneralisedReport:
    """Learn from examples of some labels, and predict test texts of all."""
    split = split_generalised(data, seed, n_seen=n_seen, n_per_label=n_per_label)
    labels = sorted(data.labels)
    concepts = [data.graph.concepts[label] for label in labels]
    names = encoder.encode([concept.name for concept in concepts])
    examples = encoder.encode([data.train_texts[row] for row in split.rows.tolist()])
    queries = encoder.encode(data.test_texts, role="query")
    codes = np.searchsorted(labels, data.test_labels)
    head = fit_label_head(label_vectors(concepts, encoder, None), examples, split.codes, seed)
    by_name = (queries @ names.T).astype(np.float64)
    of_seen = split.is_seen[codes]
    return GeneralisedReport(
        data=data.name,
        seed=seed,
        n_seen=int(split.is_seen.sum()),
        n_unseen=int((~split.is_seen).sum()),
        n_per_label=n_per_label,
        scores=score_generalised(head.scores(queries), codes, split.is_seen),
        seen_only=_probed(examples, split.codes, queries[of_seen], codes[of_seen]),
        baselines={
            "knn_and_label_vectors": score_generalised(
                _with_nearest(by_name, queries, examples, split.codes), codes, split.is_seen
            ),
            "label_vectors": score_generalised(by_name, codes, split.is_seen),
        },
    )


def score_generalised(scores: Floats, codes: Ints, is_seen: npt.NDArray[np.bool_]) -> GeneralisedScores:
    """Score predictions, the highest of each row of `scores` (q, m), of texts of the labels `codes` (q,)."""
    curve = seen_unseen_curve(scores, codes, is_seen)
    is_right, of_seen = scores.argmax(axis=1) == codes, is_seen[codes]
    seen, unseen = float(is_right[of_seen].mean()), float(is_right[~of_seen].mean())
    return GeneralisedScores(
        seen=seen, unseen=unseen, harmonic_mean=harmonic_mean(seen, unseen), ausuc=curve.area
    )


def _with_nearest(by_name: Floats, queries: Vectors, examples: Vectors, codes: Ints) -> Floats:
    """Cosine to a label's vector or to its nearest example, whichever is higher, shape (q, m)."""
    order = np.argsort(codes, kind="stable")
    seen, starts = np.unique(codes[order], return_index=True)
    found: Floats = by_name.copy()
    nearest = np.maximum.reduceat(queries @ examples[order].T, starts, axis=1)
    found[:, seen] = np.maximum(found[:, seen], nearest)
    return found


def _probed(examples: Vectors, codes: Ints, queries: Vectors, truths: Ints) -> float:
    from sklearn.linear_model import LogisticRegression

    probe = LogisticRegression(C=_PROBE_REGULARISATION, max_iter=1000).fit(examples, codes)
    return float((probe.predict(queries) == truths).mean())
