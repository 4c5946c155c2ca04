"""Training a small head over an encoder that is closed: an API, or a model too large to tune."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core.encoders import Encoder
from zeroshot_core.encoders.head import HeadEncoder, HeadKind
from zeroshot_core.encoders.wrappers import CachedEncoder
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.training.guarding import Problem, TuningReport, fit_guarded, pose
from zeroshot_core.training.plan import TrainingPlan
from zeroshot_core.training.tasks import SideTask

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Parameter

    from zeroshot_core.types import Ints, Vectors

__all__ = ["HEAD_PLAN", "HeadLearner", "tune_head"]

_RANK = 64
HEAD_PLAN = TrainingPlan(epochs=40, learning_rate=1e-3, batch_size=256, patience=5)


def tune_head(
    encoder: Encoder,
    texts: Sequence[str],
    labels_or_targets: Sequence[str] | Any,
    *,
    kind: HeadKind = "residual",
    label_texts: Mapping[str, str | Sequence[str]] | None = None,
    side_tasks: Sequence[SideTask] = (),
    groups: Sequence[Hashable] | None = None,
    plan: TrainingPlan = HEAD_PLAN,
    checkpoints: str | os.PathLike[str] | None = None,
    cache: str | os.PathLike[str] | None = None,
) -> tuple[Encoder, TuningReport]:
    """Train a head over a frozen encoder, with the objectives and the guard of `tune_encoder`.

    The head begins as the identity, so that it starts from the encoder's own vectors.

    Parameters
    ----------
    kind
        ``"linear"`` maps (d, d), ``"residual"`` adds a map of rank 64, ``"mlp"`` one with 64 hidden units.
    cache
        File that keeps the vectors of the encoder, see `CachedEncoder`; the encoder that comes back goes on
        using it. None keeps nothing, and encodes each text once here.

    Returns
    -------
    Encoder, TuningReport
        A `HeadEncoder`; the given encoder if the head doesn't help.

    Raises
    ------
    InvalidInputError
        If texts, labels or targets are wrong, or the encoder's vectors have changed their length.
    """
    if not isinstance(encoder, Encoder):
        raise InvalidInputError(
            f"expected an encoder, got {type(encoder).__name__}; wrap a function in FunctionEncoder"
        )
    base = encoder if cache is None else CachedEncoder(encoder, cache)
    problem = pose(texts, labels_or_targets, label_texts, side_tasks, groups, plan.random_state)

    def learner(posed: Problem) -> HeadLearner:
        return HeadLearner(base.encode(posed.texts), kind, plan.random_state)

    run = {"encoder": base.fingerprint, "head": kind}
    _, values, report = fit_guarded(problem, learner, plan, checkpoints, run)
    if not report.is_improved:
        return base, report
    weights = {name: value.cpu().numpy() for name, value in values.items()}
    return HeadEncoder(base, kind, weights), report


class HeadLearner:
    """A head over vectors that stay as they are."""

    def __init__(self, rows: Vectors, kind: HeadKind, random_state: int) -> None:
        import torch

        self._rows = torch.from_numpy(rows)
        self._kind = kind
        self._weights = {
            name: torch.nn.Parameter(torch.from_numpy(value))
            for name, value in _identity(kind, rows.shape[1], random_state).items()
        }

    def parameters(self) -> dict[str, Parameter]:
        """Give the weights of the head by name."""
        return self._weights

    def parts(self, rows: Ints) -> list[Ints]:
        """Keep a batch whole: vectors that stay need little memory."""
        return [rows]

    def set_training(self, is_training: bool) -> None:
        """Nothing differs."""

    def vectors(self, rows: Ints) -> Tensor:
        """Compute unit vectors of texts, shape (n, d)."""
        import torch

        own, weights = self._rows[torch.as_tensor(rows)], self._weights
        if self._kind == "linear":
            return torch.nn.functional.normalize(own @ weights["weight"].T, dim=1)
        inner = own @ weights["down"].T
        if self._kind == "mlp":
            inner = torch.relu(inner + weights["bias"])
        return torch.nn.functional.normalize(own + inner @ weights["up"].T, dim=1)


def _identity(kind: HeadKind, dimension: int, random_state: int) -> dict[str, Vectors]:
    """Weights of a head that changes nothing yet."""
    rng = np.random.default_rng(random_state)
    if kind == "linear":
        return {"weight": np.eye(dimension, dtype=np.float32)}
    rank = min(_RANK, dimension)
    weights = {
        "down": rng.normal(scale=dimension**-0.5, size=(rank, dimension)).astype(np.float32),
        "up": np.zeros((dimension, rank), dtype=np.float32),
    }
    return weights if kind == "residual" else weights | {"bias": np.zeros(rank, dtype=np.float32)}
