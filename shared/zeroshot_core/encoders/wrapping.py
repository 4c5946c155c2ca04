"""Encoders that stand in for another one and give the same vectors."""

from __future__ import annotations

from typing import Any

from zeroshot_core.encoders.base import Encoder

__all__ = ["WrappingEncoder"]


class WrappingEncoder(Encoder):
    """Another encoder with the same vectors; how it comes by them is up to its `encode`.

    Parameters
    ----------
    encoder
        What encodes the contents that are not known.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder

    @property
    def name(self) -> str:
        """The inner encoder's name."""
        return self._encoder.name

    @property
    def dimension(self) -> int:
        """The inner encoder's dimension."""
        return self._encoder.dimension

    @property
    def fingerprint(self) -> str:
        """The inner encoder's: the vectors are the same."""
        return self._encoder.fingerprint

    @property
    def repeatability(self) -> float:
        """The inner encoder's."""
        return self._encoder.repeatability

    def to_config(self) -> dict[str, Any]:
        """Refer to the inner encoder."""
        return self._encoder.to_config()
