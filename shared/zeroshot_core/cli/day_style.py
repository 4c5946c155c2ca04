"""Days as people write them in cells: 2024-03-31, 31.03.2024, 31/3/2024 or 3/31/2024."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime

from zeroshot_core.cli.number_style import MISSING

__all__ = ["as_day", "day_order", "is_open"]

_WRITTEN = re.compile(r"([0-9]{1,2})([./-])([0-9]{1,2})\2([0-9]{4})(?:[T ].*)?")


def day_order(cells: Sequence[str]) -> str | None:
    """Find whether the ``"day"`` or the ``"month"`` comes first in the cells of a column.

    Days with points begin with the day; for others it is what the cells prove, such as ``31/3/2024``. None
    if nothing tells, or they prove both.
    """
    parts = [_parts(cell) for cell in cells if is_open(cell)]
    orders = {"day" for first, _ in parts if first > 12} | {"month" for _, second in parts if second > 12}
    if len(orders) == 1:
        return orders.pop()
    return None if parts else "day"


def is_open(cell: str) -> bool:
    """Whether a cell is a day whose day and month could change places, but for what other cells prove."""
    found = _WRITTEN.fullmatch(cell)
    return found is not None and found[2] != "." and found[1] != found[3]


def as_day(cell: str, order: str) -> date | None:
    """Read a cell as a day; None where it says that there is none.

    Raises
    ------
    ValueError
        If it is anything else, or a day that is not in the calendar.
    """
    if cell.lower() in MISSING:
        return None
    found = _WRITTEN.fullmatch(cell)
    if found is None:
        return datetime.fromisoformat(cell.removesuffix("Z")).date()
    first, second = _parts(cell)
    day, month = (first, second) if found[2] == "." or order == "day" else (second, first)
    return date(int(found[4]), month, day)


def _parts(cell: str) -> tuple[int, int]:
    """First and second number of a day."""
    first, second = re.findall("[0-9]+", cell)[:2]
    return int(first), int(second)
