"""Where the items of a version come from that don't fit in memory, and the digest of them all."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterable
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from zeroshot_core.encoders.base import Encoder
    from zeroshot_core.index.versions import VersionCatalog, VersionInfo

__all__ = ["ItemSource", "KeySum"]

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


class ItemSource(Protocol):
    """Items that are read twice: to check and count them, then to encode and write them."""

    def survey(self, concepts: Container[str] | None) -> KeySum:
        """Check all items; their number and digest."""

    def write(
        self, catalog: VersionCatalog, info: VersionInfo, encoder: Encoder, *, is_resumed: bool
    ) -> None:
        """Encode and write what is missing or changed."""
