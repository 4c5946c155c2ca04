"""Several encoders as one, whose cosine is the weighted mean of theirs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core import checks
from zeroshot_core.encoders.base import Encoder, Role
from zeroshot_core.encoders.fingerprint import fingerprint_of
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.types import Content

if TYPE_CHECKING:
    from zeroshot_core.types import Vectors

__all__ = ["SideBySideEncoder"]


class SideBySideEncoder(Encoder):
    """Unit vectors of several encoders, one after the other, each times the root of its weight.

    Parameters
    ----------
    encoders
        At least two.
    weights
        Positive numbers, one for each encoder, scaled to sum to 1; by default all alike.

    Raises
    ------
    InvalidInputError
        If there are fewer than two encoders, or not one positive weight for each.
    """

    def __init__(self, encoders: Sequence[Encoder], weights: Sequence[float] | None = None) -> None:
        self._encoders: list[Encoder] = checks.sequence("encoders", encoders, of="encoders")
        for encoder in self._encoders:
            checks.instance("each of encoders", encoder, Encoder, remedy="open it with load_encoder")
        if len(self._encoders) < 2:
            raise InvalidInputError(f"expected at least two encoders, got {len(self._encoders)}")
        given = checks.numbers("weights", np.ones(len(self._encoders)) if weights is None else weights)
        if given.shape != (len(self._encoders),) or not (np.isfinite(given) & (given > 0)).all():
            raise InvalidInputError(
                f"expected a positive weight for each of {len(self._encoders)} encoders, "
                f"got {checks.shown(weights)}"
            )
        self._weights = given / given.sum()

    @property
    def name(self) -> str:
        """The names, joined."""
        return " + ".join(encoder.name for encoder in self._encoders)

    @property
    def encoders(self) -> tuple[Encoder, ...]:
        """The encoders, in order."""
        return tuple(self._encoders)

    @property
    def weights(self) -> tuple[float, ...]:
        """The weights, which sum to 1."""
        return tuple(self._weights.tolist())

    @property
    def dimension(self) -> int:
        """The sum of the dimensions."""
        return sum(encoder.dimension for encoder in self.encoders)

    @property
    def modalities(self) -> tuple[str, ...]:
        """What all of them take."""
        return tuple(
            kind for kind in self._encoders[0].modalities if all(kind in e.modalities for e in self._encoders)
        )

    @property
    def languages(self) -> frozenset[str] | None:
        """The languages that all read, as far as they are known."""
        known = [encoder.languages for encoder in self._encoders if encoder.languages is not None]
        return reduce(frozenset.intersection, known) if known else None

    @property
    def repeatability(self) -> float:
        """The least of all."""
        return min(encoder.repeatability for encoder in self.encoders)

    @property
    def fingerprint(self) -> str:
        """16 hex digits over the fingerprints and the weights."""
        parts = [encoder.fingerprint for encoder in self._encoders]
        return fingerprint_of({"kind": "side by side", "encoders": parts, "weights": self._weights.tolist()})

    def encode(
        self, contents: Sequence[Content], *, role: Role = "document", show_progress: bool = False
    ) -> Vectors:
        """Encode with each of them.

        Raises
        ------
        InvalidInputError
            If one refuses a content.
        """
        contents = checks.sequence("contents", contents, of="texts or images")
        rows = [
            np.sqrt(weight) * encoder.encode(contents, role=role, show_progress=show_progress)
            for encoder, weight in zip(self._encoders, self._weights, strict=True)
        ]
        return np.concatenate(rows, axis=1, dtype=np.float32)

    def to_config(self) -> dict[str, Any]:
        """JSON-able: the configs of all, and the weights."""
        return {
            "kind": "side by side",
            "name": self.name,
            "encoders": [encoder.to_config() for encoder in self._encoders],
            "weights": self._weights.tolist(),
            "fingerprint": self.fingerprint,
            "dimension": self.dimension,
        }
