"""Which items are known and which are new: the protocols of forecasts for things without a history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.checks import shown
from zeroshot_core.datasets.complete_journey import HELD_OUT_COLUMNS
from zeroshot_core.errors import InvalidInputError

if TYPE_CHECKING:
    from zeroshot_core.datasets import Catalogue, ProductLines
    from zeroshot_core.types import Floats, Ints

__all__ = [
    "HELD_OUT_COLUMNS",
    "SPLITS",
    "Split",
    "split_catalogue",
    "split_groups",
    "split_launch",
    "split_lines",
    "split_product_lines",
]

AT_RANDOM = "lines"
SPLITS = (AT_RANDOM, "launch", *HELD_OUT_COLUMNS)
_KNOWN_LAUNCHES = (9, 30)
_NEW_LAUNCHES = (38, 45)


@dataclass(frozen=True, kw_only=True)
class Split:
    """Known and new items.

    Parameters
    ----------
    train, test
        Positions of the items, ascending and disjoint.
    target
        What there is to forecast, of all items, shape (n,).
    groups
        Label of each training item that no test item shares, where groups are held out whole.
    """

    train: Ints
    test: Ints
    target: Floats
    groups: tuple[str, ...] | None = None


def split_product_lines(lines: ProductLines, name: str, seed: int = 0) -> Split:
    """Split by one of `SPLITS`.

    ``lines``: a fifth of the lines at random is new. ``types``, ``categories``, ``makers``: a fifth of the
    distinct values is new, with all their lines. ``launch``: lines first sold in weeks 38-45 are new, those
    of weeks 9-30 known, and the target is what the first eight weeks sold; `seed` changes nothing there.

    Raises
    ------
    InvalidInputError
        If there is no split of that name, or it leaves no line on one side.
    """
    if name == "launch":
        train, test = split_launch(lines.first_week)
        return Split(train=train, test=test, target=lines.launch_units.sum(axis=1))
    if name not in SPLITS:
        raise InvalidInputError(f"expected a split of {list(SPLITS)}, got {name!r}")
    return split_catalogue(lines.catalogue(), name, seed)


def split_catalogue(catalogue: Catalogue, name: str = AT_RANDOM, seed: int = 0) -> Split:
    """Split a table: a fifth of its values of a column is new, with all their items; or a fifth of the items.

    Parameters
    ----------
    name
        A key of `Catalogue.held_out`, or ``"lines"`` for items at random.

    Raises
    ------
    InvalidInputError
        If there is no split of that name, or it leaves no item on one side.
    """
    if name in catalogue.held_out:
        labels = catalogue.column(catalogue.held_out[name])
        train, test = split_groups(labels, seed)
        return Split(train=train, test=test, target=catalogue.target, groups=tuple(labels[i] for i in train))
    if name == AT_RANDOM:
        train, test = split_lines(len(catalogue), seed)
        return Split(train=train, test=test, target=catalogue.target)
    raise InvalidInputError(f"expected a split of {[AT_RANDOM, *catalogue.held_out]}, got {shown(name)}")


def split_lines(n: int, seed: int, share: float = 0.2) -> tuple[Ints, Ints]:
    """Draw a share of n lines as new; gives known and new positions."""
    new = _draw(n, seed, share)
    return _both_sides(np.setdiff1d(np.arange(n), new), new)


def split_groups(labels: Sequence[str], seed: int, share: float = 0.2) -> tuple[Ints, Ints]:
    """Draw a share of the distinct labels as new, with all their lines; gives known and new positions."""
    distinct, codes = np.unique(np.asarray(labels), return_inverse=True)
    is_new = np.isin(codes, _draw(len(distinct), seed, share))
    return _both_sides(np.flatnonzero(~is_new), np.flatnonzero(is_new))


def split_launch(first_week: Ints) -> tuple[Ints, Ints]:
    """Take lines first sold in weeks 9-30 as known and in weeks 38-45 as new.

    All that the known ones sold in their first eight weeks was seen before the first new one came.
    """
    known, new = (
        np.flatnonzero((first_week >= start) & (first_week <= end))
        for start, end in (_KNOWN_LAUNCHES, _NEW_LAUNCHES)
    )
    return _both_sides(known, new)


def _draw(n: int, seed: int, share: float) -> Ints:
    return np.sort(np.random.default_rng(seed).permutation(n)[: round(share * n)])


def _both_sides(known: Ints, new: Ints) -> tuple[Ints, Ints]:
    if not (len(known) and len(new)):
        raise InvalidInputError(
            f"expected known and new lines, got {len(known)} known and {len(new)} new; give more lines"
        )
    return known, new
