"""How alike two names are as strings, whatever their case, punctuation, plurals and order of words."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache

__all__ = ["letter_overlap", "normalised", "word_overlap"]

_MIN_PLURAL = 4


@lru_cache(maxsize=65536)
def normalised(name: str) -> str:
    """Name in lower case without accents, punctuation and the s of English plurals."""
    plain = unicodedata.normalize("NFKD", name.casefold())
    words = re.findall(r"[^\W_]+", "".join(char for char in plain if not unicodedata.combining(char)))
    return " ".join(map(_singular, words))


def word_overlap(one: str, other: str) -> float:
    """Share of words that two normalised names have in common, in [0, 1]: the Dice coefficient."""
    return _dice(Counter(one.split()), Counter(other.split()))


def letter_overlap(one: str, other: str) -> float:
    """Share of letter triples that two normalised names have in common, in [0, 1]: the Dice coefficient."""
    return _dice(_triples(one), _triples(other))


def _singular(word: str) -> str:
    is_plural = len(word) >= _MIN_PLURAL and word.endswith("s") and not word.endswith(("ss", "us", "is"))
    return word[:-1] if is_plural else word


@lru_cache(maxsize=65536)
def _triples(name: str) -> Mapping[str, int]:
    padded = f"  {name} "
    return Counter(padded[start : start + 3] for start in range(len(padded) - 2))


def _dice(one: Mapping[str, int], other: Mapping[str, int]) -> float:
    total = sum(one.values()) + sum(other.values())
    shared = sum(min(count, other[part]) for part, count in one.items() if part in other)
    return 2 * shared / total if total else 0.0
