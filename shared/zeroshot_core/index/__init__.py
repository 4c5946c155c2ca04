"""Everything that talks to Milvus: versions of an index, filters, search."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zeroshot_core.doors import opens

if TYPE_CHECKING:
    from zeroshot_core.index.collection import (
        Collection,
        CollectionInfo,
        ConceptName,
        GraphCollection,
        SearchResult,
    )
    from zeroshot_core.index.filters import AllOf, AnyOf, Condition, Filter, Not
    from zeroshot_core.index.open_version import OpenVersion
    from zeroshot_core.index.params import INDEX_TYPES, METRICS, IndexParams
    from zeroshot_core.index.vector_index import VectorIndex
    from zeroshot_core.index.versions import VersionInfo

# A filter needs nothing of what reads and writes.
_MODULES = {
    "Collection": "collection",
    "CollectionInfo": "collection",
    "ConceptName": "collection",
    "GraphCollection": "collection",
    "SearchResult": "collection",
    "AllOf": "filters",
    "AnyOf": "filters",
    "Condition": "filters",
    "Filter": "filters",
    "Not": "filters",
    "OpenVersion": "open_version",
    "INDEX_TYPES": "params",
    "METRICS": "params",
    "IndexParams": "params",
    "VectorIndex": "vector_index",
    "VersionInfo": "versions",
}

__all__ = [
    "INDEX_TYPES",
    "METRICS",
    "AllOf",
    "AnyOf",
    "Collection",
    "CollectionInfo",
    "ConceptName",
    "Condition",
    "Filter",
    "GraphCollection",
    "IndexParams",
    "Not",
    "OpenVersion",
    "SearchResult",
    "VectorIndex",
    "VersionInfo",
]

__getattr__ = opens(__name__, _MODULES)
