"""Sums of forecasts with intervals, which allow for the errors that items share."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.types import Value

if TYPE_CHECKING:
    from zeroshot_core.regression.predictive_distribution import MixedForecast
    from zeroshot_core.types import Floats, Ints

__all__ = ["GroupTotal", "group_totals", "numbered"]

_N_DRAWS = 500


@dataclass(frozen=True, kw_only=True)
class GroupTotal:
    """What the items of a group come to together.

    Parameters
    ----------
    group
        As given by `by`; None for all items.
    total
        Sum of the expectations, in the unit of the target; for curves one for each step.
    interval
        Lower and upper end that hold the sum with probability `coverage`; for curves each step by itself.
    n
        Items of the group.
    """

    group: Hashable
    total: Value
    interval: tuple[Value, Value]
    coverage: float
    n: int


def group_totals(
    forecast: MixedForecast,
    groups: Ints,
    n_groups: int,
    *,
    blocks: Sequence[Ints],
    shared: Floats,
    coverage: float,
    rng: np.random.Generator,
) -> tuple[Floats, Floats, Floats]:
    """Sum expectations by group, with the ends of an interval, each of shape (n_groups, horizon).

    All items are drawn together again and again, each from its own distribution, with errors that are
    correlated as those of items with common concepts were out of fold (a Gaussian copula). Resampling blocks
    of residuals would do the same were blocks large: many concepts have an item or two.

    Parameters
    ----------
    groups
        Shape (q,), the group of each item, numbered from 0.
    blocks, shared
        For each of t types the block of each item, shape (q,), -1 for none; and the share of the variance of
        an item's error that it has in common with its block, shape (q, t).
    """
    expected = _by_group(forecast.expectation, groups, n_groups)
    draws = np.empty((_N_DRAWS, *expected.shape))
    for place in range(_N_DRAWS):
        draws[place] = _by_group(forecast.value(_shared_draw(blocks, shared, rng)), groups, n_groups)
    means = draws.mean(axis=0)
    if forecast.targets.kind == "real":
        draws += expected - means
    else:
        draws *= expected / np.where(means > 0, means, 1.0)
    low, high = np.quantile(draws, [(1.0 - coverage) / 2.0, (1.0 + coverage) / 2.0], axis=0)
    return expected, *forecast.targets.whole_interval(low, high)


def _shared_draw(blocks: Sequence[Ints], shared: Floats, rng: np.random.Generator) -> Floats:
    """Draw a probability for each item, shape (q,), uniform, and alike for items that share errors."""
    from scipy.special import ndtr

    own = np.maximum(1.0 - shared.sum(axis=1), 0.0)
    score = np.sqrt(own) * rng.standard_normal(len(own))
    for block, variance in zip(blocks, shared.T, strict=True):
        # Of no block is an item by itself.
        effects, lone = rng.standard_normal(2 + block.max(initial=-1)), rng.standard_normal(len(block))
        score += np.sqrt(variance) * np.where(block < 0, lone, effects[block])
    return np.asarray(ndtr(score))


def _by_group(values: Floats, groups: Ints, n_groups: int) -> Floats:
    """Sum values (q, horizon) by group, shape (n_groups, horizon)."""
    sums = [np.bincount(groups, column, n_groups) for column in values.T]
    return np.stack(sums, axis=1)


def numbered(groups: Sequence[Hashable]) -> tuple[list[Hashable], Ints]:
    """Distinct groups in the order in which they come, and the number of each item's, shape (q,)."""
    numbers: dict[Hashable, int] = {}
    codes = [numbers.setdefault(group, len(numbers)) for group in groups]
    return list(numbers), np.asarray(codes, dtype=np.int64)
