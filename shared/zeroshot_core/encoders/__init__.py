"""Contents in, unit vectors out: transformer models, embedding functions, and hashing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zeroshot_core.doors import opens

if TYPE_CHECKING:
    from zeroshot_core.encoders.base import Encoder, Role
    from zeroshot_core.encoders.contents import joint_vector
    from zeroshot_core.encoders.function import FunctionEncoder
    from zeroshot_core.encoders.hashing import HashEncoder
    from zeroshot_core.encoders.head import HeadEncoder
    from zeroshot_core.encoders.loading import encoder_from_config, load_encoder
    from zeroshot_core.encoders.runtimes import in_runtime
    from zeroshot_core.encoders.transformer import TransformerEncoder
    from zeroshot_core.encoders.wrappers import CachedEncoder, KnownVectors

# To name the type of an encoder needs none of what runs one.
_MODULES = {
    "Encoder": "base",
    "Role": "base",
    "CachedEncoder": "wrappers",
    "FunctionEncoder": "function",
    "HashEncoder": "hashing",
    "HeadEncoder": "head",
    "KnownVectors": "wrappers",
    "joint_vector": "contents",
    "load_encoder": "loading",
    "encoder_from_config": "loading",
    "in_runtime": "runtimes",
    "TransformerEncoder": "transformer",
}

__all__ = [
    "CachedEncoder",
    "Encoder",
    "FunctionEncoder",
    "HashEncoder",
    "HeadEncoder",
    "KnownVectors",
    "Role",
    "TransformerEncoder",
    "encoder_from_config",
    "in_runtime",
    "joint_vector",
    "load_encoder",
]

__getattr__ = opens(__name__, _MODULES)
