"""Examples that tuning never reads, so that they show how usual new texts look to a tuned encoder."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

__all__ = ["FEWEST_UNREAD", "kept_from_tuning", "spares_examples"]

# One in so many is kept; with fewer than these a rate of false alarms would be a guess.
_ONE_IN = 10
FEWEST_UNREAD = 100


def kept_from_tuning(ids: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Choose about a tenth of the examples by their ids alone, shape (n,); none of fewer than about 1,000.

    A model that was saved finds the same ones again in its index, and needs no list of them.
    """
    is_kept = np.array([_number(id_) % _ONE_IN == 0 for id_ in ids], dtype=np.bool_)
    return is_kept if is_kept.sum() >= FEWEST_UNREAD else np.zeros(len(is_kept), dtype=np.bool_)


def spares_examples(tune: str) -> bool:
    """Whether this way of tuning leaves examples unread: joint rounds train on all that they index."""
    return tune not in {"none", "joint"}


def _number(id_: str) -> int:
    return int.from_bytes(blake2b(id_.encode("utf-8", "surrogatepass"), digest_size=4).digest(), "big")
