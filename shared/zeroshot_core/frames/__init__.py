"""Tables as items: which column says what, and the items and concepts that its rows become."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
