"""What a classifier's index says is usual, so that it can answer 'none of these'."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.estimators.calibration_split import kept_from_tuning
from zeroshot_core.novelty.novelty_fitting import fit_novelty
from zeroshot_core.novelty.scores import Novelty, nearest_similarities

if TYPE_CHECKING:
    from zeroshot_core.index import OpenVersion
    from zeroshot_core.types import Floats, Vectors

__all__ = ["NONE_OF_THESE", "learn_usual", "novelty_scores"]

# The answer to a text that is none of the labels.
NONE_OF_THESE = ""


def learn_usual(version: OpenVersion, labels: Sequence[str], *, is_tuned: bool, random_state: int) -> Novelty:
    """Learn what is usual from all items of a version, linked to their labels or not.

    Where some have no label, clusters stand in for the labels.

    Parameters
    ----------
    is_tuned
        Whether the encoder was tuned on the labelled items, but for those that `kept_from_tuning` chooses.

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
    unread = None
    if is_tuned:
        unread = is_labelled.copy()
        unread[is_labelled] = kept_from_tuning([ids[row] for row in np.flatnonzero(is_labelled).tolist()])
    known = codes if len(codes) and is_labelled.all() else None
    return fit_novelty(version.item_vectors(ids), known, unread=unread, random_state=random_state)


def novelty_scores(novelty: Novelty, version: OpenVersion, vectors: Vectors) -> Floats:
    """Score vectors (q, d) by what is usual and by their nearest items in Milvus, shape (q,)."""
    return novelty.score(vectors, nearest_similarities(version, vectors))
