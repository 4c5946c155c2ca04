from .encoders import Encoder, FunctionEncoder, load_encoder
from .errors import (
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
from .frames import TableSchema, items_from_frame
from .graph import KnowledgeGraph
from .index import IndexParams, VectorIndex
from .prediction import (
    Findings,
    NoveltyDetector,
    PromptedClassifier,
    Prompting,
    ZeroShotClassifier,
    ZeroShotRanker,
    ZeroShotRegressor,
    load_model,
)
from .retrieval import Retriever
from .types import Concept, Contribution, Evidence, Hit, Item, Prediction, Relation

__version__: str

__all__ = [
    "ArtifactError",
    "Concept",
    "ConnectionFailedError",
    "Contribution",
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
    "TableSchema",
    "UnknownConceptError",
    "UnsupportedIndexError",
    "VectorIndex",
    "VectorIndexError",
    "VersionNotFoundError",
    "ZeroShotClassifier",
    "ZeroShotError",
    "ZeroShotRanker",
    "ZeroShotRegressor",
    "items_from_frame",
    "load_encoder",
    "load_model",
]
