"""Arguments under the names by which callers know them: ours, or those of their framework."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from functools import wraps
from typing import Any, TypeVar

from typing_extensions import ParamSpec

from zeroshot_core.checks import known_names
from zeroshot_core.errors import InvalidInputError

__all__ = ["known_keywords", "named_arguments", "own_names"]

P = ParamSpec("P")
T = TypeVar("T")
Class = TypeVar("Class", bound=type)


def own_names(
    what: str, given: Mapping[str, Any], known: Collection[str], synonyms: Mapping[str, str]
) -> dict[str, Any]:
    """Give arguments by our names for them.

    Parameters
    ----------
    what
        What takes the arguments, such as ``"ZeroShotRetriever"``.
    known
        Our names.
    synonyms
        Ours, by a framework's name for the same.

    Raises
    ------
    InvalidInputError
        If a name is not known, with the nearest that is; or if one thing is given by two names.
    """
    known_names(what, given, {*known, *synonyms})
    said: dict[str, str] = {}
    for name in given:
        own = synonyms.get(name, name)
        if own in said:
            raise InvalidInputError(
                f"{what}: expected {own!r} once, got it as {said[own]!r} and as {name!r}; leave one out"
            )
        said[own] = name
    return {own: given[name] for own, name in said.items()}


def named_arguments(synonyms: Mapping[str, str]) -> Callable[[Class], Class]:
    """Decorate a class so that its constructor takes keyword arguments as `own_names` reads them."""

    def decorated(cls: Class) -> Class:
        construct: Callable[..., None] = cls.__init__  # type: ignore[misc]
        known = [name for name in inspect.signature(construct).parameters if name != "self"]

        @wraps(construct)
        def named(self: object, *args: Any, **kwargs: Any) -> None:
            construct(self, *args, **own_names(cls.__name__, kwargs, known, synonyms))

        cls.__init__ = named  # type: ignore[misc]
        return cls

    return decorated


def known_keywords(function: Callable[P, T]) -> Callable[P, T]:
    """Decorate a function so that it refuses unknown keyword arguments, with the nearest known name."""
    known = [*inspect.signature(function).parameters]

    @wraps(function)
    def named(*args: P.args, **kwargs: P.kwargs) -> T:
        known_names(function.__name__, kwargs, known)
        return function(*args, **kwargs)

    return named
