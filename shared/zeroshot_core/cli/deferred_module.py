"""Modules that a library imports at its top for functions which a command hardly ever calls.

A command is a process of its own, in which what is imported is waited for. Scikit-learn imports scipy.stats,
which takes as long as all the rest of it; its code runs once something of it is asked for.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from threading import RLock
from types import ModuleType
from typing import Any

__all__ = ["DeferredModule", "defer"]


class DeferredModule(ModuleType):
    """A module whose code runs when an attribute is first asked for that it does not have yet.

    That of `importlib.util.LazyLoader` runs at the second import already, which looks at the module's spec.
    """

    def __getattr__(self, name: str) -> Any:
        # The import system itself asks for what a module has or not, as its path.
        if name.startswith("__") and name != "__all__":
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        loader = vars(self)["__loader__"]
        with loader.running:
            # Taken away first: the code may ask for attributes that are not there yet.
            if loader.waiting:
                loader.waiting = False
                loader.original.exec_module(self)
        if name not in vars(self):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return vars(self)[name]


class _DeferringLoader(Loader):
    def __init__(self, original: Any) -> None:
        self.original = original
        self.waiting = True
        self.running = RLock()

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return DeferredModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Leave it for later."""


class _DeferringFinder(MetaPathFinder):
    def __init__(self, names: Collection[str]) -> None:
        self._names = names

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path, target) if fullname in self._names else None
        if spec is not None and spec.loader is not None:
            spec.loader = _DeferringLoader(spec.loader)
        return spec


def defer(*names: str) -> None:
    """Have the code of some modules run no sooner than they are needed, in all of this process."""
    sys.meta_path.insert(0, _DeferringFinder(names))
