from .base import Encoder, Role
from .bridge_encoder import BridgeEncoder
from .centred_encoder import CentredEncoder
from .contents import joint_vector
from .efficientnet_encoder import EfficientNetEncoder
from .function import FunctionEncoder
from .hashing import HashEncoder
from .head import HeadEncoder
from .loading import encoder_from_config, load_encoder
from .multimodal_encoder import MultimodalEncoder
from .packaged_encoder import PackagedEncoder
from .runtimes import in_runtime
from .side_by_side_encoder import SideBySideEncoder
from .transformer import TransformerEncoder
from .wrappers import CachedEncoder, KnownVectors

__all__ = [
    "BridgeEncoder",
    "CachedEncoder",
    "CentredEncoder",
    "EfficientNetEncoder",
    "Encoder",
    "FunctionEncoder",
    "HashEncoder",
    "HeadEncoder",
    "KnownVectors",
    "MultimodalEncoder",
    "PackagedEncoder",
    "Role",
    "SideBySideEncoder",
    "TransformerEncoder",
    "encoder_from_config",
    "in_runtime",
    "joint_vector",
    "load_encoder",
]
