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
from zeroshot_core.encoders.modalities import content_name, parts_of
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.types import Content, Item

if TYPE_CHECKING:
    import numpy.typing as npt

    from zeroshot_core.types import Vectors

__all__ = [
    "BRIDGE_ARRAYS",
    "BridgeEncoder",
    "BridgeSpace",
    "apply_bridge",
    "directions",
    "nearness",
    "powers",
    "with_neighbours",
]

BridgeSpace: TypeAlias = Literal["joint", "right"]
_NEIGHBOURS = {
    "left.mean": 1,
    "left.weight": 2,
    "left.known": 2,
    "right.mean": 1,
    "right.weight": 2,
    "right.known": 2,
}
# Axes of the arrays by kind of map: one of the left side to the right space, or one for each side.
BRIDGE_ARRAYS: Mapping[str, Mapping[str, int]] = {
    "linear": {"left.mean": 1, "left.weight": 2, "left.bias": 1},
    "net": {"left.mean": 1, "left.hidden": 2, "left.hidden_bias": 1, "left.weight": 2, "left.bias": 1},
    "classes": {"left.classes": 2, "left.names": 2},
    "joint": {"left.mean": 1, "left.weight": 2, "right.mean": 1, "right.weight": 2},
    "neighbours": _NEIGHBOURS,
    "balanced": {**_NEIGHBOURS, "left.moved": 2, "left.level": 1, "right.moved": 2, "right.level": 1},
    "relative": {"left.mean": 1, "left.anchors": 2, "right.mean": 1, "right.anchors": 2},
}
_JOINT = ("joint", "neighbours", "balanced", "relative")
# Of relative vectors: anchors that count, and the power of their cosines; of mixtures: classes that count.
_NEAREST, _POWER, _MIXED = 100, 4, 10
# Of known pairs: how fast their share falls with the cosine, and what they count beside the vector, where
# hubs are corrected and where they are not.
_TEMPERATURE, _KNOWN_SHARE, _PLAIN_SHARE = 0.1, 0.8, 0.5
# Of hubs: cosines that count, their share, and the length of the numbers that tell it, small beside 1.
_HUB_NEAREST, _HUB_SHARE, _HUB_LENGTH = 10, 0.3, 0.3


class BridgeEncoder(Encoder):
    """Two encoders as one; `fit_bridge` learns what lies between.

    Of two encoders of texts the left one encodes queries, the right one documents. What only one of them
    reads, images or texts, is always encoded by that one; a text with an image has the unit mean of both.

    In the space ``"right"`` the right encoder's vectors stay as they are, so that an index made with it is
    searched as it is: open it with `document_fingerprint`.

    Parameters
    ----------
    left, right
        The encoders.
    kind
        ``"linear"``, ``"net"`` or ``"classes"`` into the space of `right`, ``"joint"``, ``"neighbours"``,
        ``"balanced"`` or ``"relative"`` into one of their own.
    arrays
        float32, by name, as `fit_bridge` learns them; weights have a row for each number that goes in.
    left_power
        What numbers of left vectors are raised to before all else, above 0 and at most 1.

    Raises
    ------
    InvalidInputError
        If the arrays do not suit the encoders.
    """

    def __init__(
        self,
        left: Encoder,
        right: Encoder,
        kind: str,
        arrays: Mapping[str, Vectors],
        *,
        left_power: float = 1.0,
    ) -> None:
        checks.choice("kind", kind, BRIDGE_ARRAYS)
        checks.instance("left", left, Encoder, remedy="open it with load_encoder")
        checks.instance("right", right, Encoder, remedy="open it with load_encoder")
        self._left, self._right, self._kind = left, right, kind
        self._left_power = checks.real("left_power", left_power, above=0.0, most=1.0)
        self._arrays = {name: np.array(rows, dtype=np.float32) for name, rows in arrays.items()}
        found = {name: rows.ndim for name, rows in self._arrays.items()}
        if found != dict(BRIDGE_ARRAYS[kind]) or not _fit(
            self._arrays, left.dimension, right.dimension, kind
        ):
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
        """What encodes queries, or what `right` does not read."""
        return self._left

    @property
    def right(self) -> Encoder:
        """What encodes documents, or what `left` does not read."""
        return self._right

    @property
    def space(self) -> BridgeSpace:
        """``"right"`` or ``"joint"``."""
        return "joint" if self._kind in _JOINT else "right"

    @property
    def dimension(self) -> int:
        """Length of the vectors."""
        if self.space == "right":
            return self._right.dimension
        if self._kind == "relative":
            return len(self._arrays["left.anchors"])
        return int(self._arrays["left.weight"].shape[1]) + (2 if self._kind == "balanced" else 0)

    @property
    def modalities(self) -> tuple[str, ...]:
        """What either of them reads."""
        return tuple(dict.fromkeys((*self._left.modalities, *self._right.modalities)))

    @property
    def languages(self) -> frozenset[str] | None:
        """Those of queries that are texts."""
        return self._encoder_of("text", "query").languages

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
                **self._powers(),
            }
        )

    @property
    def document_fingerprint(self) -> str:
        """The right encoder's where documents have its vectors, else that of the bridge."""
        return self._right.document_fingerprint if self.space == "right" else self.fingerprint

    def encode(
        self, contents: Sequence[Content], *, role: Role = "document", show_progress: bool = False
    ) -> Vectors:
        """Encode each content with the encoder that reads it, or that of the role, and map it.

        Raises
        ------
        InvalidInputError
            If the encoder refuses a content.
        """
        check_role(role)
        parts = parts_of(contents)
        rows = np.zeros((len(parts), self.dimension), dtype=np.float32)
        # An item, since the path of an image would be read as a text.
        of_images = [
            part.image if part.image is None else Item(id="image", image=part.image) for part in parts
        ]
        for modality, given in (("text", [part.text for part in parts]), ("image", of_images)):
            places = [place for place, content in enumerate(given) if content is not None]
            if places:
                encoder = self._encoder_of(modality, role)
                own = encoder.encode([given[i] for i in places], role=role, show_progress=show_progress)
                side = "left" if encoder is self._left else "right"
                if side == "left" and self._left_power != 1.0:
                    own = powers(own, self._left_power)
                rows[places] += unit_rows(apply_bridge(self._arrays, own, side), [modality] * len(places))
        return unit_rows(rows, [content_name(content) for content in contents]) if len(rows) else rows

    def _powers(self) -> dict[str, float]:
        """Nothing where there is none, so that bridges of old keep their fingerprints."""
        return {} if self._left_power == 1.0 else {"left_power": self._left_power}

    def _encoder_of(self, modality: str, role: Role) -> Encoder:
        """Choose the only one that reads it, or the one of the role."""
        first, second = (self._left, self._right) if role == "query" else (self._right, self._left)
        return first if modality in first.modalities or modality not in second.modalities else second

    def to_config(self) -> dict[str, Any]:
        """JSON-able: the configs of both, and what was learned."""
        return {
            "kind": "bridge",
            "name": self.name,
            "left": self._left.to_config(),
            "right": self._right.to_config(),
            "map": self._kind,
            "arrays": arrays_to_text(self._arrays),
            **self._powers(),
            "fingerprint": self.fingerprint,
            "dimension": self.dimension,
        }


def apply_bridge(arrays: Mapping[str, Vectors], rows: Vectors, side: str = "left") -> Vectors:
    """Map unit vectors of one side, shape (n, d); those of a side without a map stay as they are.

    ``"linear"``, ``"joint"`` and ``"net"`` centre them, apply one hidden layer of SiLU if there is one, and
    multiply. ``"neighbours"`` adds what the nearest known pairs have on their other side, mixed by the
    softmax of the cosines; ``"balanced"`` corrects hubs then, by two numbers more. ``"relative"`` gives
    powers of their cosines with the nearest anchors, about their mean.
    ``"classes"`` mixes the vectors of the names of the likeliest classes, by the softmax of their logits;
    unit vectors have lost the scale of these, which are standardised. The rows are not scaled to length 1.
    """
    if f"{side}.classes" in arrays:
        logits = rows @ arrays[f"{side}.classes"].T
        logits = (logits - logits.mean(axis=1, keepdims=True)) / (logits.std(axis=1, keepdims=True) + 1e-12)
        return _largest(np.exp(logits), _MIXED) @ arrays[f"{side}.names"]
    if f"{side}.mean" not in arrays:
        return rows
    x = rows - arrays[f"{side}.mean"]
    if f"{side}.anchors" in arrays:
        cosines = directions(x) @ arrays[f"{side}.anchors"].T
        return _largest(np.maximum(cosines, 1e-4) ** _POWER, _NEAREST)
    if f"{side}.hidden" in arrays:
        x = x @ arrays[f"{side}.hidden"] + arrays[f"{side}.hidden_bias"]
        x = x / (1.0 + np.exp(-np.clip(x, -60.0, 60.0)))
    y = x @ arrays[f"{side}.weight"]
    if f"{side}.known" in arrays:
        other = "left" if side == "right" else "right"
        known = arrays[f"{side}.known"], arrays[f"{other}.known"]
        if f"{side}.moved" not in arrays:
            return with_neighbours(y, *known, _PLAIN_SHARE)
        moved, level = directions(with_neighbours(y, *known)), float(arrays[f"{side}.level"][0])
        return _balanced(moved, arrays[f"{other}.moved"], level, side)
    return np.asarray(y + arrays[f"{side}.bias"] if f"{side}.bias" in arrays else y, dtype=np.float32)


def with_neighbours(
    y: npt.NDArray[Any], own: Vectors, others: Vectors, share: float = _KNOWN_SHARE
) -> Vectors:
    """Add the mean of the other sides of known pairs, by how near their own sides, `own`, are."""
    unit = directions(y)
    cosines = (unit @ own.T) / _TEMPERATURE
    weights = np.exp(cosines - cosines.max(axis=1, keepdims=True))
    return np.asarray(unit + share * directions(weights @ others), dtype=np.float32)


def nearness(rows: Vectors, others: Vectors) -> Vectors:
    """Mean cosine with the nearest of the other side; rows of length 1."""
    cosines = rows @ others.T
    n = min(_HUB_NEAREST, len(others))
    return np.asarray(np.partition(cosines, -n, axis=1)[:, -n:].mean(axis=1), dtype=np.float32)


def _balanced(rows: Vectors, others: Vectors, level: float, side: str) -> Vectors:
    """Add two numbers, so that products with the other side lack a share of the `nearness` of both.

    What is near to everything on the other side (Radovanović et al. 2010) would else be found for everything;
    this is the correction of Lample et al. (2018), in the vectors themselves. `level` is its mean.
    """
    told = (level - nearness(rows, others)) * np.float32(_HUB_SHARE / _HUB_LENGTH)
    one = np.full(len(rows), _HUB_LENGTH, dtype=np.float32)
    return np.column_stack([rows, *((told, one) if side == "left" else (one, told))])


def powers(rows: Vectors, power: float) -> Vectors:
    """Raise numbers to a power, their signs kept, and scale rows to length 1.

    Activations have few large numbers: their roots (Arandjelović and Zisserman 2012) weigh the others too.
    """
    return directions(np.sign(rows) * np.abs(rows) ** power)


def directions(rows: npt.NDArray[Any]) -> Vectors:
    """Scale rows to length 1; what has no direction stays near 0."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, 1e-12), dtype=np.float32)


def _largest(rows: Vectors, n: int) -> Vectors:
    """Keep the n largest numbers of each row, and make the others 0."""
    if rows.shape[1] <= n:
        return rows
    least = np.partition(rows, -n, axis=1)[:, -n]
    return np.asarray(np.where(rows >= least[:, None], rows, 0.0), dtype=np.float32)


def _fit(arrays: Mapping[str, Vectors], d: int, k: int, kind: str) -> bool:
    """Whether the arrays fit each other and encoders of `d` and `k` dimensions, and are finite."""
    if kind in {"classes", "relative"}:
        name = "left.classes" if kind == "classes" else "left.anchors"
        n = len(arrays[name])
        wanted: dict[str, tuple[int, ...]] = {name: (n, d)}
        if kind == "classes":
            wanted["left.names"] = (n, k)
        else:
            wanted |= {"left.mean": (d,), "right.mean": (k,), "right.anchors": (n, k)}
    else:
        n_in, n_out = arrays["left.weight"].shape
        wanted = {"left.mean": (d,), "left.weight": (n_in if kind == "net" else d, n_out)}
        if kind == "net":
            wanted |= {"left.hidden": (d, n_in), "left.hidden_bias": (n_in,)}
        if kind in _JOINT:
            wanted |= {"right.mean": (k,), "right.weight": (k, n_out)}
        else:
            wanted |= {"left.bias": (k,), "left.weight": (wanted["left.weight"][0], k)}
        if kind in {"neighbours", "balanced"}:
            n = len(arrays["left.known"])
            wanted |= {"left.known": (n, n_out), "right.known": (n, n_out)}
        if kind == "balanced":
            n = len(arrays["left.moved"])
            wanted |= {"left.moved": (n, n_out), "right.moved": (n, n_out)}
            wanted |= {"left.level": (1,), "right.level": (1,)}
    return all(arrays[name].shape == shape for name, shape in wanted.items()) and all(
        rows.size and bool(np.isfinite(rows).all()) for rows in arrays.values()
    )
