"""What of an encoder the rounds train: a transformer's own weights, or a head over vectors that stay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from zeroshot_core.encoders import Encoder, TransformerEncoder
from zeroshot_core.encoders.head import HeadEncoder
from zeroshot_core.encoders.wrappers import RememberingEncoder
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.training.heads import HeadLearner
from zeroshot_core.training.learners import Learner, TransformerLearner

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["CurrentEncoder", "Method", "Values", "encoder_of", "learner_of", "settled", "trainable"]

Method = Literal["full", "lora"]
Values = Mapping[str, "Tensor"]
"""Of the trained parameters, by name."""


class CurrentEncoder(RememberingEncoder):
    """The encoder of a round: what measuring it has encoded, indexing need not encode again."""

    def __init__(self, inner: Encoder) -> None:
        super().__init__(inner)
        self.inner = inner


def settled(tuned: Encoder, given: Encoder) -> Encoder:
    """Let go of the vectors that were remembered while the rounds went on."""
    if isinstance(tuned, HeadEncoder):
        return tuned.over(given)
    return given if isinstance(tuned, RememberingEncoder) else tuned


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
    return encoder if isinstance(encoder, TransformerEncoder) else RememberingEncoder(encoder)


def learner_of(base: Encoder, texts: Sequence[str], method: Method, trained_layers: int | None) -> Learner:
    """Train the upper layers of a transformer (None: all of it); of any other encoder, a head over it."""
    import torch

    if isinstance(base, TransformerEncoder):
        # Low-rank changes begin at random.
        with torch.random.fork_rng([]):
            torch.manual_seed(0)
            return TransformerLearner(base, texts, method, trained_layers)
    return HeadLearner(base.encode(texts), "residual", 0)


def encoder_of(base: Encoder, values: Values, method: Method, trained_layers: int | None) -> Encoder:
    """Copy a base with these values of its trained parameters; the base itself if there are none."""
    if not values:
        return base
    if isinstance(base, TransformerEncoder):
        # A learner wants a text; it does not matter which.
        return TransformerLearner(base, ["text"], method, trained_layers).encoder(values)
    return HeadEncoder(base, "residual", {name: value.cpu().numpy() for name, value in values.items()})
