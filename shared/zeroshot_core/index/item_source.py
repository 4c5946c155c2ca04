"""Where the items of a version come from that don't fit in memory."""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from zeroshot_core.encoders.base import Encoder
    from zeroshot_core.index.key_sum import KeySum
    from zeroshot_core.index.versions import VersionCatalog, VersionInfo

__all__ = ["ItemSource"]


class ItemSource(Protocol):
    """Items that are read twice: to check and count them, then to encode and write them."""

    def survey(self, concepts: Container[str] | None) -> KeySum:
        """Check all items; their number and digest."""

    def write(
        self, catalog: VersionCatalog, info: VersionInfo, encoder: Encoder, *, is_resumed: bool
    ) -> None:
        """Encode and write what is missing or changed."""
