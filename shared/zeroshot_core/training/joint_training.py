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
from zeroshot_core.training.joint_learner import Method, Values, learner_of
from zeroshot_core.training.joint_neighbours import Neighbourhoods, draw_pairs, neighbour_loss
from zeroshot_core.training.objectives import graded_similarity_loss, supervised_contrastive_loss
from zeroshot_core.training.plan import TrainingPlan
from zeroshot_core.training.tasks import Step

if TYPE_CHECKING:
    from torch import Tensor

    from zeroshot_core.encoders import Encoder
    from zeroshot_core.training.examples import Examples
    from zeroshot_core.types import Ints

__all__ = ["HEAD_SETTINGS", "JointSettings", "Mined", "train_round"]

# Softer than in plain tuning: hard negatives count more as it is, and unseen labels suffer by it.
_TEMPERATURE = 0.1


@dataclass(frozen=True, kw_only=True)
class JointSettings:
    """How each round mines and trains; the defaults suit a transformer, `HEAD_SETTINGS` any other encoder.

    Parameters
    ----------
    rounds
        At most this many, at least 1.
    epochs, learning_rate, batch_size
        Of a round, see `TrainingPlan`.
    method
        ``"full"`` trains the weights of a transformer, ``"lora"`` low-rank changes of them.
    trained_layers
        How many of the upper layers of a transformer are trained, at least 1; None trains all.
    n_negatives
        Mined for each text; with 0 nothing is mined, and the batch alone brings negatives.
    n_neighbours
        Items without a label that are among each other's nearest so many are taken to be alike, and as many
        of them as there are examples join each batch; with 0 such items are indexed only.
    margin
        See `mine_hard_negatives`; it does not apply to targets.

    Raises
    ------
    InvalidInputError
        If a value is out of range.
    """

    rounds: int = 3
    epochs: int = 1
    learning_rate: float = 5e-5
    batch_size: int = 64
    method: Method = "full"
    trained_layers: int | None = None
    n_negatives: int = 5
    n_neighbours: int = 5
    margin: float = 0.05

    def __post_init__(self) -> None:
        self.plan(random_state=0)
        if self.rounds < 1:
            raise InvalidInputError(f"expected at least 1 round, got {self.rounds}")
        if min(self.n_negatives, self.n_neighbours) < 0 or not 0 <= self.margin < 1:
            raise InvalidInputError(
                "expected n_negatives and n_neighbours of at least 0 and a margin from 0 to below 1, "
                f"got {self.n_negatives}, {self.n_neighbours} and {self.margin}"
            )
        if self.method not in {"full", "lora"}:
            raise InvalidInputError(f'expected the method "full" or "lora", got {self.method!r}')
        if self.trained_layers is not None and self.trained_layers < 1:
            raise InvalidInputError(
                f"expected trained_layers of at least 1, or None, got {self.trained_layers}"
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


@dataclass(frozen=True, kw_only=True)
class Mined:
    """What the live version says of the training texts.

    Parameters
    ----------
    negatives
        For each training text, label texts left out, the places of its negatives, hardest first.
    neighbourhoods
        Of the texts without a label.
    """

    negatives: Sequence[Sequence[int]]
    neighbourhoods: Neighbourhoods


def train_round(
    base: Encoder,
    values: Values,
    training: Examples,
    others: Sequence[str],
    mined: Mined,
    settings: JointSettings,
    plan: TrainingPlan,
) -> Values:
    """Train on from some values of a base's parameters; the values after it.

    Parameters
    ----------
    values
        By name of the parameter; the others are the base's.
    training
        Its label texts join each batch that has an example of their label.
    others
        Texts without a label.
    """
    import torch

    texts = [*training.texts, *others]
    learner = learner_of(base, texts, settings.method, settings.trained_layers)
    parameters = learner.parameters()
    with torch.no_grad():
        for name, value in values.items():
            parameters[name].copy_(value)

    examples = training.take(np.arange(training.n_examples))
    names = np.arange(training.n_examples, len(training.texts))
    near = mined.neighbourhoods

    def steps(rng: np.random.Generator) -> Iterator[Step]:
        for rows in hard_batches(examples, mined.negatives, settings.batch_size, rng):
            own = names[np.isin(training.values[names], training.values[rows])] if len(names) else names
            strange = draw_pairs(near, settings.batch_size, rng)
            yield _step(training, np.r_[rows, own, strange], near)

    return fit_learner(learner, steps, None, plan, Checkpoints(None, "", "")).best


def _step(training: Examples, rows: Ints, near: Neighbourhoods) -> Step:
    def loss(vectors: Tensor) -> Tensor:
        import torch

        if near.alike:
            is_known = rows < len(training.texts)
            codes = np.where(is_known, training.values[np.where(is_known, rows, 0)], -1)
            return neighbour_loss(vectors, rows, codes, near, _TEMPERATURE)
        known = torch.as_tensor(training.values[rows], device=vectors.device)
        objective = supervised_contrastive_loss if training.is_labelled else graded_similarity_loss
        return objective(vectors, known, _TEMPERATURE)

    return Step(rows=rows, loss=loss)
