"""Values that no caller should give and some caller will."""

from __future__ import annotations

import math
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from zeroshot_core import Concept, Item

__all__ = ["JSON_VALUES", "ODD", "TEXTS", "nested", "shown"]

_NASTY = (
    "",
    " ",
    "\0",
    "a\0b",
    "\ud800",
    "x\udfff",
    "\x1b[31m",
    '"',
    "\\",
    "][",
    "k][",
    "\n",
    "ß" * 300,
    "x" * 70_000,
)
TEXTS = st.text(st.characters(), max_size=30) | st.sampled_from(_NASTY)


def nested(depth: int) -> Any:
    """Nest lists."""
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


@cache
def _oddities() -> list[Any]:
    """List them; what can be read once alone is made anew by a function in a tuple of one."""
    import pandas as pd

    return [
        None, True, False, 0, 1, -1, 3, 2**31, 2**63, -(2**70), 10**400, 0.0, -0.0, 0.5, 1.0, 1.5, -2.5,
        1e308, math.nan, math.inf, -math.inf, b"bytes", bytearray(b"x"), 1j, Decimal("0.1"), Decimal("NaN"),
        Fraction(1, 3), [], [None], [[]], [0], [1.5, 2.5], ["a"], ["a", None], ["a", 1], [math.nan], [""],
        ["\ud800"], [b"x"], (), ("a",), ("a", "b", "c"), {}, {"a": 1}, {1: 2}, {None: None}, {"$foo": 1},
        {"a": {"$gt": None}}, set(), {"a"}, frozenset(), object(), object, int, len, lambda *a, **k: None,
        range(3), (lambda: iter(["a"]),), (lambda: (letter for letter in "ab"),), date(2020, 1, 1),
        datetime(2020, 1, 1), np.float32(0.5), np.float64("nan"), np.int64(3), np.int8(-1), np.bool_(True),
        np.str_("wine"), np.array(3), np.array([]), np.array(["a", "b"]), np.array([[1.0, 2.0]]),
        np.zeros((2, 32), np.float32), np.full((1, 32), np.nan), np.ones((3, 2, 2)),
        np.array([None, "a"], dtype=object), np.datetime64("2020-01-01"),
        np.ma.masked_array([1.0, 2.0], [True, False]), pd.DataFrame({"text": ["a", "b"]}), pd.DataFrame(),
        pd.Series(["a", "b"]), pd.Series([1.0, None]), pd.NA, pd.NaT, pd.Timestamp("2020-01-01"),
        pd.Categorical(["a", "b"]), Path("x"), Path("/dev/null"), Item(id="odd", text="odd"),
        [Item(id="odd", text="odd")], Concept(id="odd", name="odd"), nested(50), nested(2000),
        ["a"] * 20_000, "http://", "http://user:secret@127.0.0.1:1", "/dev/null/x.db", "none", "auto",
    ]  # fmt: skip


def _oddity(number: int) -> Any:
    value = _oddities()[number % len(_oddities())]
    return value[0]() if isinstance(value, tuple) and value and callable(value[0]) else value


# By number: hypothesis would write the values themselves into its notes, which some of them can't bear.
ODD = st.integers(0, 10_000).map(_oddity) | TEXTS | st.integers() | st.floats()
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


def shown(value: object) -> str:
    """Show a value, however it takes that, cut to 120 characters."""
    try:
        return f"{type(value).__name__} {value!r}"[:120]
    except BaseException as error:  # a repr may recurse too deep
        return f"{type(value).__name__} ({type(error).__name__} in repr)"
