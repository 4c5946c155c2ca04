"""Checks of what callers give: one rule and one wording for each kind of parameter.

NumPy's numbers count as Python's everywhere, booleans never. Each check gives the value back, as Python's own
type, or raises `InvalidInputError` with what was expected, what was got, and the remedy where there is one.
"""

from __future__ import annotations

import difflib
import inspect
import math
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import wraps
from numbers import Integral, Real
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from zeroshot_core.errors import InvalidInputError

__all__ = [
    "choice",
    "known_arguments",
    "known_names",
    "nearest_name",
    "real",
    "repaired_text",
    "repaired_texts",
    "sequence",
    "shown",
    "text",
    "vectors",
    "whole",
]

Class = TypeVar("Class", bound=type)
Part = TypeVar("Part")

_MOST_SHOWN = 200


def whole(name: str, value: object, *, least: int = 0, most: int | None = None, remedy: str = "") -> int:
    """Check a whole number.

    Parameters
    ----------
    least, most
        Bounds, both included.
    remedy
        What to do instead, as a clause that ends the sentence.
    """
    is_whole = isinstance(value, Integral) and not isinstance(value, bool | np.bool_)
    if not is_whole or not least <= int(value) <= (math.inf if most is None else most):  # type: ignore[call-overload]
        bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise InvalidInputError(_sentence(name, f"as a whole number {bounds}", value, remedy))
    return int(value)  # type: ignore[call-overload, no-any-return]


def real(
    name: str,
    value: object,
    *,
    least: float | None = None,
    most: float | None = None,
    above: float | None = None,
    below: float | None = None,
    remedy: str = "",
) -> float:
    """Check a finite number.

    Parameters
    ----------
    least, most
        Bounds, included.
    above, below
        Bounds, excluded.
    remedy
        What to do instead, as a clause that ends the sentence.
    """
    number = float(value) if isinstance(value, Real) and not isinstance(value, bool | np.bool_) else math.nan
    fits = (
        math.isfinite(number)
        and (least is None or number >= least)
        and (most is None or number <= most)
        and (above is None or number > above)
        and (below is None or number < below)
    )
    if not fits:
        raise InvalidInputError(
            _sentence(name, f"as a number{_interval(least, most, above, below)}", value, remedy)
        )
    return number


def choice(name: str, value: object, options: Iterable[str]) -> str:
    """Check a word that is one of several; a wrong one is told the nearest right one."""
    known = list(options)
    if not isinstance(value, str) or value not in known:
        listed = ", ".join(repr(option) for option in known)
        raise InvalidInputError(_sentence(name, f"to be one of {listed}", value, _did_you_mean(value, known)))
    return value


def text(name: str, value: object, *, remedy: str = "") -> str:
    """Check a text that holds more than blanks."""
    if not isinstance(value, str) or not value.strip():
        raise InvalidInputError(_sentence(name, "as a text that is not empty", value, remedy))
    return value


def repaired_text(text: str) -> str:
    """Read each lone surrogate of a text, which no file and no tokenizer can hold, as U+FFFD.

    Two that make a pair, as UTF-16 writes what lies beyond its first plane, become the character that they
    stand for.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def repaired_texts(parts: Iterable[Part], of: str = "texts") -> list[Part]:
    """Repair those of several parts that are texts, as `repaired_text` does, and say in one warning how many.

    Parameters
    ----------
    of
        What the parts are, in the plural.
    """
    given = list(parts)
    repaired: list[Any] = [repaired_text(part) if isinstance(part, str) else part for part in given]
    n_repaired = sum(new is not old for new, old in zip(repaired, given, strict=True))
    if n_repaired:
        warnings.warn(
            f"{n_repaired} of {len(given)} {of} hold lone surrogates, which are no characters; "
            "each is read as U+FFFD",
            stacklevel=3,
        )
    return repaired


def sequence(name: str, value: object, *, of: str) -> list[Any]:
    """Check an ordered collection, and give it back as a list.

    Tables, mappings, sets, single texts and bytes are refused: their parts are column names, keys or letters,
    and none is what the caller meant.

    Parameters
    ----------
    of
        What the parts are, in the plural, such as ``"texts"``.
    """
    if isinstance(value, str | bytes | bytearray):
        raise InvalidInputError(
            f"expected {name} as a list of {of}, got one: {shown(value)}; wrap it in a list"
        )
    if isinstance(value, Mapping | set | frozenset):
        raise InvalidInputError(
            f"expected {name} as a list of {of}, got a {type(value).__name__}; give a list"
        )
    if hasattr(value, "columns") and hasattr(value, "shape"):
        raise InvalidInputError(
            f"expected {name} as a list of {of}, got a {type(value).__name__} with columns "
            f"{shown(list(value.columns))}; give one column as a list, or Items"
        )
    if not isinstance(value, Iterable):
        raise InvalidInputError(f"expected {name} as a list of {of}, got {shown(value)}; wrap it in a list")
    return list(value)


def vectors(
    name: str, value: object, shape: tuple[int | None, int | None], *, remedy: str = ""
) -> npt.NDArray[np.float32]:
    """Check finite vectors of a shape, and give them back as float32.

    Parameters
    ----------
    shape
        (rows, dimension); None where any number will do.
    remedy
        What to do instead, as a clause that ends the sentence.
    """
    try:
        rows = np.asarray(value, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"expected {name} as an array of numbers, got {shown(value)}") from error
    fits = rows.ndim == 2 and all(
        want is None or got == want for got, want in zip(rows.shape, shape, strict=True)
    )
    if not fits or not np.isfinite(rows).all():
        wanted = ", ".join("any" if part is None else str(part) for part in shape)
        problem = f"shape {rows.shape}" if not fits else "values that are not finite"
        ending = f"; {remedy}" if remedy else ""
        raise InvalidInputError(
            f"expected {name} as finite numbers of shape ({wanted}), got {problem}{ending}"
        )
    return rows


def known_names(what: str, given: Collection[str], known: Collection[str]) -> None:
    """Refuse names that are not known, with the nearest that are.

    Parameters
    ----------
    what
        What takes the names, such as ``"ZeroShotRetriever"``.
    """
    for name in given:
        if name not in known:
            nearest = nearest_name(name, known)
            listed = ", ".join(sorted(known)) or "no names"
            remedy = f"did you mean {nearest!r}?" if nearest else f"it takes {listed}"
            raise InvalidInputError(f"{what} does not know {name!r}; {remedy}")


def known_arguments(cls: Class) -> Class:
    """Decorate a class so that its constructor refuses unknown keyword arguments as `known_names` does.

    Python refuses them too, but names the nearest right word only from 3.13 on.
    """
    construct: Callable[..., None] = cls.__init__  # type: ignore[misc]
    known = [name for name in inspect.signature(construct).parameters if name != "self"]

    @wraps(construct)
    def checked(self: object, *args: Any, **kwargs: Any) -> None:
        known_names(cls.__name__, kwargs, known)
        construct(self, *args, **kwargs)

    cls.__init__ = checked  # type: ignore[misc]
    return cls


def nearest_name(name: str, known: Collection[str]) -> str | None:
    """Find the known name that is spelt most like a given one, None if none is near."""
    folded = {other.casefold().replace("_", ""): other for other in sorted(known)}
    near = difflib.get_close_matches(name.casefold().replace("_", ""), folded, n=1, cutoff=0.6)
    return folded[near[0]] if near else None


def shown(value: object) -> str:
    """Show a value in an error, cut to 200 characters."""
    words = repr(value)
    return words if len(words) <= _MOST_SHOWN else f"{words[: _MOST_SHOWN - 3]}..."


def _sentence(name: str, expected: str, value: object, remedy: str) -> str:
    return f"expected {name} {expected}, got {shown(value)}{'; ' * bool(remedy)}{remedy}"


def _interval(least: float | None, most: float | None, above: float | None, below: float | None) -> str:
    if least is not None and most is not None:
        return f" from {least:g} to {most:g}"
    if above is not None and below is not None:
        return f" above {above:g} and below {below:g}"
    parts = [
        f"{words} {bound:g}"
        for words, bound in (("above", above), ("of at least", least), ("at most", most), ("below", below))
        if bound is not None
    ]
    return " " + " and ".join(parts) if parts else ""


def _did_you_mean(value: object, known: Sequence[str]) -> str:
    nearest = nearest_name(value, known) if isinstance(value, str) else None
    return f"did you mean {nearest!r}?" if nearest else ""
