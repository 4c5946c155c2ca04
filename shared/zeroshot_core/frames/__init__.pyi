from .frame_items import graph_from_frame, items_from_frame
from .table_schema import TableSchema

__all__ = ["TableSchema", "graph_from_frame", "items_from_frame"]
