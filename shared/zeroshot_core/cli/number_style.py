"""Numbers as people and programs write them in cells: a decimal point or comma, marks between thousands."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["DECIMAL_MARKS", "MISSING", "NumberStyle", "as_number"]

DECIMAL_MARKS = (".", ",")
# What pandas takes for a value that is not there, in lower case.
MISSING = frozenset({"", "na", "n/a", "#n/a", "#na", "nan", "-nan", "null", "none", "<na>", "nat"})

_BLANKS = "\u00a0\u202f '\u2019"


def _written(decimal: str, thousands: str) -> re.Pattern[str]:
    grouped = rf"[1-9][0-9]{{0,2}}(?:[{thousands}{_BLANKS}][0-9]{{3}})+"
    return re.compile(rf"[+-]?(?:{grouped}|[0-9]*)(?:\{decimal}[0-9]*)?(?:[eE][+-]?[0-9]+)?")


_WRITTEN = {".": _written(".", ","), ",": _written(",", ".")}
_BETWEEN = {".": re.compile(f"[,{_BLANKS}]"), ",": re.compile(f"[.{_BLANKS}]")}


def as_number(cell: str, decimal: str) -> float | None:
    """Read a cell as a finite number; NaN where it says that there is none, None if it is anything else.

    Parameters
    ----------
    decimal
        ``"."`` or ``","``; the other one, a blank or an apostrophe may stand between thousands.
    """
    if cell.lower() in MISSING:
        return math.nan
    # Python takes 1_009 for 1009, which nobody meant who wrote a table.
    if not _WRITTEN[decimal].fullmatch(cell):
        return None
    try:
        number = float(_BETWEEN[decimal].sub("", cell).replace(decimal, "."))
    except ValueError:  # a mark or an exponent alone
        return None
    return number if math.isfinite(number) else None


@dataclass(frozen=True, kw_only=True)
class NumberStyle:
    """How the numbers of a table are written.

    Parameters
    ----------
    given
        The decimal mark that somebody has said.
    found
        The mark that columns of numbers prove, where they agree: ``2,5`` and ``1.234.567`` prove a comma.
    takes_points
        Whether ``1.234`` is between 1 and 2 where nothing proves either, as programs write it; otherwise it
        may be a thousand and more.
    """

    given: str | None = None
    found: str | None = None
    takes_points: bool = True

    @classmethod
    def of_columns(
        cls, columns: Iterable[Sequence[str]], *, given: str | None, takes_points: bool
    ) -> NumberStyle:
        """Find the mark that the columns prove which hold numbers alone."""
        found = {mark for cells in columns for mark in _proofs(cells, numbers_alone=True)}
        return cls(given=given, found=found.pop() if len(found) == 1 else None, takes_points=takes_points)

    def decimal(self, cells: Sequence[str]) -> str | None:
        """Find the decimal mark of a column; None if nothing tells which of two numbers a cell is."""
        if self.given is not None:
            return self.given
        proofs = _proofs(cells)
        if len(proofs) == 1:
            return proofs.pop()
        if proofs or self.found is not None:
            return self.found or "."
        return None if any(map(self.is_unclear, cells)) else "."

    def is_unclear(self, cell: str) -> bool:
        """Whether a cell may be either of two numbers, such as ``1,234``."""
        return len(_marks(cell)) == 2 and not (self.takes_points and "." in cell)


def _proofs(cells: Sequence[str], *, numbers_alone: bool = False) -> set[str]:
    """Decimal marks without which a cell would be no number; none if one has to be a number and is none."""
    found = set()
    for cell in cells:
        marks = _marks(cell)
        if len(marks) == 1:
            found |= marks
        elif numbers_alone and not marks and not _is_number(cell):
            return set()
    return found


def _is_number(cell: str) -> bool:
    return cell.isdigit() or as_number(cell, ".") is not None


def _marks(cell: str) -> set[str]:
    """Decimal marks with which a cell is a number, but none if it is the same number with both."""
    if cell.isdigit() or cell.lower() in MISSING:
        return set()
    numbers = {mark: as_number(cell, mark) for mark in DECIMAL_MARKS}
    if numbers["."] == numbers[","]:
        return set()
    return {mark for mark, number in numbers.items() if number is not None}
