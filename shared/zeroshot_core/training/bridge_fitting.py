"""Learning what lies between two frozen encoders from few pairs, with a guard."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from zeroshot_core import checks
from zeroshot_core.encoders import BridgeEncoder, Encoder
from zeroshot_core.encoders.bridge_encoder import BridgeSpace, apply_bridge
from zeroshot_core.encoders.contents import unit_rows
from zeroshot_core.errors import InvalidInputError, TooLittleError
from zeroshot_core.statistics import percentile_interval, resampled_means

if TYPE_CHECKING:
    import numpy.typing as npt
    from torch import Tensor

    from zeroshot_core.types import Floats, Vectors

    Arrays = Mapping[str, Vectors]

__all__ = ["BridgeReport", "fit_bridge"]

# One group in so many is held out, and at most so many pairs are compared.
_HELD_OUT, _MOST_COMPARED = 5, 2000
_FEWEST_PAIRS = 20
# From so many pairs on a network is tried too: below, closed forms do better.
_NET_PAIRS = 10_000
# Strength of the penalty, as a share of the mean variance of a direction.
_PENALTIES = (3.0, 0.3, 0.03)
_HIDDEN, _EPOCHS, _BATCH, _LEARNING_RATE, _TEMPERATURE = 1024, 20, 256, 1e-3, 0.05
_N_RESAMPLES = 1000


@dataclass(frozen=True, kw_only=True)
class BridgeReport:
    """What a bridge was chosen by: pairs held out, whole groups where there are groups.

    Parameters
    ----------
    method
        The map that was kept, fitted on all pairs.
    scores
        Mean reciprocal rank of the right side of a held-out pair among those of all pairs, by method.
    baseline
        Mean reciprocal rank among the held-out right sides alone, asked by the right side of the nearest
        known left side, which needs no map.
    gain, interval
        Of the kept map over the baseline: mean difference, and its interval with coverage 0.95 (paired
        bootstrap).
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
    pairs: Sequence[str | tuple[str, str]],
    *,
    free_pairs: Sequence[str | tuple[str, str]] | None = None,
    space: BridgeSpace = "right",
    groups: Sequence[Hashable] | None = None,
    random_state: int = 0,
) -> tuple[BridgeEncoder, BridgeReport]:
    """Learn a map between two frozen encoders.

    Ridge regression with three penalties and a rotation (Procrustes) are tried into the space of `right`,
    canonical correlations with three penalties into a joint space; from 10,000 pairs on a network with one
    hidden layer too, trained by the in-batch contrastive loss (Oord et al. 2018). What ranks the right sides
    of the pairs held out best is fitted anew on all pairs. A warning tells where it is no better than the
    right side of the nearest known left side.

    Parameters
    ----------
    left, right
        Queries are encoded by the first, documents by the second.
    pairs
        Texts that both read; or pairs, the left side first.
    free_pairs
        Further pairs to learn from, which are never held out.
    space
        ``"right"`` searches an index made with `right` as it is; ``"joint"`` maps both sides.
    groups
        Shape (n_pairs,): what is held out as a whole.
    random_state
        Seed of the held-out part and of the network.

    Raises
    ------
    TooLittleError
        If there are fewer than 20 distinct pairs, or one group only.
    InvalidInputError
        If a pair is neither a text nor two.
    """
    checks.choice("space", space, get_args(BridgeSpace))
    seed = checks.whole("random_state", random_state)
    known, extra = _checked("pairs", pairs), _checked("free_pairs", free_pairs or [])
    group_of = known if groups is None else checks.groups(groups, len(known), of="pair")
    chosen = dict(zip(known, group_of, strict=True))
    if len(chosen) < _FEWEST_PAIRS:
        raise TooLittleError(f"expected at least {_FEWEST_PAIRS} distinct pairs, got {len(chosen)}")
    rng = np.random.default_rng(seed)
    held_out = _held_out(list(chosen.values()), rng)
    every = [*chosen, *extra]
    x = left.encode([pair[0] for pair in every], role="query")
    y = right.encode([pair[1] for pair in every])
    mask = np.concatenate([held_out, np.zeros(len(extra), dtype=bool)])
    methods = _methods(space, int((~mask).sum()))
    asked = rng.permutation(np.flatnonzero(mask))[:_MOST_COMPARED]
    # Among the right sides that were learned from too, or small samples would tell no method from another.
    goals = np.concatenate([y[asked], y[~mask]])
    maps = {name: _fitted(name, x[~mask], y[~mask], seed) for name in methods}
    scores = {name: float(_hits(maps[name], x[asked], goals).mean()) for name in methods}
    method = max(scores, key=lambda name: scores[name])
    nearest = (x[asked] @ x[~mask].T).argmax(axis=1)
    # The nearest known pair names a right side that was learned from, so these are left out for both.
    baseline = _reciprocal_ranks(y[~mask][nearest], y[asked])
    gains = _hits(maps[method], x[asked], y[asked]) - baseline
    report = BridgeReport(
        method=method,
        scores=scores,
        baseline=float(baseline.mean()),
        gain=float(gains.mean()),
        interval=percentile_interval(resampled_means(gains, _N_RESAMPLES, rng)),
        n_pairs=len(every),
        n_held_out=int(mask.sum()),
    )
    if report.gain <= 0:
        checks.warn(
            f"the bridge is no better than the nearest known pair: {report.gain:+.3f} in mean reciprocal "
            f"rank on {len(asked)} pairs held out; give more pairs, or encoders that suit these texts"
        )
    arrays = _fitted(method, x, y, seed)
    return BridgeEncoder(left, right, _kind(method), arrays), report


def _checked(name: str, pairs: object) -> list[tuple[str, str]]:
    """Read pairs; a text stands for both sides."""
    given = checks.sequence(name, pairs, of="texts or pairs of texts")
    read = [(pair, pair) if isinstance(pair, str) else pair for pair in given]
    for row, pair in enumerate(read):
        if not isinstance(pair, tuple | list) or len(pair) != 2 or not all(isinstance(s, str) for s in pair):
            raise InvalidInputError(
                f"expected {name} as texts or pairs of texts, got {checks.shown(pair)} in row {row}; give "
                "what the left encoder reads first, then what the right one reads"
            )
    return [(checks.repaired_text(one), checks.repaired_text(other)) for one, other in read]


def _held_out(groups: list[Hashable], rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    names = list(dict.fromkeys(groups))
    if len(names) < 2:
        raise TooLittleError(f"expected at least 2 groups of pairs, got {checks.shown(names)}")
    places = rng.permutation(len(names))[: max(1, len(names) // _HELD_OUT)]
    chosen = {names[place] for place in places}
    return np.array([group in chosen for group in groups], dtype=bool)


def _methods(space: BridgeSpace, n: int) -> list[str]:
    if space == "joint":
        return [f"cca {penalty:g}" for penalty in _PENALTIES]
    closed = [f"ridge {penalty:g}" for penalty in _PENALTIES]
    return [*closed, "procrustes", *(["net"] if n >= _NET_PAIRS * (_HELD_OUT - 1) // _HELD_OUT else [])]


def _kind(method: str) -> str:
    return {"cca": "joint", "net": "net"}.get(method.split()[0], "linear")


def _fitted(method: str, x: Vectors, y: Vectors, seed: int) -> dict[str, Vectors]:
    name, _, penalty = method.partition(" ")
    if name == "net":
        return _network(x, y, seed)
    if name == "cca":
        return _canonical(x, y, float(penalty))
    mean, target = x.mean(axis=0), y.mean(axis=0)
    weight = _rotation(x - mean, y - target) if name == "procrustes" else _ridge(x, y, float(penalty))
    return {"left.mean": mean, "left.weight": weight, "left.bias": target}


def _ridge(x: Vectors, y: Vectors, penalty: float) -> Vectors:
    """Weights W that minimise ``|(x - mean) W - (y - mean)|^2 + a |W|^2``, a by the mean variance of x."""
    from sklearn.linear_model import Ridge

    alpha = penalty * float((x - x.mean(axis=0)).var(axis=0).mean()) * len(x)
    return np.asarray(Ridge(alpha=alpha).fit(x, y).coef_.T, dtype=np.float32)


def _rotation(x: Vectors, y: Vectors) -> Vectors:
    """Semi-orthogonal W nearest to mapping x to y (Schönemann 1966): of ``x'y = U S V'`` it is ``U V'``."""
    u, _, v = np.linalg.svd(x.T @ y, full_matrices=False)
    return np.asarray(u @ v, dtype=np.float32)


def _canonical(x: Vectors, y: Vectors, penalty: float) -> dict[str, Vectors]:
    """Directions of both sides by canonical correlations (Vinod 1976), times the roots of the correlations.

    Products of mapped vectors are then weighted by the correlations.
    """
    from scipy.linalg import cholesky, solve_triangular

    means = x.mean(axis=0), y.mean(axis=0)
    a, b = (x - means[0]).astype(np.float64), (y - means[1]).astype(np.float64)
    roots = []
    for side in (a, b):
        covariance = side.T @ side / len(side)
        covariance.flat[:: len(covariance) + 1] += penalty * np.trace(covariance) / len(covariance)
        roots.append(cholesky(covariance, lower=True))
    inner = solve_triangular(roots[0], a.T @ b / len(a), lower=True)
    u, s, v = np.linalg.svd(solve_triangular(roots[1], inner.T, lower=True).T, full_matrices=False)
    kept = max(1, int((s > 1e-6).sum()))
    scale = np.sqrt(s[:kept])
    maps = [
        solve_triangular(root, directions[:, :kept], lower=True, trans="T") * scale
        for root, directions in zip(roots, (u, v.T), strict=True)
    ]
    arrays = {"left.mean": means[0], "left.weight": maps[0], "right.mean": means[1], "right.weight": maps[1]}
    return {name: np.asarray(rows, dtype=np.float32) for name, rows in arrays.items()}


def _network(x: Vectors, y: Vectors, seed: int) -> dict[str, Vectors]:
    """One hidden layer of SiLU, trained to tell the right sides of a batch apart and to come near its own."""
    import torch
    from torch.nn.functional import cross_entropy, normalize, silu

    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        mean, target = torch.from_numpy(x.mean(axis=0)), torch.from_numpy(y.mean(axis=0))
        sources, goals = torch.from_numpy(x) - mean, torch.from_numpy(y)
        d, k = x.shape[1], y.shape[1]
        weights: dict[str, Tensor] = {
            "left.hidden": torch.randn(d, _HIDDEN) * (4.0 / d**0.5),
            "left.hidden_bias": torch.zeros(_HIDDEN),
            "left.weight": torch.randn(_HIDDEN, k) * 0.01,
            "left.bias": target.clone(),
        }
        for value in weights.values():
            value.requires_grad_()
        optimizer = torch.optim.AdamW(weights.values(), lr=_LEARNING_RATE, weight_decay=0.01)
        n_steps = _EPOCHS * (-(-len(x) // _BATCH))
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _LEARNING_RATE, total_steps=n_steps + 1)
        for _ in range(_EPOCHS):
            order = torch.randperm(len(x))
            for start in range(0, len(x), _BATCH):
                rows = order[start : start + _BATCH]
                hidden = silu(sources[rows] @ weights["left.hidden"] + weights["left.hidden_bias"])
                mapped = normalize(hidden @ weights["left.weight"] + weights["left.bias"], dim=1)
                cosines = mapped @ goals[rows].T
                own = torch.arange(len(rows))
                loss = cross_entropy(cosines / _TEMPERATURE, own) + (1.0 - cosines.diagonal()).mean()
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()
                schedule.step()
    arrays: dict[str, Any] = {name: value.detach().numpy().copy() for name, value in weights.items()}
    return {"left.mean": mean.numpy(), **arrays}


def _hits(arrays: Arrays, x: Vectors, y: Vectors) -> Floats:
    mapped = apply_bridge(arrays, x)
    goals = apply_bridge(arrays, y, "right") if "right.weight" in arrays else y
    return _reciprocal_ranks(unit_rows(mapped, [""] * len(x)), unit_rows(goals, [""] * len(goals)))


def _reciprocal_ranks(mapped: Vectors, goals: Vectors) -> Floats:
    """Reciprocal rank of the own right side, row by row the first ones, among all; the last of equals."""
    cosines = mapped @ goals.T
    return np.asarray(1.0 / (cosines >= cosines.diagonal()[:, None]).sum(axis=1), dtype=np.float64)
