"""The reject option: a text that is none of the labels gets the answer `NONE_OF_THESE`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.estimators.calibration_split import calibration_split
from zeroshot_core.novelty.scorer import NoveltyScorer, fit_novelty_scorer

if TYPE_CHECKING:
    from zeroshot_core.index import OpenVersion

__all__ = ["NONE_OF_THESE", "fit_index_scorer"]

# The answer to a text that is none of the labels.
NONE_OF_THESE = ""


def fit_index_scorer(
    version: OpenVersion, labels: Sequence[str], *, has_calibration_split: bool, random_state: int
) -> NoveltyScorer:
    """Learn what is in-distribution from all items of a version, linked to their labels or not.

    Where some have no label, clusters stand in for the labels.

    Parameters
    ----------
    has_calibration_split
        Whether the encoder was tuned on the labelled items, but for those of their `calibration_split`.

    Raises
    ------
    InvalidInputError
        If there are fewer than 10 items.
    """
    ids = version.all_ids()
    number = {label: place for place, label in enumerate(labels)}
    codes = np.array(
        [max((number.get(c, -1) for c in item.concepts), default=-1) for item in version.items(ids)],
        dtype=np.int64,
    )
    is_labelled = codes >= 0
    calibration = None
    if has_calibration_split:
        calibration = is_labelled.copy()
        calibration[is_labelled] = calibration_split(
            [ids[row] for row in np.flatnonzero(is_labelled).tolist()]
        )
    known = codes if len(codes) and is_labelled.all() else None
    return fit_novelty_scorer(
        version.item_vectors(ids), known, calibration=calibration, random_state=random_state
    )
