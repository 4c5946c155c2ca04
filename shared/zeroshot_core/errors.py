"""Errors of the package.

::

    ZeroShotError                     catch this for anything the package refuses or cannot do
    ├── InvalidInputError (ValueError)     an item, target, concept or parameter is wrong
    │   ├── UnknownConceptError            a concept id that the graph does not hold
    │   └── TooLittleError                 too few or too like examples to tune on
    ├── NotFittedError (ValueError)        predict before fit
    ├── ArtifactError (ValueError)         a saved model is missing, damaged, or of another version
    ├── MissingExtraError (ImportError)    an optional dependency is not installed
    └── VectorIndexError (RuntimeError)    something between us and Milvus
        ├── ConnectionFailedError          no server there, or it refused us
        ├── IndexLockedError               another process holds the Milvus Lite file
        ├── UnsupportedIndexError          the target cannot serve that index type or metric
        ├── FingerprintMismatchError       the index was built with another encoder
        └── VersionNotFoundError           the collections of a version are not there
"""

from __future__ import annotations

import importlib
from types import ModuleType

__all__ = [
    "ArtifactError",
    "ConnectionFailedError",
    "FingerprintMismatchError",
    "IndexLockedError",
    "InvalidInputError",
    "MissingExtraError",
    "NotFittedError",
    "TooLittleError",
    "UnknownConceptError",
    "UnsupportedIndexError",
    "VectorIndexError",
    "VersionNotFoundError",
    "ZeroShotError",
    "require",
]


_LONGEST = 1_000
_ENDING = 300


class ZeroShotError(Exception):
    """Base of every error that the package raises on purpose.

    Its message is one line of at most 1,000 characters, whatever of somebody's content it repeats: the middle
    is left out, since what was expected stands at the beginning and the remedy at the end.
    """

    def __init__(self, message: str = "") -> None:
        line = " ".join(part.strip() for part in message.splitlines())
        if len(line) > _LONGEST:
            line = f"{line[: _LONGEST - _ENDING - 5]} ... {line[-_ENDING:]}"
        super().__init__(line)


class InvalidInputError(ZeroShotError, ValueError):
    """An item, target, concept or parameter is wrong; nothing has been changed."""


class UnknownConceptError(InvalidInputError):
    """An item or query names a concept that the graph does not hold."""


class TooLittleError(InvalidInputError):
    """Examples are too few, or too much alike, to tune an encoder on and to hold a part out."""


class NotFittedError(ZeroShotError, ValueError):
    """A prediction was asked of a model that has not been fitted."""


class ArtifactError(ZeroShotError, ValueError):
    """A saved model is missing, damaged, or written by another version."""


class MissingExtraError(ZeroShotError, ImportError):
    """An optional dependency is not installed."""


class VectorIndexError(ZeroShotError, RuntimeError):
    """Something went wrong between the package and Milvus."""


class ConnectionFailedError(VectorIndexError):
    """No Milvus answers at the address, or it refused the credentials."""


class IndexLockedError(VectorIndexError):
    """Another process holds the Milvus Lite file."""


class UnsupportedIndexError(VectorIndexError, ValueError):
    """The target cannot serve the index type or metric that was asked for."""


class FingerprintMismatchError(VectorIndexError, ValueError):
    """The index holds vectors of another encoder; searching would mix vector spaces."""


class VersionNotFoundError(VectorIndexError):
    """The collections of an index version are not there."""


def require(module: str, *, extra: str) -> ModuleType:
    """Import an optional module, or say which extra brings it.

    Parameters
    ----------
    module
        Dotted name of the module to import.
    extra
        Extra of ``zeroshot-milvus`` that installs it.

    Raises
    ------
    MissingExtraError
        If the module is not installed; the message is the pip line that mends it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"{module} is not installed; install it with: pip install 'zeroshot-milvus[{extra}]'"
        ) from error
