"""What of an encoder is trained, and how its vectors come with gradients."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zeroshot_core.encoders import Encoder, TransformerEncoder
from zeroshot_core.errors import InvalidInputError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Learner", "check_trainable", "learner_of", "load_weights", "save_weights"]


class Learner:
    """A copy of a transformer encoder's model, to be trained; take `encoder` when that is over."""

    default_rate = 5e-5

    def __init__(self, base: TransformerEncoder) -> None:
        self.module = copy.deepcopy(base.model)
        self._base = base

    @property
    def cuda_devices(self) -> list[object]:
        """Devices whose random state dropout uses, beside the processor's."""
        return [self.module.device] if self.module.device.type == "cuda" else []

    def vectors(self, texts: Sequence[str]) -> Tensor:
        """Encode texts with gradients: unit rows, shape (n, d)."""
        import torch

        features = self.module.preprocess(list(texts), prompt=self._base.prompts["document"] or None)
        moved = {
            key: value.to(self.module.device) if hasattr(value, "to") else value
            for key, value in features.items()
        }
        rows = self.module(moved)["sentence_embedding"][:, : self._base.dimension]
        return torch.nn.functional.normalize(rows, dim=1)

    def encoder(self) -> Encoder:
        """Encode with the weights as they are now."""
        name = self._base.name.removesuffix(" (joint)")
        return TransformerEncoder(self.module.eval(), name=f"{name} (joint)")


def learner_of(encoder: Encoder) -> Learner:
    """Choose how to train an encoder.

    Raises
    ------
    InvalidInputError
        See `check_trainable`.
    """
    return Learner(check_trainable(encoder))


def check_trainable(encoder: Encoder) -> TransformerEncoder:
    """Refuse an encoder without weights that can be trained.

    Raises
    ------
    InvalidInputError
        If it is no transformer.
    """
    if not isinstance(encoder, TransformerEncoder):
        raise InvalidInputError(
            f"expected a TransformerEncoder, whose weights can be trained, got {type(encoder).__name__}; "
            "open one with load_encoder"
        )
    return encoder


def save_weights(encoder: Encoder, path: Path) -> None:
    """Write what was trained into a safetensors file."""
    from safetensors.torch import save_model

    save_model(learner_of(encoder).module, str(path))


def load_weights(base: Encoder, path: Path) -> Encoder:
    """Give a copy of the base the weights of a file."""
    from safetensors.torch import load_model

    learner = learner_of(base)
    load_model(learner.module, str(path))
    return learner.encoder()
