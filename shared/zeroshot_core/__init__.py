"""Zero-shot prediction from a language model, a Milvus index and a knowledge graph."""

import lazy_loader

__version__ = "0.1.0"

# Names are imported when they are first used, so that importing the package costs neither torch nor pymilvus.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
