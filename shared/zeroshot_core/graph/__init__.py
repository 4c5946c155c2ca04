"""The knowledge graph: concepts and relations, their vectors, and activation that spreads over them."""

import lazy_loader

# What spreads over a graph stands on scipy; to hold one, or to name its type, does not.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
