"""The digest of all items of a version, that is added up from those of its parts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["KeySum"]

_MODULUS = 1 << 256


class KeySum(NamedTuple):
    """Digest of the items of a data set in any order and in any number of parts.

    It is the sum of the SHA-256 of all keys, modulo 2^256, so that parts are added up (Bellare and Micciancio
    1997, AdHash).
    """

    n_items: int = 0
    total: int = 0

    @classmethod
    def of(cls, keys: Iterable[str]) -> KeySum:
        """Sum of keys, as `item_key` joins them."""
        n_items = total = 0
        for key in keys:
            n_items += 1
            total += int.from_bytes(hashlib.sha256(key.encode()).digest(), "little")
        return cls(n_items, total % _MODULUS)

    def plus(self, other: KeySum) -> KeySum:
        """Sum of two parts."""
        return KeySum(self.n_items + other.n_items, (self.total + other.total) % _MODULUS)

    @property
    def key(self) -> str:
        """What stands in a version's id for all its items."""
        return f"sum\0{self.n_items}\0{self.total:064x}"
