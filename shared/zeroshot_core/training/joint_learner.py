"""What of an encoder the rounds train: a transformer's own weights, or a head over vectors that stay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.encoders import Encoder, TransformerEncoder
from zeroshot_core.encoders.head import HeadEncoder
from zeroshot_core.encoders.remembering import RememberingEncoder
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.training.learners import Learner, TransformerLearner

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Parameter

    from zeroshot_core.types import Ints

__all__ = ["Values", "encoder_of", "learner_of", "trainable"]

Values = Mapping[str, "Tensor"]
"""Of the trained parameters, by name."""

_RANK = 64


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


def learner_of(base: Encoder, texts: Sequence[str], trained_layers: int | None) -> Learner:
    """Train the upper layers of a transformer (None: all of it); of any other encoder, a head over it."""
    if isinstance(base, TransformerEncoder):
        return TransformerLearner(base, texts, "full", trained_layers)
    return _HeadLearner(base, texts)


def encoder_of(base: Encoder, values: Values, trained_layers: int | None) -> Encoder:
    """Copy a base with these values of its trained parameters; the base itself if there are none."""
    if not values:
        return base
    if isinstance(base, TransformerEncoder):
        # A learner wants a text; it does not matter which.
        return TransformerLearner(base, ["text"], "full", trained_layers).encoder(values)
    return HeadEncoder(base, "residual", {name: value.cpu().numpy() for name, value in values.items()})


class _HeadLearner:
    """A low-rank change of vectors, which is none at first: ``v + U D v``, brought back to unit length."""

    def __init__(self, base: Encoder, texts: Sequence[str]) -> None:
        import torch

        self._rows = torch.from_numpy(base.encode(texts))
        d = base.dimension
        down = np.random.default_rng(0).normal(scale=d**-0.5, size=(min(_RANK, d), d))
        self._down = torch.nn.Parameter(torch.from_numpy(down.astype(np.float32)))
        self._up = torch.nn.Parameter(torch.zeros(d, len(down)))

    def parameters(self) -> dict[str, Parameter]:
        return {"down": self._down, "up": self._up}

    def parts(self, rows: Ints) -> list[Ints]:
        return [rows]

    def set_training(self, is_training: bool) -> None:
        """Nothing differs."""

    def vectors(self, rows: Ints) -> Tensor:
        import torch

        own = self._rows[torch.as_tensor(rows)]
        return torch.nn.functional.normalize(own + own @ self._down.T @ self._up.T, dim=1)
