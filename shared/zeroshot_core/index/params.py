"""Index types, metrics and their parameters: what may be asked, and which target serves it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from zeroshot_core import checks
from zeroshot_core.errors import InvalidInputError, UnsupportedIndexError

if TYPE_CHECKING:
    import numpy.typing as npt

    from zeroshot_core.types import Floats

__all__ = ["INDEX_TYPES", "LITE_INDEX_TYPES", "METRICS", "IndexParams", "to_relevance", "to_scores"]

Parameter: TypeAlias = "int | bool"
Range: TypeAlias = tuple[int, int]
"""Least and greatest value; False and True of what is either."""

METRICS = ("COSINE", "IP", "L2")

_IVF_BUILD: Mapping[str, Range] = {"nlist": (1, 65536)}
_IVF_SEARCH: Mapping[str, Range] = {"nprobe": (1, 65536)}
_BUILD: Mapping[str, Mapping[str, Range]] = {
    "AUTOINDEX": {},
    "FLAT": {},
    "HNSW": {"M": (4, 64), "efConstruction": (8, 512)},
    "IVF_FLAT": _IVF_BUILD,
    "IVF_SQ8": _IVF_BUILD,
    "IVF_PQ": {**_IVF_BUILD, "m": (1, 65536), "nbits": (1, 16)},
    "SCANN": {**_IVF_BUILD, "with_raw_data": (False, True)},
    "DISKANN": {},
}
_SEARCH: Mapping[str, Mapping[str, Range]] = {
    "AUTOINDEX": {},
    "FLAT": {},
    "HNSW": {"ef": (1, 32768)},
    "IVF_FLAT": _IVF_SEARCH,
    "IVF_SQ8": _IVF_SEARCH,
    "IVF_PQ": _IVF_SEARCH,
    "SCANN": {**_IVF_SEARCH, "reorder_k": (1, 16384)},
    "DISKANN": {"search_list": (1, 65535)},
}
_DEFAULTS: Mapping[str, Parameter] = {
    "M": 16,
    "efConstruction": 200,
    "ef": 64,
    "nlist": 128,
    "nprobe": 32,
    "nbits": 8,
    "search_list": 100,
}

INDEX_TYPES = tuple(_BUILD)
# Milvus Lite takes any name, but builds only these; for others its builder fails in the background and every
# search silently scans all rows.
LITE_INDEX_TYPES = ("AUTOINDEX", "FLAT", "HNSW", "IVF_FLAT", "IVF_SQ8")
# A server builds no index over less than 1,024 rows of a segment. It searches 16 of 128 cells in place of it,
# and so finds nothing where a filter leaves only rows of other cells. Flat, it compares all rows.
_FEWEST_INDEXED = 2048


@dataclass(frozen=True)
class IndexParams:
    """Type, metric and parameters of the vector indexes of all collections.

    Vectors have unit length, so the three metrics rank alike and give the same scores.

    Parameters
    ----------
    index_type
        ``FLAT`` (exact), ``HNSW``, ``IVF_FLAT``, ``IVF_SQ8``, ``IVF_PQ``, ``SCANN``, ``DISKANN``, or
        ``AUTOINDEX``: the server's own choice, and ``FLAT`` on Milvus Lite, whose graph index takes longer to
        build than it saves. On a server what is built with fewer than 2,048 rows is ``FLAT`` whatever the
        type, for a server does not index so few (`build_options`).
    metric
        ``COSINE``, ``IP`` or ``L2``.
    build
        HNSW: `M` 4-64, `efConstruction` 8-512. IVF and SCANN: `nlist` 1-65536. IVF_PQ: `m` (a divisor of
        the dimension), `nbits` 1-16. SCANN: `with_raw_data`.
    search
        HNSW: `ef`. IVF and SCANN: `nprobe`. SCANN: `reorder_k`. DISKANN: `search_list`. `ef`, `reorder_k`
        and `search_list` are raised to the number of hits asked for.
    lexical
        Whether the words of the items' texts are indexed too, by Milvus's BM25, for
        `Retriever(lexical_weight=...)`: on Milvus Lite and servers of 2.5 or later.

    Raises
    ------
    InvalidInputError
        If the type, the metric or a parameter is unknown or out of range.
    """

    index_type: str = "AUTOINDEX"
    metric: str = "COSINE"
    build: Mapping[str, Parameter] = field(default_factory=dict)
    search: Mapping[str, Parameter] = field(default_factory=dict)
    lexical: bool = False

    def __post_init__(self) -> None:
        checks.choice("index_type", self.index_type, INDEX_TYPES)
        checks.choice("metric", self.metric, METRICS)
        checks.flag("lexical", self.lexical)
        for when, allowed in (("build", _BUILD[self.index_type]), ("search", _SEARCH[self.index_type])):
            given = _checked_parameters(self.index_type, when, getattr(self, when), allowed)
            object.__setattr__(self, when, MappingProxyType(given))

    def __reduce__(self) -> tuple[Any, ...]:
        return IndexParams, (self.index_type, self.metric, dict(self.build), dict(self.search), self.lexical)

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionary from which ``IndexParams(**d)`` makes the same parameters."""
        values: dict[str, Any] = {
            "index_type": self.index_type,
            "metric": self.metric,
            "build": dict(self.build),
            "search": dict(self.search),
        }
        # Ids of versions are made of this: those without words keep theirs.
        return values | ({"lexical": True} if self.lexical else {})

    def check_target(self, *, is_lite: bool) -> None:
        """Refuse an index type that the target cannot build.

        Raises
        ------
        UnsupportedIndexError
            If Milvus Lite is asked for a type that only a server builds.
        """
        if is_lite and self.index_type not in LITE_INDEX_TYPES:
            raise UnsupportedIndexError(
                f"expected an index type that Milvus Lite builds ({', '.join(LITE_INDEX_TYPES)}), "
                f"got {self.index_type}; choose one of these or use a Milvus server (uri='http://...')"
            )

    @property
    def tolerance(self) -> float:
        """How far from 1 a vector's score with itself may be: quantised indexes score approximately."""
        return 0.25 if self.index_type in ("IVF_SQ8", "IVF_PQ", "SCANN", "DISKANN") else 1e-2

    def check_dimension(self, dimension: int) -> None:
        """Refuse vectors that IVF_PQ cannot cut into the given number of parts.

        Raises
        ------
        InvalidInputError
            If `m` does not divide the dimension.
        """
        m = int(self.build.get("m", 1))
        if dimension % m:
            raise InvalidInputError(f"expected m to divide the dimension {dimension}, got m={m}")

    def build_options(self, dimension: int, n_rows: int, *, is_lite: bool) -> dict[str, Any]:
        """Arguments of Milvus' ``add_index`` for vectors of this dimension.

        On a server the number of rows at the build decides: fewer than 2,048 are compared one by one, which
        is exact. So they are after upserts too, until the items are built anew: a server takes an index away
        only from a collection that nobody searches meanwhile, and compares some ten thousand rows within
        milliseconds.

        Parameters
        ----------
        n_rows
            Of the collection when it is built.
        """
        is_flat = self.index_type == "AUTOINDEX" if is_lite else n_rows < _FEWEST_INDEXED
        kind = "FLAT" if is_flat else self.index_type
        params = {name: self.build.get(name, _DEFAULTS.get(name)) for name in _BUILD[kind]}
        if "m" in params:
            params["m"] = self.build.get("m", math.gcd(dimension, 32))
        params = {name: value for name, value in params.items() if value is not None}
        # The client spreads `params` over the request, where a server looks; Milvus Lite looks for one entry.
        return {
            "index_type": kind,
            "metric_type": self.metric,
            "params": {"params": params} if is_lite else params,
        }

    def search_options(self, top_k: int) -> dict[str, Any]:
        """Milvus ``search_params`` for this number of hits."""
        params = {name: self.search.get(name, _DEFAULTS.get(name)) for name in _SEARCH[self.index_type]}
        known = {name: value for name, value in params.items() if value is not None}
        for name in ("ef", "search_list", "reorder_k"):
            if name in known:
                known[name] = max(int(known[name]), top_k)
        return {"metric_type": self.metric, "params": known}


def to_scores(distances: npt.ArrayLike, metric: str) -> Floats:
    """Turn what Milvus returns into cosine similarities or BM25 scores: higher is better.

    For unit vectors the squared Euclidean distance, which Milvus returns for L2, is ``2 - 2 cos``, so
    ``cos = 1 - d / 2``. Cosine and inner product are similarities already. BM25 is a score on a server, and
    its negative on Milvus Lite.
    """
    given: Floats = np.asarray(distances)
    if metric == "BM25":
        return np.abs(given)
    return 1.0 - given / 2.0 if metric == "L2" else given


def to_distances(scores: npt.ArrayLike, metric: str) -> Floats:
    """Give the distances that `to_scores` makes scores of."""
    given: Floats = np.asarray(scores)
    return 2.0 * (1.0 - given) if metric == "L2" else given


def to_relevance(distance: float, metric: str) -> float:
    """Turn what Milvus returns into LangChain's relevance: ``(1 + cos) / 2``, from 0 to 1."""
    cosine = 1.0 - distance / 2.0 if metric == "L2" else distance
    return min(max((1.0 + cosine) / 2.0, 0.0), 1.0)


def _checked_parameters(
    index_type: str, when: str, given: Mapping[str, Parameter], allowed: Mapping[str, Range]
) -> dict[str, Parameter]:
    listing = ", ".join(f"{name} {low}-{high}" for name, (low, high) in allowed.items()) or "none"
    if not isinstance(given, Mapping):
        raise InvalidInputError(
            f"expected {when} parameters of {index_type} as a mapping, got {checks.shown(given)}"
        )
    checked: dict[str, Parameter] = {}
    for name, value in given.items():
        if name not in allowed:
            raise InvalidInputError(
                f"expected {when} parameters of {index_type} among: {listing}; got "
                f"{checks.shown(name)}: {checks.shown(value)}"
            )
        low, high = allowed[name]
        if not isinstance(low, bool):
            checked[name] = checks.whole(f"{name} of {index_type}", value, least=low, most=high)
        elif isinstance(value, bool):
            checked[name] = value
        else:
            raise InvalidInputError(
                f"expected {name} of {index_type} as True or False, got {checks.shown(value)}"
            )
    return checked
