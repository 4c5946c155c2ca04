"""The calibration split: examples that tuning never reads, so that they look as new texts will.

Drawn by ids rather than by a seed, as scikit-learn would: a model that was saved finds the same ones again in
its index, and needs no list of them.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

__all__ = ["FEWEST_CALIBRATION_TEXTS", "calibration_split", "has_calibration_split"]

_ONE_IN = 10
# With fewer than these a rate of false alarms would be a guess.
FEWEST_CALIBRATION_TEXTS = 100


def calibration_split(ids: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Choose about a tenth of the examples by their ids alone, shape (n,); none of fewer than about 1,000."""
    is_chosen = np.array([_number(id_) % _ONE_IN == 0 for id_ in ids], dtype=np.bool_)
    return np.asarray(is_chosen & (is_chosen.sum() >= FEWEST_CALIBRATION_TEXTS))


def has_calibration_split(tune: str) -> bool:
    """Whether this way of tuning leaves examples out: joint rounds train on all that they index."""
    return tune not in {"none", "joint"}


def _number(id_: str) -> int:
    return int.from_bytes(blake2b(id_.encode("utf-8", "surrogatepass"), digest_size=4).digest(), "big")
