"""Small networks from numbers to a number, trained side by side, each without a part of the rows.

Why not `MLPRegressor` of scikit-learn: it has no dropout, and trains one network after the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor

    from zeroshot_core.types import Floats, Ints, Vectors

__all__ = ["N_EPOCHS", "NetworkFit", "apply_networks", "fit_networks"]

_N_HIDDEN = 128
_DROPOUT = 0.3
N_EPOCHS = 10
# Rows in a step: fewer where an epoch would have fewer steps than this.
_MOST_IN_BATCH, _FEWEST_STEPS = 256, 20
_LEARNING_RATE = 2e-3
_WEIGHT_DECAY = 0.1
_WARM_UP = 0.1


@dataclass(frozen=True, kw_only=True)
class NetworkFit:
    """What was trained.

    Parameters
    ----------
    weights
        Of all networks by name, the first axis being the network.
    held_out
        Shape (n,), each row's forecast by the network that was trained without it.
    """

    weights: Mapping[str, Vectors]
    held_out: Floats


def fit_networks(
    inputs: Vectors,
    targets: Floats,
    parts: Ints,
    random_state: int,
    on_epoch: Callable[[], object] = lambda: None,
) -> NetworkFit:
    """Train one network for each part of the rows, on the others, all in one batched product a step.

    They stop, together, after the epoch whose forecasts of the parts left out were best.

    Parameters
    ----------
    inputs, targets, parts
        Shapes (n, p), (n,), (n,); parts are numbered from 0, at least 2, and each has rows.
    on_epoch
        Called after each of `N_EPOCHS`.
    """
    import torch

    mean = float(targets.mean())
    own = [np.flatnonzero(parts != part) for part in range(int(parts.max()) + 1)]
    rng = np.random.default_rng(random_state)
    found: list[tuple[float, dict[str, Vectors], Floats]] = []
    with torch.random.fork_rng([]):
        torch.manual_seed(random_state)
        training = _Training(inputs, targets - mean, own)
        for _ in range(N_EPOCHS):
            training.run_epoch(rng)
            weights = {name: value.detach().numpy().copy() for name, value in training.weights.items()}
            held_out = _held_out(weights, inputs, parts) + mean
            found.append((float(np.square(held_out - targets).mean()), weights, held_out))
            on_epoch()
    _, weights, held_out = min(found, key=lambda each: each[0])
    weights["bias.2"] += np.float32(mean)
    return NetworkFit(weights=weights, held_out=held_out)


class _Training:
    """All networks in training, each on batches of its own rows."""

    def __init__(self, inputs: Vectors, targets: Floats, own: Sequence[Ints]) -> None:
        import torch

        self._inputs, self._targets = torch.from_numpy(inputs), torch.from_numpy(targets.astype(np.float32))
        self._own, self._n_rows = own, min(len(rows) for rows in own)
        self._batch = int(np.clip(self._n_rows // _FEWEST_STEPS, 1, _MOST_IN_BATCH))
        n_steps = N_EPOCHS * (self._n_rows // self._batch)
        self.weights = _initial(len(own), inputs.shape[1])
        self._optimizer = torch.optim.AdamW(
            self.weights.values(), lr=_LEARNING_RATE, weight_decay=_WEIGHT_DECAY
        )
        self._schedule = torch.optim.lr_scheduler.OneCycleLR(
            self._optimizer, _LEARNING_RATE, total_steps=n_steps + 1, pct_start=_WARM_UP
        )

    def run_epoch(self, rng: np.random.Generator) -> None:
        """Take one step for each batch."""
        import torch

        order = torch.from_numpy(np.stack([rng.permutation(rows)[: self._n_rows] for rows in self._own]))
        for start in range(0, self._n_rows - self._batch + 1, self._batch):
            rows = order[:, start : start + self._batch]
            errors = _forward(self.weights, self._inputs[rows]) - self._targets[rows]
            self._optimizer.zero_grad()
            torch.autograd.backward(errors.square().mean(dim=1).sum())
            self._optimizer.step()
            self._schedule.step()


def apply_networks(weights: Mapping[str, Vectors], inputs: Vectors) -> Floats:
    """Mean forecast of the networks, shape (q,)."""
    forecasts = [_one(weights, network, inputs) for network in range(len(weights["weight.0"]))]
    return np.asarray(np.mean(forecasts, axis=0), dtype=np.float64)


def _initial(n_networks: int, n_inputs: int) -> dict[str, Tensor]:
    import torch

    sizes = (n_inputs, _N_HIDDEN, _N_HIDDEN, 1)
    weights = {}
    for place in range(3):
        shape = (n_networks, sizes[place], sizes[place + 1])
        # The last layer begins at 0: every network forecasts the mean at first.
        scale = sizes[place] ** -0.5 if place < 2 else 0.0
        weights[f"weight.{place}"] = (scale * torch.randn(shape)).requires_grad_()
        weights[f"bias.{place}"] = torch.zeros(n_networks, 1, sizes[place + 1], requires_grad=True)
    return weights


def _forward(weights: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """Forecasts, shape (n_networks, n), of inputs of shape (n_networks, n, p)."""
    from torch import baddbmm
    from torch.nn.functional import dropout, silu

    for place in (0, 1):
        x = dropout(silu(baddbmm(weights[f"bias.{place}"], x, weights[f"weight.{place}"])), _DROPOUT)
    return baddbmm(weights["bias.2"], x, weights["weight.2"])[..., 0]


def _one(weights: Mapping[str, Vectors], network: int, x: Vectors) -> Vectors:
    for place in (0, 1):
        x = x @ weights[f"weight.{place}"][network] + weights[f"bias.{place}"][network]
        x = (x / (1.0 + np.exp(-x))).astype(np.float32)
    return np.asarray((x @ weights["weight.2"][network] + weights["bias.2"][network])[:, 0])


def _held_out(weights: Mapping[str, Vectors], inputs: Vectors, parts: Ints) -> Floats:
    forecasts = np.empty(len(inputs))
    for part in range(int(parts.max()) + 1):
        rows = parts == part
        forecasts[rows] = _one(weights, part, inputs[rows])
    return forecasts
