"""Zero-shot prediction from a language model, a Milvus index and a knowledge graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zeroshot_core.encoders import Encoder, FunctionEncoder, load_encoder
    from zeroshot_core.graph import KnowledgeGraph
    from zeroshot_core.index import IndexParams, VectorIndex
    from zeroshot_core.prediction import (
        Findings,
        NoveltyDetector,
        PromptedClassifier,
        Prompting,
        ZeroShotClassifier,
        ZeroShotRanker,
        ZeroShotRegressor,
        load_model,
    )
    from zeroshot_core.retrieval import Retriever

from zeroshot_core.doors import opens
from zeroshot_core.errors import (
    ArtifactError,
    ConnectionFailedError,
    FingerprintMismatchError,
    IndexLockedError,
    InvalidInputError,
    MissingExtraError,
    NotFittedError,
    UnknownConceptError,
    UnsupportedIndexError,
    VectorIndexError,
    VersionNotFoundError,
    ZeroShotError,
)
from zeroshot_core.types import Concept, Evidence, Hit, Item, Prediction, Relation

__version__ = "0.1.0"

# The heavy rooms open when first named, so that importing the package costs neither torch nor pymilvus.
_ROOMS = {
    "Encoder": "encoders",
    "FunctionEncoder": "encoders",
    "load_encoder": "encoders",
    "KnowledgeGraph": "graph",
    "IndexParams": "index",
    "VectorIndex": "index",
    "Retriever": "retrieval",
    "Findings": "prediction",
    "NoveltyDetector": "prediction",
    "PromptedClassifier": "prediction",
    "Prompting": "prediction",
    "ZeroShotClassifier": "prediction",
    "ZeroShotRanker": "prediction",
    "ZeroShotRegressor": "prediction",
    "load_model": "prediction",
}

__all__ = [
    "ArtifactError",
    "Concept",
    "ConnectionFailedError",
    "Encoder",
    "Evidence",
    "Findings",
    "FingerprintMismatchError",
    "FunctionEncoder",
    "Hit",
    "IndexLockedError",
    "IndexParams",
    "InvalidInputError",
    "Item",
    "KnowledgeGraph",
    "MissingExtraError",
    "NotFittedError",
    "NoveltyDetector",
    "Prediction",
    "PromptedClassifier",
    "Prompting",
    "Relation",
    "Retriever",
    "UnknownConceptError",
    "UnsupportedIndexError",
    "VectorIndex",
    "VectorIndexError",
    "VersionNotFoundError",
    "ZeroShotClassifier",
    "ZeroShotError",
    "ZeroShotRanker",
    "ZeroShotRegressor",
    "load_encoder",
    "load_model",
]


__getattr__ = opens(__name__, _ROOMS)


def __dir__() -> list[str]:
    return __all__
