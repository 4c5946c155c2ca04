"""Training in rounds: a copy of an encoder, on batches in which mined negatives meet."""

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
from zeroshot_core.training.objectives import (
    GRADED_TEMPERATURE,
    graded_similarity_loss,
    supervised_contrastive_loss,
)
from zeroshot_core.training.plan import TrainingPlan
from zeroshot_core.training.tasks import Step

if TYPE_CHECKING:
    from torch import Tensor

    from zeroshot_core.encoders import Encoder
    from zeroshot_core.training.examples import Examples
    from zeroshot_core.types import Ints

__all__ = ["HEAD_SETTINGS", "JointSettings", "Mined", "Trainer"]

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
    refit
        Whether the rounds that gained are gone through once more in the end, from the base and on all texts,
        those that were held out included.
    n_negatives
        Mined for each text; with 0 nothing is mined, and the batch alone brings negatives.
    n_neighbours
        Items without a label that are among each other's nearest so many are taken to be alike, and half as
        many of them as there are examples join each batch; with 0 such items are indexed only.
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
    refit: bool = False
    n_negatives: int = 5
    n_neighbours: int = 10
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


class Trainer:
    """Trains on the same texts in each round; what lies below the trained layers is computed once for all.

    Parameters
    ----------
    training
        Its label texts join each batch that has an example of their label.
    others
        Texts without a label.
    """

    def __init__(
        self, base: Encoder, training: Examples, others: Sequence[str], settings: JointSettings
    ) -> None:
        texts = [*training.texts, *others]
        self._learner = learner_of(base, texts, settings.method, settings.trained_layers)
        self._initial = {name: each.detach().clone() for name, each in self._learner.parameters().items()}
        self._training = training
        self._batch_size = settings.batch_size

    def train(self, values: Values, mined: Mined, plan: TrainingPlan) -> Values:
        """Train on from these values of the parameters, or from the base's without any; those after it."""
        import torch

        with torch.no_grad():
            for name, parameter in self._learner.parameters().items():
                parameter.copy_((values or self._initial)[name])

        def steps(rng: np.random.Generator) -> Iterator[Step]:
            return self._steps(mined, rng)

        return fit_learner(self._learner, steps, None, plan, Checkpoints(None, "", "")).best

    def _steps(self, mined: Mined, rng: np.random.Generator) -> Iterator[Step]:
        training, near = self._training, mined.neighbourhoods
        examples = training.take(np.arange(training.n_examples))
        names = np.arange(training.n_examples, len(training.texts))
        for rows in hard_batches(examples, mined.negatives, self._batch_size, rng):
            own = names[np.isin(training.values[names], training.values[rows])] if len(names) else names
            strange = draw_pairs(near, self._batch_size // 2, rng)
            yield _step(training, np.r_[rows, own, strange], near)


def _step(training: Examples, rows: Ints, near: Neighbourhoods) -> Step:
    def loss(vectors: Tensor) -> Tensor:
        import torch

        if near.alike:
            is_known = rows < len(training.texts)
            codes = np.where(is_known, training.values[np.where(is_known, rows, 0)], -1)
            return neighbour_loss(vectors, rows, codes, near, _TEMPERATURE)
        known = torch.as_tensor(training.values[rows], device=vectors.device)
        if training.is_labelled:
            return supervised_contrastive_loss(vectors, known, _TEMPERATURE)
        return graded_similarity_loss(vectors, known, GRADED_TEMPERATURE)

    return Step(rows=rows, loss=loss)
