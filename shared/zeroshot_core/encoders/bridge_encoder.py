"""Two frozen encoders that never met, as one: what was learned maps the vectors of one to the other's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from zeroshot_core import checks
from zeroshot_core.encoders.base import Encoder, Role
from zeroshot_core.encoders.config_arrays import arrays_digest, arrays_to_text
from zeroshot_core.encoders.contents import check_role, unit_rows
from zeroshot_core.encoders.fingerprint import fingerprint_of
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.types import Content

if TYPE_CHECKING:
    from zeroshot_core.types import Vectors

__all__ = ["BRIDGE_ARRAYS", "BridgeEncoder", "BridgeSpace", "apply_bridge"]

BridgeSpace: TypeAlias = Literal["joint", "right"]
# Axes of the arrays by kind of map: one of queries to the right space, or one for each side.
BRIDGE_ARRAYS: Mapping[str, Mapping[str, int]] = {
    "linear": {"left.mean": 1, "left.weight": 2, "left.bias": 1},
    "net": {"left.mean": 1, "left.hidden": 2, "left.hidden_bias": 1, "left.weight": 2, "left.bias": 1},
    "joint": {"left.mean": 1, "left.weight": 2, "right.mean": 1, "right.weight": 2},
}


class BridgeEncoder(Encoder):
    """Queries by one encoder, documents by another; `fit_bridge` learns what lies between.

    In the space ``"right"`` documents have the vectors of the right encoder, so that an index made with it is
    searched as it is: open it with `document_fingerprint`.

    Parameters
    ----------
    left
        Encodes what has the role ``"query"``.
    right
        Encodes what has the role ``"document"``.
    kind
        ``"linear"`` or ``"net"`` into the space of `right`, ``"joint"`` into one of its own.
    arrays
        float32, by name, as `fit_bridge` learns them; weights have a row for each number that goes in.

    Raises
    ------
    InvalidInputError
        If the arrays do not suit the encoders.
    """

    def __init__(self, left: Encoder, right: Encoder, kind: str, arrays: Mapping[str, Vectors]) -> None:
        checks.choice("kind", kind, BRIDGE_ARRAYS)
        checks.instance("left", left, Encoder, remedy="open it with load_encoder")
        checks.instance("right", right, Encoder, remedy="open it with load_encoder")
        self._left, self._right, self._kind = left, right, kind
        self._arrays = {name: np.array(rows, dtype=np.float32) for name, rows in arrays.items()}
        found = {name: rows.ndim for name, rows in self._arrays.items()}
        if found != dict(BRIDGE_ARRAYS[kind]) or not _fit(self._arrays, left, right, kind):
            shapes = {name: rows.shape for name, rows in self._arrays.items()}
            raise InvalidInputError(
                f"expected finite arrays of a {kind} bridge from {left.dimension} to {right.dimension} "
                f"numbers, got {checks.shown(shapes)}; fit one with fit_bridge"
            )

    @property
    def name(self) -> str:
        """Both names."""
        return f"{self._left.name} -> {self._right.name}"

    @property
    def left(self) -> Encoder:
        """What encodes queries."""
        return self._left

    @property
    def right(self) -> Encoder:
        """What encodes documents."""
        return self._right

    @property
    def space(self) -> BridgeSpace:
        """``"right"`` or ``"joint"``."""
        return "joint" if self._kind == "joint" else "right"

    @property
    def dimension(self) -> int:
        """Length of the vectors."""
        return int(self._arrays["left.weight"].shape[1])

    @property
    def languages(self) -> frozenset[str] | None:
        """The left encoder's: those of queries."""
        return self._left.languages

    @property
    def repeatability(self) -> float:
        """The lower of both."""
        return min(self._left.repeatability, self._right.repeatability)

    @property
    def fingerprint(self) -> str:
        """16 hex digits over both fingerprints and what was learned."""
        return fingerprint_of(
            {
                "kind": "bridge",
                "left": self._left.fingerprint,
                "right": self._right.fingerprint,
                "map": self._kind,
                "arrays": arrays_digest(self._arrays),
            }
        )

    @property
    def document_fingerprint(self) -> str:
        """The right encoder's where documents have its vectors, else that of the bridge."""
        return self._right.document_fingerprint if self.space == "right" else self.fingerprint

    def encode(
        self, contents: Sequence[Content], *, role: Role = "document", show_progress: bool = False
    ) -> Vectors:
        """Encode queries with the left encoder and documents with the right one, and map them.

        Raises
        ------
        InvalidInputError
            If the encoder refuses a content.
        """
        check_role(role)
        contents = checks.sequence("contents", contents, of="texts or images")
        side, encoder = ("left", self._left) if role == "query" else ("right", self._right)
        rows = encoder.encode(contents, role=role, show_progress=show_progress)
        if side == "right" and self.space == "right":
            return rows
        return unit_rows(apply_bridge(self._arrays, rows, side), [str(content) for content in contents])

    def to_config(self) -> dict[str, Any]:
        """JSON-able: the configs of both, and what was learned."""
        return {
            "kind": "bridge",
            "name": self.name,
            "left": self._left.to_config(),
            "right": self._right.to_config(),
            "map": self._kind,
            "arrays": arrays_to_text(self._arrays),
            "fingerprint": self.fingerprint,
            "dimension": self.dimension,
        }


def apply_bridge(arrays: Mapping[str, Vectors], rows: Vectors, side: str = "left") -> Vectors:
    """Map vectors of one side, shape (n, d): centre them, one hidden layer of SiLU if there is one, multiply.

    They are not scaled to length 1.
    """
    x = rows - arrays[f"{side}.mean"]
    if f"{side}.hidden" in arrays:
        x = x @ arrays[f"{side}.hidden"] + arrays[f"{side}.hidden_bias"]
        x = x / (1.0 + np.exp(-np.clip(x, -60.0, 60.0)))
    y = x @ arrays[f"{side}.weight"]
    return np.asarray(y + arrays[f"{side}.bias"] if f"{side}.bias" in arrays else y, dtype=np.float32)


def _fit(arrays: Mapping[str, Vectors], left: Encoder, right: Encoder, kind: str) -> bool:
    """Whether the arrays fit each other and both encoders, and are finite."""
    d, (n_in, n_out) = left.dimension, arrays["left.weight"].shape
    wanted = {"left.mean": (d,), "left.weight": (n_in, n_out)}
    if kind == "net":
        wanted |= {"left.hidden": (d, n_in), "left.hidden_bias": (n_in,)}
    elif n_in != d:
        return False
    if kind == "joint":
        wanted |= {"right.mean": (right.dimension,), "right.weight": (right.dimension, n_out)}
    else:
        wanted["left.bias"] = (right.dimension,)
        if n_out != right.dimension:
            return False
    return all(arrays[name].shape == shape for name, shape in wanted.items()) and all(
        bool(np.isfinite(rows).all()) for rows in arrays.values()
    )
