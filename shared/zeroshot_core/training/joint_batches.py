"""Batches in which confusable texts meet: each text once an epoch, beside its mined negatives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from zeroshot_core.training.examples import Examples
    from zeroshot_core.types import Ints

__all__ = ["hard_batches"]


def hard_batches(
    training: Examples, negatives: Sequence[Sequence[int]], batch_size: int, rng: np.random.Generator
) -> Iterator[Ints]:
    """Cut texts into batches so that many of a text's negatives are in its own batch.

    Texts are dealt as units: two of one label side by side, or single ones with targets. A random unit comes
    first, then the units of its negatives, hardest first, as far as they have not been dealt yet, then the
    next random unit. So an epoch costs what it costs with random batches, each text is encoded once, and the
    order goes over into a random one as negatives run out (global selection of batches, [1]_, made greedy).

    Parameters
    ----------
    negatives
        For each text the places of its negatives, hardest first.

    References
    ----------
    .. [1] Sachidananda et al., "Global Selection of Contrastive Batches via Optimization on Sample
       Permutations", ICML 2023.
    """
    order = np.concatenate(_chain(_units(training, rng), negatives, len(training.texts)))
    for start in range(0, len(order), batch_size):
        # One text alone has nothing to be compared with.
        if len(order) - start > 1:
            yield order[start : start + batch_size]


def _units(training: Examples, rng: np.random.Generator) -> list[Ints]:
    """Texts in random order, two of a label in one unit where there are two left."""
    order = rng.permutation(len(training.texts))
    if not training.is_labelled:
        return np.split(order, len(order))
    of_label: dict[int, list[int]] = {}
    for row in order.tolist():
        of_label.setdefault(int(training.values[row]), []).append(row)
    units = [
        np.array(rows[start : start + 2], dtype=np.int64)
        for rows in of_label.values()
        for start in range(0, len(rows), 2)
    ]
    return [units[place] for place in rng.permutation(len(units)).tolist()]


def _chain(units: list[Ints], negatives: Sequence[Sequence[int]], n_texts: int) -> list[Ints]:
    """Put behind each unit those of its negatives, each unit once."""
    unit_of = np.empty(n_texts, dtype=np.int64)
    for place, unit in enumerate(units):
        unit_of[unit] = place
    is_dealt = np.zeros(len(units), dtype=bool)
    dealt = []
    for place, unit in enumerate(units):
        near = [int(unit_of[other]) for row in unit.tolist() for other in negatives[row]]
        for each in (place, *near) if not is_dealt[place] else ():
            if not is_dealt[each]:
                is_dealt[each] = True
                dealt.append(units[each])
    return dealt
