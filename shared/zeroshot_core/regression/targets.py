"""Targets: what kind of numbers they are, and how the head sees them.

Non-negative targets are learned as ``log(1 + y)``: demand spans orders of magnitude, and relative errors
count. A curve is learned as its level (the sum, or the mean for signed targets) and its shape.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from zeroshot_core.checks import choice, numbers
from zeroshot_core.errors import InvalidInputError

if TYPE_CHECKING:
    from zeroshot_core.estimators.model_state import ModelState
    from zeroshot_core.types import Floats, Ints

__all__ = ["MISSING", "TARGETS", "TargetKind", "Targets", "check_targets", "known_targets"]

TargetKind: TypeAlias = Literal["count", "nonnegative", "real"]
TARGETS = ("auto", "count", "nonnegative", "real")
MISSING = ("raise", "drop")
# Rule of three: what is met by none of n in a sample is at most 3/n of all, 19 times of 20.
_BEYOND = 3.0


@dataclass(frozen=True, kw_only=True)
class Targets:
    """Targets of the training items.

    Parameters
    ----------
    values
        Shape (n, horizon), in the unit of the target.
    is_curve
        Whether they were given with a horizon.
    is_bounded
        Whether forecasts stay within `bounds`; not those of models saved before there were any.
    """

    values: Floats
    kind: TargetKind
    is_curve: bool
    is_bounded: bool = True

    @classmethod
    def restored(cls, state: ModelState, n_items: int) -> Targets:
        """Take saved targets of so many items back.

        Raises
        ------
        InvalidInputError
            If they are missing, or do not fit their kind.
        """
        values, is_curve = state.array("targets", np.float64, (n_items, None)), state.config.get("is_curve")
        kind = choice("kind", state.config.get("kind"), TARGETS[1:])
        if not isinstance(is_curve, bool) or not values.size or (values.shape[1] > 1 and not is_curve):
            raise InvalidInputError(f"expected targets of items, got shape {values.shape}, {is_curve=}")
        _check_values(values, kind)
        is_bounded = state.config.get("is_bounded", False) is True
        return cls(values=values, kind=kind, is_curve=is_curve, is_bounded=is_bounded)  # type: ignore[arg-type]

    @property
    def horizon(self) -> int:
        """Steps of a curve; 1 for numbers."""
        return int(self.values.shape[1])

    @cached_property
    def levels(self) -> Floats:
        """Transformed level of each item, shape (n,)."""
        return self.levels_of(self.values)

    def levels_of(self, values: Floats) -> Floats:
        """Transform the level of values (m, horizon) in the unit of the target, shape (m,)."""
        if self.kind == "real":
            return np.asarray(values.mean(axis=1))
        return np.asarray(np.log1p(values.sum(axis=1)))

    @cached_property
    def most(self) -> Floats:
        """Largest transformed value of each step, shape (horizon,); no bound for signed targets."""
        if self.kind == "real":
            return np.full(self.horizon, np.inf)
        return np.asarray(np.log1p(self.values.max(axis=0)))

    @cached_property
    def bounds(self) -> tuple[Floats, Floats]:
        """Least and largest transformed value to be reckoned with at each step, shape (horizon,) each.

        Known ones of n items span nearly all that may come: beyond either end there is more than 3/n of
        their span once in twenty times, were they spread evenly, so that much is added.
        """
        if not self.is_bounded:
            return np.full(self.horizon, -np.inf), np.full(self.horizon, np.inf)
        known = self.transform(self.values)
        low, high = known.min(axis=0), known.max(axis=0)
        beyond = _BEYOND / len(known) * (high - low)
        return low - beyond, high + beyond

    def curves(self, levels: Floats, profile: Floats) -> Floats:
        """Make transformed values (q, horizon) from levels (q,) and a profile (q, horizon) of like items.

        For signed targets the profile is moved to the level, for others it is scaled to it.
        """
        if self.kind == "real":
            return np.asarray(levels[:, None] + profile - profile.mean(axis=1, keepdims=True))
        totals = np.maximum(profile.sum(axis=1, keepdims=True), 1e-12)
        flat = np.full_like(profile, 1.0 / profile.shape[1])
        shares = np.where(totals > 1e-12, profile / totals, flat)
        return np.asarray(np.log1p(np.maximum(np.expm1(levels), 0.0)[:, None] * shares))

    def transform(self, values: Floats) -> Floats:
        """See values as the head does."""
        return values if self.kind == "real" else np.log1p(values)

    def restore(self, transformed: Floats) -> Floats:
        """Bring transformed values back to the unit."""
        return transformed if self.kind == "real" else np.maximum(np.expm1(transformed), 0.0)

    def whole_interval(self, low: Floats, high: Floats) -> tuple[Floats, Floats]:
        """Make both ends whole numbers for counts.

        Rounding inwards loses no coverage, since no count lies between; an interval without any count becomes
        the one nearest to its middle.
        """
        if self.kind != "count":
            return low, high
        middle = np.rint((low + high) / 2.0)
        # To add 0 makes 0 of -0.
        low, high = np.ceil(low - 1e-9) + 0.0, np.floor(high + 1e-9)
        crossed = low > high
        return np.where(crossed, middle, low), np.where(crossed, middle, high)


def check_targets(y: Any, n_items: int, kind: str) -> Targets:
    """Validate targets of shape (n,) or (n, horizon).

    Raises
    ------
    InvalidInputError
        If lengths differ, a value is not a finite number, or does not fit the kind.
    """
    choice("target", kind, TARGETS)
    values = _shaped(y, n_items)
    is_curve = values.ndim == 2
    values = values.reshape(n_items, -1)
    _check_values(values, kind)
    found = _kind_of(values) if kind == "auto" else kind
    return Targets(values=values, kind=found, is_curve=is_curve)  # type: ignore[arg-type]


def known_targets(y: Any, n_items: int, kind: str) -> tuple[Floats, Ints]:
    """Leave out the rows without a target, told in one warning, and fill gaps of curves in.

    A gap gets what the mean curve of all rows has there, scaled to the steps of the row that are known; for
    signed targets moved to them. Whole numbers stay whole.

    Returns
    -------
    values
        Shape (m,) or (m, horizon), without NaN.
    rows
        Which of the items have them, shape (m,).

    Raises
    ------
    InvalidInputError
        If the shape is wrong, or a target is no number.
    """
    values = _shaped(y, n_items)
    curves = values.reshape(n_items, -1)
    rows = np.flatnonzero(~np.isnan(curves).all(axis=1))
    curves, n_left_out = curves[rows], n_items - len(rows)
    n_gaps = int(np.isnan(curves).any(axis=1).sum())
    if n_left_out or n_gaps:
        gaps = f"{n_gaps} have gaps, which are filled in from their other steps"
        left_out = f"{n_left_out} of {n_items} items have no target and are left out"
        told = "; ".join([left_out] * (n_left_out > 0) + [gaps] * (n_gaps > 0))
        warnings.warn(told, stacklevel=3)
    filled = _filled(curves, is_signed=kind == "real" or bool((curves < 0).any())) if n_gaps else curves
    return filled.reshape(len(rows), *values.shape[1:]), rows


def _filled(curves: Floats, *, is_signed: bool) -> Floats:
    """Fill the gaps of curves (m, horizon) that have some values in each row."""
    known = ~np.isnan(curves)
    mean = np.where(known, curves, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    own, others = np.where(known, curves, 0.0).sum(axis=1), (known * mean).sum(axis=1)
    n_known = known.sum(axis=1)
    if is_signed:
        expected = mean + ((own - others) / n_known)[:, None]
    else:
        scaled = mean * (own / np.where(others > 0, others, 1.0))[:, None]
        expected = np.where((others > 0)[:, None], scaled, (own / n_known)[:, None])
    if (curves[known] == np.floor(curves[known])).all():
        expected = np.rint(expected)
    return np.where(known, curves, expected)


def _shaped(y: Any, n_items: int) -> Floats:
    if y is None:
        raise InvalidInputError(
            "expected targets, got none; give them as y, or as a table's column, as in target='units'"
        )
    values = numbers("targets", y)
    if values.ndim not in (1, 2) or len(values) != n_items or 0 in values.shape:
        raise InvalidInputError(
            f"expected targets of shape ({n_items},) or ({n_items}, horizon), one for each item, "
            f"got {values.shape}"
        )
    return values


def _check_values(values: Floats, kind: str) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        # Steps may be finite whose sum, which is learned, is not.
        rows = np.flatnonzero(~np.isfinite(values.sum(axis=1)))
    if len(rows):
        raise InvalidInputError(
            f"expected finite targets, got {values[rows[0]].tolist()} in row {rows[0]} "
            f"({len(rows)} such rows); drop these items or fill them in, or fit with missing='drop'"
        )
    negative = np.flatnonzero((values < 0).any(axis=1))
    if kind in ("count", "nonnegative") and len(negative):
        raise InvalidInputError(
            f"expected targets of at least 0 for target={kind!r}, got {values[negative[0]].min()} in row "
            f"{negative[0]} ({len(negative)} such rows); drop them, or use target='real'"
        )
    broken = np.flatnonzero((values != np.floor(values)).any(axis=1))
    if kind == "count" and len(broken):
        raise InvalidInputError(
            f"expected whole numbers for target='count', got {values[broken[0]].tolist()} in row "
            f"{broken[0]}; use target='nonnegative'"
        )


def _kind_of(values: Floats) -> TargetKind:
    if (values < 0).any():
        return "real"
    return "count" if (values == np.floor(values)).all() else "nonnegative"
