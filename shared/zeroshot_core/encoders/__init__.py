"""Contents in, unit vectors out: transformer models, embedding functions, and hashing."""

import lazy_loader

# To name the type of an encoder needs none of what runs one.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
