"""One round's training: a copy of an encoder, on batches in which mined negatives meet."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.training.joint_batches import hard_batches
from zeroshot_core.training.joint_learner import learner_of
from zeroshot_core.training.objectives import graded_similarity_loss, supervised_contrastive_loss

if TYPE_CHECKING:
    from zeroshot_core.encoders import Encoder
    from zeroshot_core.training.examples import Examples
    from zeroshot_core.training.joint_learner import Learner

__all__ = ["JointSettings", "train_round"]

_WARM_UP = 0.1
_MAX_NORM = 1.0
_WEIGHT_DECAY = 0.01


@dataclass(frozen=True, kw_only=True)
class JointSettings:
    """How each round mines and trains.

    Parameters
    ----------
    epochs
        Passes over the training texts in a round, at least 1.
    learning_rate
        Largest rate of AdamW, above 0; None is 5e-5.
    batch_size
        Distinct texts in one step, at least 2; each is encoded once.
    temperature
        Of the contrastive loss, above 0.
    n_negatives
        Mined for each text; with 0 nothing is mined, and the batch alone brings negatives.
    margin
        See `mine_hard_negatives`; it does not apply to targets.

    Raises
    ------
    InvalidInputError
        If a value is out of range.
    """

    epochs: int = 1
    learning_rate: float | None = None
    batch_size: int = 64
    temperature: float = 0.07
    n_negatives: int = 5
    margin: float = 0.05

    def __post_init__(self) -> None:
        rate = 1.0 if self.learning_rate is None else self.learning_rate
        if self.epochs < 1 or self.batch_size < 2 or not rate > 0 or not self.temperature > 0:
            raise InvalidInputError(
                "expected at least 1 epoch, 2 texts in a batch, a learning rate and a temperature above 0, "
                f"got {self.epochs}, {self.batch_size}, {self.learning_rate} and {self.temperature}"
            )
        if self.n_negatives < 0 or not 0 <= self.margin < 1:
            raise InvalidInputError(
                "expected n_negatives of at least 0 and a margin from 0 to below 1, "
                f"got {self.n_negatives} and {self.margin}"
            )


def train_round(
    encoder: Encoder,
    training: Examples,
    negatives: Sequence[Sequence[int]],
    settings: JointSettings,
    *,
    seed: int,
    deadline: float = float("inf"),
    show_progress: bool = False,
) -> Encoder:
    """Train a copy of an encoder; the given one stays as it is.

    Parameters
    ----------
    negatives
        For each training text the places of its negatives, hardest first.
    deadline
        Moment of `time.monotonic` after which no step is begun.
    """
    import torch
    from tqdm import tqdm

    rng = np.random.default_rng(seed)
    learner = learner_of(encoder)
    n_batches = (len(training.texts) + settings.batch_size - 2) // settings.batch_size
    optimizer, schedule = _optimizer(learner, settings, settings.epochs * n_batches)
    bar = tqdm(total=settings.epochs * n_batches, unit="step", disable=not show_progress)
    with torch.random.fork_rng(learner.cuda_devices), bar:
        torch.manual_seed(seed)
        learner.module.train()
        for _ in range(settings.epochs):
            for batch in hard_batches(training, negatives, settings.batch_size, rng):
                if time.monotonic() >= deadline:
                    return learner.encoder()
                _step(learner, training.take(batch), settings.temperature, optimizer)
                schedule.step()
                bar.update()
    return learner.encoder()


def _step(learner: Learner, batch: Examples, temperature: float, optimizer: Any) -> None:
    import torch

    vectors = learner.vectors(batch.texts)
    values = torch.as_tensor(batch.values, device=vectors.device)
    loss = supervised_contrastive_loss if batch.is_labelled else graded_similarity_loss
    optimizer.zero_grad()
    loss(vectors, values, temperature).backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(learner.module.parameters(), _MAX_NORM)
    optimizer.step()


def _optimizer(learner: Learner, settings: JointSettings, n_steps: int) -> tuple[Any, Any]:
    """AdamW with a rate that rises over the first tenth of the steps and then falls, both linearly."""
    import torch

    rate = learner.default_rate if settings.learning_rate is None else settings.learning_rate
    optimizer = torch.optim.AdamW(learner.module.parameters(), lr=rate, weight_decay=_WEIGHT_DECAY)
    warm = max(1, round(_WARM_UP * n_steps))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warm, (n_steps - step) / max(1, n_steps - warm))
    )
    return optimizer, schedule
