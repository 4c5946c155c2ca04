"""Learning what lies between two frozen encoders from few pairs, with a guard."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, get_args

import numpy as np

from zeroshot_core import checks
from zeroshot_core.encoders import BridgeEncoder, Encoder, Role
from zeroshot_core.encoders.bridge_encoder import BridgeSpace, apply_bridge, powers
from zeroshot_core.encoders.contents import unit_rows
from zeroshot_core.errors import InvalidInputError, TooLittleError
from zeroshot_core.statistics import percentile_interval, resampled_means
from zeroshot_core.training.bridge_maps import class_mixture_map, fitted_map, map_kind, map_methods

if TYPE_CHECKING:
    from zeroshot_core.types import Content, Floats, Ints, Vectors

    Arrays = Mapping[str, Vectors]

__all__ = ["BridgeReport", "Pair", "fit_bridge"]

Pair: TypeAlias = "str | tuple[Content, Content]"
# Each pair is held out once, in so many folds; of many pairs one fold is held out, and so many are compared.
_FOLDS, _MOST_COMPARED = 5, 1000
_FEWEST_PAIRS = 20
# Up to so many pairs, those held out are sought among the known ones too.
_FEW_PAIRS = 400
# How far rows that are given as vectors lie from their mean, beside what is encoded.
_SPREAD = 0.5
_N_RESAMPLES = 1000
# Of left vectors without a negative number, which are activations.
_ROOT = 0.5


@dataclass(frozen=True, kw_only=True)
class BridgeReport:
    """What a bridge was chosen by: pairs held out, whole groups where there are groups.

    Parameters
    ----------
    method
        The map that was kept, fitted on all pairs.
    scores
        Mean reciprocal rank of the right side of a held-out pair among those held out together and, of up
        to 400 pairs, the known ones, by method; empty where there were no pairs to hold out.
    baseline
        The same, asked by the right side of the nearest known left side, which needs no map and is not
        sought.
    gain, interval
        Of the kept map over the baseline: mean difference, and its interval with coverage 0.95 (paired
        bootstrap).
    n_pairs
        Free ones among them.
    """

    method: str
    scores: Mapping[str, float]
    baseline: float
    gain: float
    interval: tuple[float, float]
    n_pairs: int
    n_held_out: int

    @property
    def is_better(self) -> bool:
        """Whether the map beats the nearest known pair beyond chance."""
        return self.interval[0] > 0


def fit_bridge(
    left: Encoder,
    right: Encoder,
    pairs: Sequence[Pair],
    *,
    free_pairs: Sequence[Pair] | None = None,
    space: BridgeSpace = "right",
    groups: Sequence[Hashable] | None = None,
    random_state: int = 0,
) -> tuple[BridgeEncoder, BridgeReport]:
    """Learn a map between two frozen encoders: of texts, or of images and texts.

    Into the space of `right`, ridge regression, a rotation (Procrustes) and canonical correlations are tried;
    from 10,000 pairs on a network with one hidden layer too, trained by the in-batch contrastive loss (Oord
    et al. 2018). Into a joint space, canonical correlations, whose vectors move to the other sides of the
    pairs that they are near to, less what is near to everything; and how near each side is to those of the
    pairs (Norelli et al. 2023, ASIF); up to some thousand pairs, which are kept with the encoder. What ranks
    the right sides of held-out pairs best is fitted anew on all pairs. A warning tells where it is not surely
    better than the right side of the nearest known left side. Left vectors without a negative number are
    activations, and their roots taken.

    Parameters
    ----------
    left, right
        Queries are encoded by the first, documents by the second; or, of an encoder of images and one of
        texts, each what it reads.
    pairs
        Texts that both read; or pairs, the left side first. None at all will do where there are free pairs of
        a classifier: their names are mixed by its probabilities then (Norouzi et al. 2014, ConSE).
    free_pairs
        Further pairs to learn from, which are never held out. A side may be a vector instead of a content,
        such as a classifier's row for the class that the other side names: see `class_pairs` of
        `EfficientNetEncoder`.
    space
        ``"right"`` searches an index made with `right` as it is; ``"joint"`` maps both sides, which finds
        more between images and texts.
    groups
        Shape (n_pairs,): what is held out as a whole; by default pairs with the same right side.
    random_state
        Seed of the folds and of the network.

    Raises
    ------
    TooLittleError
        If there are fewer than 20 distinct pairs, or one group only.
    InvalidInputError
        If a pair is neither a text nor two contents, or a vector does not suit its encoder.
    """
    checks.choice("space", space, get_args(BridgeSpace))
    seed = checks.whole("random_state", random_state)
    given, extra = _checked("pairs", pairs), _checked("free_pairs", free_pairs or [])
    named = [_key(pair[1]) for pair in given] if groups is None else groups
    group_of = checks.groups(named, len(given), of="pair")
    chosen = {
        tuple(map(_key, pair)): (*pair, group) for pair, group in zip(given, group_of, strict=True)
    }.values()
    if not chosen and extra:
        return _class_bridge(left, right, extra, space)
    if len(chosen) < _FEWEST_PAIRS:
        raise TooLittleError(f"expected at least {_FEWEST_PAIRS} distinct pairs, got {len(chosen)}")
    rng = np.random.default_rng(seed)
    folds = _folds([group for _, _, group in chosen], rng)
    x = left.encode([one for one, _, _ in chosen], role="query")
    y = right.encode([other for _, other, _ in chosen])
    power = _ROOT if (x >= 0).all() else 1.0
    x = x if power == 1.0 else powers(x, power)
    x_free, y_free = _free_sides(left, right, extra, x, y, power)
    methods = map_methods(space, len(x) - int((folds == 0).sum()) + len(extra))
    ranks, nearest = _held_out_ranks(methods, space, (x, y), (x_free, y_free), folds, seed)
    scores = {name: float(part.mean()) for name, part in ranks.items()}
    method = max(scores, key=lambda name: scores[name])
    gains = ranks[method] - nearest
    report = BridgeReport(
        method=method,
        scores=scores,
        baseline=float(nearest.mean()),
        gain=float(gains.mean()),
        interval=percentile_interval(resampled_means(gains, _N_RESAMPLES, rng)),
        n_pairs=len(chosen) + len(extra),
        n_held_out=int((folds >= 0).sum()),
    )
    if not report.is_better:
        low, high = report.interval
        checks.warn(
            f"the bridge is no better than the nearest known pair: {report.gain:+.3f} in mean reciprocal "
            f"rank, {low:+.3f} to {high:+.3f}, on {len(gains)} pairs held out; give more pairs, or encoders "
            "that suit what is in them"
        )
    sides = np.concatenate([x, x_free]), np.concatenate([y, y_free])
    arrays = fitted_map(method, space, *sides, seed, n_free=len(x_free))
    return BridgeEncoder(left, right, map_kind(method, space), arrays, left_power=power), report


def _checked(name: str, pairs: object) -> list[tuple[Any, Any]]:
    """Read pairs; a text stands for both sides."""
    given = checks.sequence(name, pairs, of="texts or pairs")
    read = [(pair, pair) if isinstance(pair, str) else pair for pair in given]
    for row, pair in enumerate(read):
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise InvalidInputError(
                f"expected {name} as texts or pairs of texts or images, got {checks.shown(pair)} in row "
                f"{row}; give what the left encoder reads first, then what the right one reads"
            )
    return [(_repaired(one), _repaired(other)) for one, other in read]


def _repaired(content: Content) -> Content:
    return checks.repaired_text(content) if isinstance(content, str) else content


def _key(content: Content) -> Hashable:
    """Tell contents apart by what they are, or by which they are where that cannot be."""
    if isinstance(content, os.PathLike):
        return str(os.fspath(content))
    return content if isinstance(content, str | bytes) else id(content)


def _folds(groups: list[Hashable], rng: np.random.Generator) -> Ints:
    """Which fold each pair is held out in, whole groups at a time; -1 where it never is."""
    names = list(dict.fromkeys(groups))
    if len(names) < 2:
        raise TooLittleError(f"expected at least 2 groups of pairs, got {checks.shown(names)}")
    n_folds = min(_FOLDS, len(names))
    fold_of = {names[place]: i % n_folds for i, place in enumerate(rng.permutation(len(names)))}
    folds = np.array([fold_of[group] for group in groups], dtype=np.int64)
    return folds if len(groups) <= _MOST_COMPARED else np.where(folds == 0, 0, -1)


def _free_sides(
    left: Encoder, right: Encoder, pairs: list[tuple[Any, Any]], x: Vectors, y: Vectors, power: float
) -> tuple[Vectors, Vectors]:
    """Vectors of free pairs beside those of the others, `x` (raised to `power`) and `y`.

    Rows of a classifier are no vectors that it would give: see `_as_encoded`. Their other sides are moved to
    the mean of those of the others.
    """
    if not pairs:
        return x[:0], y[:0]
    (free_x, is_x_given), (free_y, is_y_given) = (
        _side(encoder, [pair[place] for pair in pairs], role)
        for place, (encoder, role) in enumerate(_sides(left, right))
    )
    if power != 1.0 and not is_x_given:
        free_x = powers(free_x, power)
    if is_x_given or is_y_given:
        free_x, free_y = (
            (_as_encoded if is_given else _moved)(rows, beside)
            for rows, beside, is_given in ((free_x, x, is_x_given), (free_y, y, is_y_given))
        )
    return free_x, free_y


def _sides(left: Encoder, right: Encoder) -> tuple[tuple[Encoder, Role], tuple[Encoder, Role]]:
    return (left, "query"), (right, "document")


def _side(encoder: Encoder, given: list[Any], role: Role) -> tuple[Vectors, bool]:
    """Vectors of one side of free pairs, and whether they were given as such."""
    if not isinstance(given[0], np.ndarray):
        return encoder.encode(given, role=role), False
    remedy = f"give one for each pair, of the dimension of {encoder.name}"
    return checks.vectors("the vectors of free_pairs", given, (None, encoder.dimension), remedy=remedy), True


def _moved(rows: Vectors, beside: Vectors) -> Vectors:
    return np.asarray(beside.mean(axis=0) + rows - rows.mean(axis=0), dtype=np.float32)


def _as_encoded(rows: Vectors, beside: Vectors) -> Vectors:
    """Vectors such as those `beside` of what a classifier's rows stand for.

    A row is the mean of a class seen through the inverse covariance, as of linear discriminants, so that the
    covariance takes it back to the mean. Few vectors tell the covariance roughly: half of it is theirs, half
    is alike in all directions, and lengths are made a share of theirs.
    """
    spread = beside - beside.mean(axis=0)
    centred = rows - rows.mean(axis=0)
    halves = (centred, centred @ spread.T @ spread)
    length = _SPREAD * _mean_length(spread)
    sum_of_halves = sum(half / _mean_length(half) for half in halves)
    return _moved(sum_of_halves * np.float32(length / _mean_length(sum_of_halves)), beside)


def _mean_length(rows: Vectors) -> float:
    return max(float(np.linalg.norm(rows, axis=1).mean()), 1e-12)


def _held_out_ranks(
    methods: Sequence[str],
    space: BridgeSpace,
    pairs: tuple[Vectors, Vectors],
    free: tuple[Vectors, Vectors],
    folds: Ints,
    seed: int,
) -> tuple[dict[str, Floats], Floats]:
    """Reciprocal ranks of held-out pairs by method, and by the nearest known pair.

    Of few pairs, right sides of known ones are sought beside those held out: among few sides, maps that tell
    little apart win. The nearest known pair does not meet its own.
    """
    (x, y), rng = pairs, np.random.default_rng(seed)
    ranks: dict[str, list[Floats]] = {name: [] for name in methods}
    by_nearest = []
    for fold in range(folds.max() + 1):
        known = folds != fold
        asked = rng.permutation(np.flatnonzero(~known))[:_MOST_COMPARED]
        others = np.flatnonzero(known & (len(y) <= _FEW_PAIRS))
        goals, own = _distinct(y[np.concatenate([asked, others])])
        own = own[: len(asked)]
        nearest = (x[asked] @ x[known].T).argmax(axis=1)
        by_nearest.append(_reciprocal_ranks(y[known][nearest], goals, own, n_met=min(len(others), 1)))
        sides = np.concatenate([x[known], free[0]]), np.concatenate([y[known], free[1]])
        for name in methods:
            arrays = fitted_map(name, space, *sides, seed, n_free=len(free[0]))
            ranks[name].append(_hits(arrays, x[asked], goals, own))
    return {name: np.concatenate(parts) for name, parts in ranks.items()}, np.concatenate(by_nearest)


def _class_bridge(
    left: Encoder, right: Encoder, pairs: list[tuple[Any, Any]], space: BridgeSpace
) -> tuple[BridgeEncoder, BridgeReport]:
    """Make one of what a classifier says without any pair; nothing can be held out."""
    rows, is_given = _side(left, [pair[0] for pair in pairs], "query")
    if not is_given or space != "right":
        raise TooLittleError(
            f"expected at least {_FEWEST_PAIRS} distinct pairs, got none; without any, give free_pairs of "
            "vectors and names, as EfficientNetEncoder.class_pairs has them, and the space 'right'"
        )
    arrays = class_mixture_map(rows, right.encode([pair[1] for pair in pairs]))
    report = BridgeReport(
        method="classes",
        scores={},
        baseline=0.0,
        gain=0.0,
        interval=(0.0, 0.0),
        n_pairs=len(pairs),
        n_held_out=0,
    )
    return BridgeEncoder(left, right, "classes", arrays), report


def _distinct(rows: Vectors) -> tuple[Vectors, Ints]:
    """Right sides that differ, and which of them each one is."""
    goals, own = np.unique(rows, axis=0, return_inverse=True)
    return goals, own.reshape(-1)


def _hits(arrays: Arrays, x: Vectors, goals: Vectors, own: Ints) -> Floats:
    mapped, sought = apply_bridge(arrays, x, "left"), apply_bridge(arrays, goals, "right")
    return _reciprocal_ranks(
        unit_rows(mapped, [""] * len(mapped)), unit_rows(sought, [""] * len(sought)), own
    )


def _reciprocal_ranks(mapped: Vectors, goals: Vectors, own: Ints, n_met: int = 0) -> Floats:
    """Reciprocal rank of the own right side among all but so many above it; the last of equals."""
    cosines = mapped @ goals.T
    reached = cosines[np.arange(len(own)), own][:, None]
    ranks = np.maximum((cosines >= reached).sum(axis=1) - n_met, 1)
    return np.asarray(1.0 / ranks, dtype=np.float64)
