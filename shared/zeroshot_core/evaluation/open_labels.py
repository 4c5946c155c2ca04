"""Known and unknown labels for measuring novelty, and encoders trained on texts of the known ones alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.estimators.calibration_split import calibration_split
from zeroshot_core.training import TrainingPlan, tune_encoder, tune_head

if TYPE_CHECKING:
    import numpy.typing as npt

    from zeroshot_core.datasets import LabelledTexts
    from zeroshot_core.encoders import Encoder, TransformerEncoder
    from zeroshot_core.training import TuningReport
    from zeroshot_core.types import Ints

__all__ = ["NEW", "NoveltySplit", "split_novelty", "tuned_on_known"]

# Code of a text that none of the known labels fits.
NEW = -1
_DEFAULT_SHARE = 0.5
_TRAINED_LAYERS = 3
# Training texts for the encoder: of a label, and in all.
_MOST_PER_LABEL, _MOST_TEXTS = 40, 4000


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


def _torn(texts: Sequence[str], codes: Ints) -> set[int]:
    owners: dict[str, set[int]] = {}
    for text, code in zip(texts, codes.tolist(), strict=True):
        owners.setdefault(text, set()).add(code)
    return {place for place, text in enumerate(texts) if len(owners[text]) > 1}


def _codes(labels: Sequence[str], given: Sequence[str]) -> Ints:
    number = {label: place for place, label in enumerate(labels)}
    return np.array([number.get(label, NEW) for label in given], dtype=np.int64)
