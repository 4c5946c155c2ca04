"""Maps between the vectors of two encoders, learned from pairs in closed form or by a small network.

`x` has the left sides of the pairs, shape (n, d), `y` the right ones, shape (n, k); rows of unit length. What
is learned are arrays, by the names and shapes that `BridgeEncoder` takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core.encoders.bridge_encoder import apply_bridge, directions, nearness, with_neighbours

if TYPE_CHECKING:
    from torch import Tensor

    from zeroshot_core.encoders.bridge_encoder import BridgeSpace
    from zeroshot_core.types import Vectors

__all__ = ["class_mixture_map", "fitted_map", "map_kind", "map_methods"]

# Strengths of the penalty, as shares of the mean variance of a direction.
_RIDGE_PENALTIES, _CANONICAL_PENALTIES = (3.0, 0.3, 0.03), (10.0, 3.0, 1.0, 0.1)
# All pairs are kept with the encoder, as vectors of its own space or as anchors, which are longer.
_MOST_KNOWN, _MOST_ANCHORS = 5000, 2500
# From so many pairs on a network is tried too: below, closed forms do better.
_NET_PAIRS = 8000
_HIDDEN, _EPOCHS, _BATCH, _LEARNING_RATE, _TEMPERATURE = 1024, 20, 256, 1e-3, 0.05


def map_methods(space: BridgeSpace, n: int) -> list[str]:
    """Names of the maps that `n` pairs can be tried with."""
    name = "neighbours" if space == "joint" and n <= _MOST_KNOWN else "cca"
    canonical = [f"{name} {penalty:g}" for penalty in _CANONICAL_PENALTIES]
    if space == "joint":
        return [*canonical, *(["relative"] if n <= _MOST_ANCHORS else [])]
    closed = [f"ridge {penalty:g}" for penalty in _RIDGE_PENALTIES]
    return [*closed, "procrustes", *canonical, *(["net"] if n >= _NET_PAIRS else [])]


def map_kind(method: str, space: BridgeSpace) -> str:
    """Name the kind of `BridgeEncoder` that a method makes."""
    kinds = {"net": "net", "neighbours": "balanced", "relative": "relative"}
    return kinds.get(method.partition(" ")[0], "joint" if space == "joint" else "linear")


def fitted_map(
    method: str, space: BridgeSpace, x: Vectors, y: Vectors, seed: int, *, n_free: int = 0
) -> dict[str, Vectors]:
    """Learn a map by its name, as `map_methods` has it; free pairs are the last ones."""
    name, _, penalty = method.partition(" ")
    if name == "net":
        return _network(x, y, seed)
    if name == "relative":
        return _relative(x, y)
    if name in {"cca", "neighbours"}:
        arrays = _canonical(x, y, float(penalty))
        if name == "neighbours":
            return _with_known(arrays, x, y, len(x) - n_free)
        return arrays if space == "joint" else _into_right(arrays, x, y)
    mean, target = x.mean(axis=0), y.mean(axis=0)
    weight = _rotation(x - mean, y - target) if name == "procrustes" else _ridge(x, y, float(penalty))
    return {"left.mean": mean, "left.weight": weight, "left.bias": target}


def class_mixture_map(rows: Vectors, names: Vectors) -> dict[str, Vectors]:
    """Mix the vectors of class names by the probabilities of a classifier (Norouzi et al. 2014, ConSE).

    Parameters
    ----------
    rows
        Shape (n, d): the classifier's weights, a row for each class.
    names
        Shape (n, k): vectors of the names of the classes. Their mean is taken off, or all mixtures are alike.
    """
    return {"left.classes": rows, "left.names": names - names.mean(axis=0)}


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

    Products of mapped vectors are then weighted by the correlations. Own code, since scikit-learn's has no
    penalty, which fewer pairs than dimensions need.
    """
    from scipy.linalg import cholesky, solve_triangular

    means = x.mean(axis=0), y.mean(axis=0)
    sides, bases, roots = [], [], []
    for rows, mean in zip((x, y), means, strict=True):
        centred = (rows - mean).astype(np.float64)
        # What no pair has a part in says nothing; by QR, since an SVD of pairs that repeat may not converge.
        basis = np.linalg.qr(centred.T)[0].T if len(rows) < len(mean) else None
        side = centred if basis is None else centred @ basis.T
        covariance = side.T @ side / len(side)
        covariance.flat[:: len(covariance) + 1] += penalty * np.trace(covariance) / len(mean)
        sides.append(side)
        bases.append(basis)
        roots.append(cholesky(covariance, lower=True))
    inner = solve_triangular(roots[0], sides[0].T @ sides[1] / len(x), lower=True)
    whitened = solve_triangular(roots[1], inner.T, lower=True).T
    u, s, v = np.linalg.svd(whitened, full_matrices=False)
    kept = max(1, int((s > 1e-6).sum()))
    scale = np.sqrt(s[:kept])
    maps = [
        solve_triangular(root, directions[:, :kept], lower=True, trans="T") * scale
        for root, directions in zip(roots, (u, v.T), strict=True)
    ]
    maps = [weight if basis is None else basis.T @ weight for basis, weight in zip(bases, maps, strict=True)]
    arrays = {"left.mean": means[0], "left.weight": maps[0], "right.mean": means[1], "right.weight": maps[1]}
    return {name: np.asarray(rows, dtype=np.float32) for name, rows in arrays.items()}


def _with_known(arrays: dict[str, Vectors], x: Vectors, y: Vectors, n_own: int) -> dict[str, Vectors]:
    """Keep both sides of the pairs, in the joint space.

    A vector is then moved to the other sides of the pairs that it is near to: attention over pairs, as of
    Tip-Adapter (Zhang et al. 2022), but from one modality to the other. Of pairs that are not free both sides
    are kept as they are after that too: how near a vector is to all of them tells hubs.
    """
    known = {
        "left": directions(apply_bridge(arrays, x, "left")),
        "right": directions(apply_bridge(arrays, y, "right")),
    }
    left, right = (
        directions(with_neighbours(known[side][:n_own], known[side], known[other]))
        for side, other in (("left", "right"), ("right", "left"))
    )
    levels = {"left.level": nearness(left, right), "right.level": nearness(right, left)}
    return {
        **arrays,
        **{f"{side}.known": rows for side, rows in known.items()},
        "left.moved": left,
        "right.moved": right,
        **{name: rows.mean(keepdims=True) for name, rows in levels.items()},
    }


def _into_right(arrays: dict[str, Vectors], x: Vectors, y: Vectors) -> dict[str, Vectors]:
    """Make the products of the joint space those with right vectors, by vectors as long as these."""
    mean, target = arrays["left.mean"], arrays["right.mean"]
    weight = arrays["left.weight"] @ arrays["right.weight"].T
    length = np.linalg.norm((x - mean) @ weight, axis=1).mean()
    scale = np.linalg.norm(y - target, axis=1).mean() / max(float(length), 1e-12)
    return {"left.mean": mean, "left.weight": weight * np.float32(scale), "left.bias": target}


def _relative(x: Vectors, y: Vectors) -> dict[str, Vectors]:
    """Keep the pairs: each side is told by how near it is to theirs (Norelli et al. 2023, ASIF)."""
    arrays: dict[str, Vectors] = {}
    for side, rows in (("left", x), ("right", y)):
        mean = rows.mean(axis=0)
        arrays |= {f"{side}.mean": mean, f"{side}.anchors": directions(rows - mean)}
    return arrays


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
