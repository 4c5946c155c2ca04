"""One round's training: a copy of an encoder, on batches in which mined negatives meet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.training.checkpoints import Checkpoints
from zeroshot_core.training.fitting import fit_learner
from zeroshot_core.training.joint_batches import hard_batches
from zeroshot_core.training.joint_learner import Values, learner_of
from zeroshot_core.training.objectives import graded_similarity_loss, supervised_contrastive_loss
from zeroshot_core.training.plan import TrainingPlan
from zeroshot_core.training.tasks import Step

if TYPE_CHECKING:
    from torch import Tensor

    from zeroshot_core.encoders import Encoder
    from zeroshot_core.training.examples import Examples
    from zeroshot_core.types import Ints

__all__ = ["HEAD_SETTINGS", "JointSettings", "train_round"]

_TEMPERATURE = 0.07


@dataclass(frozen=True, kw_only=True)
class JointSettings:
    """How each round mines and trains; the defaults suit a transformer, `HEAD_SETTINGS` any other encoder.

    Parameters
    ----------
    epochs, learning_rate, batch_size
        Of a round, see `TrainingPlan`.
    trained_layers
        How many of the upper layers of a transformer are trained; None trains all.
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
    learning_rate: float = 5e-5
    batch_size: int = 64
    trained_layers: int | None = None
    n_negatives: int = 5
    margin: float = 0.05

    def __post_init__(self) -> None:
        self.plan(random_state=0)
        if self.n_negatives < 0 or not 0 <= self.margin < 1:
            raise InvalidInputError(
                "expected n_negatives of at least 0 and a margin from 0 to below 1, "
                f"got {self.n_negatives} and {self.margin}"
            )

    def plan(
        self, *, random_state: int, budget_s: float | None = None, show_progress: bool = False
    ) -> TrainingPlan:
        """Plan the training of one round."""
        return TrainingPlan(
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            budget_s=budget_s,
            random_state=random_state,
            show_progress=show_progress,
        )


HEAD_SETTINGS = JointSettings(epochs=20, learning_rate=1e-3)


def train_round(
    base: Encoder,
    values: Values,
    training: Examples,
    negatives: Sequence[Sequence[int]],
    settings: JointSettings,
    plan: TrainingPlan,
) -> Values:
    """Train on from some values of a base's parameters; the values after it.

    Parameters
    ----------
    values
        By name of the parameter; the others are the base's.
    negatives
        For each training text the places of its negatives, hardest first.
    """
    import torch

    learner = learner_of(base, training.texts, settings.trained_layers)
    parameters = learner.parameters()
    with torch.no_grad():
        for name, value in values.items():
            parameters[name].copy_(value)

    def steps(rng: np.random.Generator) -> Iterator[Step]:
        for rows in hard_batches(training, negatives, settings.batch_size, rng):
            yield _step(training, rows)

    return fit_learner(learner, steps, None, plan, Checkpoints(None, "", "")).best


def _step(training: Examples, rows: Ints) -> Step:
    def loss(vectors: Tensor) -> Tensor:
        import torch

        known = torch.as_tensor(training.values[rows], device=vectors.device)
        objective = supervised_contrastive_loss if training.is_labelled else graded_similarity_loss
        return objective(vectors, known, _TEMPERATURE)

    return Step(rows=rows, loss=loss)
