"""Everything that talks to Milvus: versions of an index, filters, search."""

from __future__ import annotations

from zeroshot_core.index.filters import AllOf, AnyOf, Condition, Filter, Not
from zeroshot_core.index.open_version import OpenVersion
from zeroshot_core.index.params import INDEX_TYPES, METRICS, IndexParams
from zeroshot_core.index.rows import ConceptName
from zeroshot_core.index.table import SearchResult
from zeroshot_core.index.vector_index import VectorIndex
from zeroshot_core.index.versions import VersionInfo

__all__ = [
    "INDEX_TYPES",
    "METRICS",
    "AllOf",
    "AnyOf",
    "ConceptName",
    "Condition",
    "Filter",
    "IndexParams",
    "Not",
    "OpenVersion",
    "SearchResult",
    "VectorIndex",
    "VersionInfo",
]
