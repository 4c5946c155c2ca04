"""What of an encoder the rounds train: a transformer's own weights, or a head over vectors that stay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.encoders import Encoder, TransformerEncoder
from zeroshot_core.encoders.head import HeadEncoder, HeadKind
from zeroshot_core.encoders.wrappers import RememberingEncoder
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.training.joint.batches import (
    Mined,
    Neighbourhoods,
    draw_pairs,
    hard_batches,
    neighbour_loss,
)
from zeroshot_core.training.learners import (
    HeadLearner,
    TransformerLearner,
    Values,
    head_encoder,
    parameter_values,
    set_parameters,
)
from zeroshot_core.training.objectives import (
    GRADED_TEMPERATURE,
    graded_similarity_loss,
    supervised_contrastive_loss,
)
from zeroshot_core.training.steps import Step
from zeroshot_core.training.training_loop import fit_learner

if TYPE_CHECKING:
    from torch import Tensor

    from zeroshot_core.training.examples import Examples
    from zeroshot_core.training.joint.task import JointSettings, JointTask
    from zeroshot_core.training.learners import Learner
    from zeroshot_core.training.plan import TrainingPlan
    from zeroshot_core.types import Ints

__all__ = ["CurrentEncoder", "JointLearner", "encoder_of", "settled", "trainable"]

# Softer than in plain tuning: hard negatives count more as it is, and unseen labels suffer by it.
_TEMPERATURE = 0.1
_HEAD_KIND: HeadKind = "residual"


class CurrentEncoder(RememberingEncoder):
    """The encoder of a round: what measuring it has encoded, indexing need not encode again."""

    def __init__(self, inner: Encoder) -> None:
        super().__init__(inner)
        self.inner = inner


def trainable(encoder: Encoder) -> Encoder:
    """Prepare an encoder for training: one that is closed remembers its vectors, so that a text is read once.

    Raises
    ------
    InvalidInputError
        If it is no encoder.
    """
    if not isinstance(encoder, Encoder):
        raise InvalidInputError(
            f"expected an encoder, got {type(encoder).__name__}; open one with load_encoder, or wrap a "
            "function in FunctionEncoder"
        )
    is_open = isinstance(encoder, TransformerEncoder) and encoder.modalities == ("text",)
    return encoder if is_open else RememberingEncoder(encoder)


def settled(tuned: Encoder, given: Encoder) -> Encoder:
    """Let go of the vectors that were remembered while the rounds went on."""
    if isinstance(tuned, HeadEncoder):
        return tuned.over(given)
    return given if isinstance(tuned, RememberingEncoder) else tuned


def encoder_of(base: Encoder, values: Values, settings: JointSettings) -> Encoder:
    """Copy a base with these values of its trained parameters; the base itself if there are none."""
    if not values:
        return base
    if isinstance(base, TransformerEncoder):
        # A learner wants a text; it does not matter which.
        return TransformerLearner(base, ["text"], settings.method, settings.trained_layers).encoder(values)
    return head_encoder(base, _HEAD_KIND, values)


class JointLearner:
    """Trains on the same texts in each round; what lies below the trained layers is computed once for all.

    Parameters
    ----------
    base
        Of a transformer the upper layers are trained; of any other encoder, a head over it.
    task
        Its label texts join each batch that has an example of their label.
    """

    def __init__(self, base: Encoder, task: JointTask, settings: JointSettings) -> None:
        self._training = task.training
        texts = [*self._training.texts, *task.others.values()]
        self._learner: Learner
        if isinstance(base, TransformerEncoder):
            self._learner = TransformerLearner(base, texts, settings.method, settings.trained_layers)
        else:
            self._learner = HeadLearner(base, texts, _HEAD_KIND, 0)
        self._initial = parameter_values(self._learner)
        self._batch_size = settings.batch_size

    def train(self, values: Values, mined: Mined, plan: TrainingPlan) -> Values:
        """Train on from these values of the parameters, or from the base's without any; those after it."""
        set_parameters(self._learner, values or self._initial)

        def steps(rng: np.random.Generator) -> Iterator[Step]:
            return self._steps(mined, rng)

        return fit_learner(self._learner, steps, None, plan).best

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
