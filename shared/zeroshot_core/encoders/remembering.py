"""An encoder that has read some texts before, so that they are not encoded again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.encoders.base import Encoder, Role
from zeroshot_core.encoders.wrapping import WrappingEncoder
from zeroshot_core.types import Content

if TYPE_CHECKING:
    from zeroshot_core.types import Vectors

__all__ = ["RememberingEncoder"]


class RememberingEncoder(WrappingEncoder):
    """Another encoder with the same vectors, which keeps those that it has computed.

    Parameters
    ----------
    encoder
        What encodes the contents not met before.
    """

    def __init__(self, encoder: Encoder) -> None:
        super().__init__(encoder)
        self._known: dict[tuple[Role, str], Vectors] = {}

    def encode(
        self, contents: Sequence[Content], *, role: Role = "document", show_progress: bool = False
    ) -> Vectors:
        """Encode the texts not met before, and look up the others."""
        new = list(dict.fromkeys(text for text in contents if (role, text) not in self._known))
        if new:
            vectors = self._encoder.encode(new, role=role, show_progress=show_progress)
            self._known.update(zip([(role, text) for text in new], vectors, strict=True))
        rows = [self._known[role, text] for text in contents]
        return np.stack(rows) if rows else np.empty((0, self.dimension), dtype=np.float32)
