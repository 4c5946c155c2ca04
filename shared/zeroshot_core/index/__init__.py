"""Everything that talks to Milvus: versions of an index, filters, search."""

import lazy_loader

# A filter needs nothing of what reads and writes.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
