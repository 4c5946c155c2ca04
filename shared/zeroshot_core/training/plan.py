"""How long and how fast to train."""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.checks import real, whole

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["TrainingPlan", "make_plain"]

_STEPS = 60
_FEWEST_PASSES, _MOST_PASSES = 3, 10


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """How long and how fast to train.

    An epoch is a pass over the texts, or two where a pass is a single step: after each the held-out texts are
    scored, which may take half as long as a step.

    Parameters
    ----------
    epochs
        At most, at least 1; None for as many as make 60 steps, but from 3 to 10 passes.
    learning_rate
        The highest; it rises over the first tenth of the steps and then falls, both linearly.
    batch_size
        Distinct texts in one step, at least 2; each is encoded once.
    patience
        Epochs without a better score after which training stops, at least 1.
    budget_s
        Seconds after which no further step is taken, though there is always one; None for no bound. The
        learning rate falls to nothing by then. Where it cuts training short, the result depends on the
        machine's speed.
    random_state
        Seed of split, batches and dropout: the same input and seed give the same result on one machine.
    show_progress
        Whether to draw a progress bar on standard error.

    Raises
    ------
    InvalidInputError
        If a number is out of range.
    """

    epochs: int | None = None
    learning_rate: float = 1e-4
    batch_size: int = 32
    patience: int = 3
    budget_s: float | None = None
    random_state: int = 0
    show_progress: bool = False

    def __post_init__(self) -> None:
        make_plain(self)
        if self.epochs is not None:
            whole("epochs", self.epochs, least=1, remedy="None takes as many as make 60 steps")
        real("learning_rate", self.learning_rate, above=0)
        whole("batch_size", self.batch_size, least=2, remedy="a text alone has nothing to be compared with")
        whole("patience", self.patience, least=1)
        if self.budget_s is not None:
            real("budget_s", self.budget_s, above=0, remedy="None sets no bound")
        whole("random_state", self.random_state)

    def n_passes(self, n_steps: int) -> int:
        """Count the passes over the texts in an epoch, where a pass has so many steps."""
        return 2 if n_steps == 1 else 1

    def n_epochs(self, n_steps: int) -> int:
        """Most epochs, where a pass over the texts has so many steps."""
        passes = min(_MOST_PASSES, max(_FEWEST_PASSES, ceil(_STEPS / n_steps)))
        return self.epochs or ceil(passes / self.n_passes(n_steps))


def make_plain(settings: DataclassInstance) -> None:
    """Put Python's numbers in the place of NumPy's into frozen settings, which are hashed as they print."""
    for each in fields(settings):
        value = getattr(settings, each.name)
        if isinstance(value, np.generic):
            object.__setattr__(settings, each.name, value.item())
