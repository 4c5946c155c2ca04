from .collection import Collection, CollectionInfo, ConceptName, GraphCollection, SearchResult
from .filters import AllOf, AnyOf, Condition, Filter, Not
from .item_columns import ItemColumns
from .open_version import OpenVersion
from .params import INDEX_TYPES, METRICS, IndexParams
from .ray_run import RayOptions
from .vector_index import VectorIndex
from .versions import VersionInfo

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
    "ItemColumns",
    "Not",
    "OpenVersion",
    "RayOptions",
    "SearchResult",
    "VectorIndex",
    "VersionInfo",
]
