"""Knowledge graphs from what texts say, and from what occurs together."""

import lazy_loader

# Co-occurrence is counted by matrices: only who counts pays for them.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
