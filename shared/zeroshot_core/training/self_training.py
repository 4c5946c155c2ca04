"""Tuning on texts without labels: the surest guesses of the encoder itself become examples."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from zeroshot_core.encoders import Encoder, TransformerEncoder
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.training.assignment import assigned, unit_rows
from zeroshot_core.training.learners import Method
from zeroshot_core.training.plan import TrainingPlan
from zeroshot_core.training.tuner import TuningReport, tune_encoder

__all__ = ["PseudoLabels", "pseudo_labels", "self_train"]

_SHARE = 0.5


@dataclass(frozen=True, kw_only=True)
class PseudoLabels:
    """Texts with the labels that seem theirs, as many of each label.

    Parameters
    ----------
    texts, labels
        Shape (n,), by label, the surest first.
    confidences
        Probability of the label by the assignment, shape (n,).
    """

    texts: tuple[str, ...]
    labels: tuple[str, ...]
    confidences: tuple[float, ...]


def pseudo_labels(
    encoder: Encoder, label_texts: Mapping[str, str | Sequence[str]], texts: Sequence[str]
) -> PseudoLabels:
    """Guess the labels of texts, and keep the surest half of each label's fair share.

    Prototypes begin at the label texts; in 15 rounds texts are assigned softly, each label as much as any
    other, and prototypes move to the mean of theirs. Assignments are those of entropic optimal transport with
    even marginals [1]_, of centred vectors at temperature .03. Labels are taken to be about equally frequent.

    Raises
    ------
    InvalidInputError
        If there are fewer than 2 labels, a label has no text, or there are fewer than 4 distinct texts for
        each label.

    References
    ----------
    .. [1] Cuturi, "Sinkhorn Distances: Lightspeed Computation of Optimal Transport", NeurIPS 2013.
    """
    names = sorted(label_texts)
    own = [[each] if isinstance(each := label_texts[name], str) else list(each) for name in names]
    distinct = list(dict.fromkeys(texts))
    if len(names) < 2 or not all(own):
        raise InvalidInputError(f"expected at least 2 labels with a text each, got {dict(label_texts)}")
    if len(distinct) < 4 * len(names):
        raise InvalidInputError(
            f"expected at least {4 * len(names)} distinct texts for {len(names)} labels, got {len(distinct)}"
        )
    prototypes = np.stack([encoder.encode(each).mean(axis=0) for each in own])
    vectors = encoder.encode(distinct)
    rows, anchors = (unit_rows(each - each.mean(axis=0)) for each in (vectors, prototypes))
    shares = assigned(rows, anchors)
    best, sure = shares.argmax(axis=1), shares.max(axis=1)
    n_each = max(2, int(_SHARE * len(distinct) / len(names)))
    kept = [
        row
        for code in range(len(names))
        for row in sorted(np.flatnonzero(best == code).tolist(), key=lambda row: (-sure[row], row))[:n_each]
    ]
    return PseudoLabels(
        texts=tuple(distinct[row] for row in kept),
        labels=tuple(names[best[row]] for row in kept),
        confidences=tuple(float(sure[row]) for row in kept),
    )


def self_train(
    encoder: TransformerEncoder,
    label_texts: Mapping[str, str | Sequence[str]],
    texts: Sequence[str],
    *,
    method: Method = "full",
    trained_layers: int | None = None,
    plan: TrainingPlan | None = None,
    checkpoints: str | os.PathLike[str] | None = None,
) -> tuple[TransformerEncoder, TuningReport]:
    """Tune an encoder with label texts and texts without labels alone, on their `pseudo_labels`.

    The guard holds out a part of the guesses, so it sees whether tuning agrees with what the base was sure
    of, also for labels that are held out as a whole; it cannot see errors that all guesses share.

    Raises
    ------
    InvalidInputError
        If there are too few texts or labels, or all texts seem to be of one label.
    """
    guesses = pseudo_labels(encoder, label_texts, texts)
    return tune_encoder(
        encoder,
        guesses.texts,
        guesses.labels,
        label_texts=label_texts,
        method=method,
        trained_layers=trained_layers,
        plan=plan,
        checkpoints=checkpoints,
    )
