"""A trained head over an encoder whose own weights cannot be reached."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np

from zeroshot_core import checks
from zeroshot_core.encoders.base import Encoder, Role
from zeroshot_core.encoders.contents import unit_rows
from zeroshot_core.encoders.fingerprint import fingerprint_of
from zeroshot_core.encoders.modalities import content_name
from zeroshot_core.errors import ArtifactError, InvalidInputError
from zeroshot_core.files import digest, new_folder
from zeroshot_core.types import Content

if TYPE_CHECKING:
    from zeroshot_core.types import Vectors

__all__ = ["HeadEncoder", "HeadKind"]

HeadKind: TypeAlias = Literal["linear", "residual", "mlp"]

_FORMAT_VERSION = 1
_CONFIG, _WEIGHTS = "head.json", "head.safetensors"
_NAMES: dict[str, tuple[str, ...]] = {
    "linear": ("weight",),
    "residual": ("down", "up"),
    "mlp": ("down", "bias", "up"),
}


class HeadEncoder(Encoder):
    """Vectors of another encoder, changed by a small map and brought back to unit length.

    With ``v`` of shape (d,): linear ``W v``; residual ``v + U D v`` with ``D`` of shape (r, d); mlp
    ``v + U relu(D v + b)``.

    Parameters
    ----------
    base
        Any encoder; its vectors are what the head has learned to change.
    kind
        ``"linear"``, ``"residual"`` or ``"mlp"``.
    weights
        By name: ``weight`` (d, d); or ``down`` (r, d) and ``up`` (d, r), for an mlp with ``bias`` (r,).

    Raises
    ------
    InvalidInputError
        If the kind is unknown, or the weights are not finite or do not fit the base's dimension.
    """

    def __init__(self, base: Encoder, kind: HeadKind, weights: Mapping[str, Vectors]) -> None:
        checks.choice("kind of head", kind, get_args(HeadKind))
        if set(weights) != set(_NAMES[kind]):
            raise InvalidInputError(
                f"expected weights {_NAMES[kind]} of a {kind} head, got {sorted(weights)}"
            )
        shapes = {name: np.shape(weights[name]) for name in _NAMES[kind]}
        rank = shapes["down"][0] if len(shapes.get("down", ())) == 2 else 0
        d = base.dimension
        wanted = {"weight": (d, d), "down": (rank, d), "bias": (rank,), "up": (d, rank)}
        wrong = next((name for name, shape in shapes.items() if shape != wanted[name]), None)
        if wrong is not None:
            raise InvalidInputError(
                f"expected {wrong} of shape {wanted[wrong]} for vectors of length {d} from {base.name!r}, "
                f"got {shapes[wrong]}; train a head over this encoder with tune_head"
            )
        self._base, self._kind = base, kind
        self._weights = {name: np.array(weights[name], dtype=np.float32) for name in _NAMES[kind]}
        endless = [name for name, array in self._weights.items() if not np.isfinite(array).all()]
        if endless:
            raise InvalidInputError(
                f"expected finite weights of a {kind} head, got {endless[0]} with others; train it anew"
            )

    @property
    def name(self) -> str:
        """The base's name, and the kind of head."""
        return f"{self._base.name} + {self._kind} head"

    @property
    def base(self) -> Encoder:
        """What the head stands on."""
        return self._base

    def over(self, base: Encoder) -> HeadEncoder:
        """Put the same head over another encoder of the same vectors."""
        return HeadEncoder(base, self._kind, self._weights)

    @property
    def dimension(self) -> int:
        """The base's dimension."""
        return self._base.dimension

    @property
    def modalities(self) -> tuple[str, ...]:
        """The base's."""
        return self._base.modalities

    @property
    def languages(self) -> frozenset[str] | None:
        """The base's."""
        return self._base.languages

    @property
    def repeatability(self) -> float:
        """The base's."""
        return self._base.repeatability

    @property
    def fingerprint(self) -> str:
        """16 hex digits over the base's fingerprint and the weights of the head."""
        return fingerprint_of(
            {
                "kind": "head",
                "base": self._base.fingerprint,
                "head": self._kind,
                "weights": digest(*(self._weights[name].tobytes() for name in _NAMES[self._kind]), n=64),
            }
        )

    def encode(
        self, contents: Sequence[Content], *, role: Role = "document", show_progress: bool = False
    ) -> Vectors:
        """Encode with the base, then apply the head.

        Raises
        ------
        InvalidInputError
            If the base refuses a content.
        """
        contents = checks.sequence("contents", contents, of="texts or images")
        rows = self._base.encode(contents, role=role, show_progress=show_progress)
        return unit_rows(self._changed(rows), [content_name(content) for content in contents])

    def to_config(self) -> dict[str, Any]:
        """Refer to the base and to the head; the weights themselves are written by `save`."""
        return {
            "kind": "head",
            "name": self.name,
            "base": self._base.to_config(),
            "fingerprint": self.fingerprint,
            "dimension": self.dimension,
        }

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the head, not the base, into a folder.

        Raises
        ------
        InvalidInputError
            If the folder exists and is not empty.
        """
        from safetensors.numpy import save_file

        config = self.to_config() | {"format_version": _FORMAT_VERSION, "head": self._kind}
        with new_folder(folder) as draft:
            draft.mkdir()
            save_file(self._weights, draft / _WEIGHTS)
            (draft / _CONFIG).write_text(json.dumps(config), encoding="utf-8")

    @classmethod
    def load(cls, folder: str | os.PathLike[str], base: Encoder) -> HeadEncoder:
        """Open a saved head over its base, which is checked.

        Raises
        ------
        ArtifactError
            If the folder holds no head, or a damaged one.
        InvalidInputError
            If the base gives vectors of another length than the head was trained on.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        path = Path(folder)
        try:
            config = json.loads((path / _CONFIG).read_text(encoding="utf-8"))
            kind, version, fingerprint = config["head"], config["format_version"], config["fingerprint"]
            base_name = config["base"].get("name")
            weights = load_file(path / _WEIGHTS)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
            raise ArtifactError(f"expected a saved head in {path}, got a damaged one ({error})") from error
        if version != _FORMAT_VERSION:
            raise ArtifactError(f"{path}: expected format version {_FORMAT_VERSION}, got {version}")
        head = cls(base, kind, weights)
        if head.fingerprint != fingerprint:
            raise ArtifactError(
                f"{path}: expected the head and base of fingerprint {fingerprint}, got {head.fingerprint}; "
                f"open it over {base_name!r}, or train the head anew"
            )
        return head

    def _changed(self, rows: Vectors) -> Vectors:
        own = self._weights
        if self._kind == "linear":
            return np.asarray(rows @ own["weight"].T)
        inner = rows @ own["down"].T
        if self._kind == "mlp":
            inner = np.maximum(inner + own["bias"], 0.0)
        return np.asarray(rows + inner @ own["up"].T)
