"""Checks of what callers give: one rule and one wording for each kind of parameter.

NumPy's numbers count as Python's everywhere, booleans never. Each check gives the value back, as Python's own
type, or raises `InvalidInputError` with what was expected, what was got, and the remedy where there is one.
"""

from __future__ import annotations

import difflib
import inspect
import math
import os
import re
import sys
import warnings
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import wraps
from numbers import Integral, Real
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from zeroshot_core.errors import InvalidInputError

__all__ = [
    "choice",
    "groups",
    "has_control_character",
    "instance",
    "is_missing",
    "known_arguments",
    "known_names",
    "listed",
    "nearest_name",
    "numbers",
    "path",
    "real",
    "repaired_text",
    "repaired_texts",
    "sequence",
    "shown",
    "text",
    "vectors",
    "warn",
    "warn_of_repairs",
    "whole",
    "without_control_characters",
]

Class = TypeVar("Class", bound=type)
Part = TypeVar("Part")

_PACKAGE = "zeroshot_core"
_MOST_SHOWN = 200
# The largest number that an index, or a seed of NumPy's, can hold.
_LARGEST = 2**63 - 1
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def whole(name: str, value: object, *, least: int = 0, most: int | None = None, remedy: str = "") -> int:
    """Check a whole number.

    Parameters
    ----------
    least, most
        Bounds, both included; without `most` it is what 64 bits hold.
    remedy
        What to do instead, as a clause that ends the sentence.
    """
    is_whole = isinstance(value, Integral) and not isinstance(value, bool | np.bool_)
    if most is None and is_whole and int(value) > _LARGEST:  # type: ignore[call-overload]
        most = _LARGEST
    if not is_whole or not least <= int(value) <= (_LARGEST if most is None else most):  # type: ignore[call-overload]
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
    number = _as_float(value) if _is_number(value) else math.nan
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


def flag(name: str, value: object) -> bool:
    """Check a yes or no: True or False, numpy's too, or 1 or 0."""
    if not isinstance(value, bool | np.bool_ | int | np.integer) or value not in (0, 1):
        raise InvalidInputError(_sentence(name, "as True or False", value, ""))
    return bool(value)


def text(name: str, value: object, *, remedy: str = "") -> str:
    """Check a text that holds more than blanks."""
    if not isinstance(value, str) or not value.strip():
        raise InvalidInputError(_sentence(name, "as a text that is not empty", value, remedy))
    return value


def instance(name: str, value: object, kind: type, *, remedy: str = "") -> None:
    """Check the class of a value."""
    if not isinstance(value, kind):
        raise InvalidInputError(_sentence(name, f"to be of class {kind.__name__}", value, remedy))


def path(name: str, value: object) -> Path:
    """Check the path of a file or folder, which need not be there."""
    try:
        encoded = os.fsencode(value)  # type: ignore[arg-type]
    except (TypeError, UnicodeError):
        encoded = b""
    if isinstance(value, bytes) or not encoded or b"\0" in encoded:
        raise InvalidInputError(f"expected {name} as a path, got {shown(value)}")
    return Path(os.fsdecode(encoded))


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
    warn_of_repairs(repaired, given, of)
    return repaired


def warn_of_repairs(repaired: Sequence[object], given: Sequence[object], of: str) -> None:
    """Say in one warning how many of several things were repaired: those that are no longer as given.

    It is told of the line that called the caller's caller.
    """
    n_repaired = sum(new is not old for new, old in zip(repaired, given, strict=True))
    if n_repaired:
        warnings.warn(
            f"{n_repaired} of {len(given)} {of} hold lone surrogates, which are no characters; "
            "each is read as U+FFFD",
            stacklevel=4,
        )


def warn(message: str) -> None:
    """Warn of something at the line that called the package, however deep in it that is noticed."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and str(frame.f_globals.get("__name__")).startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, stacklevel=level)


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
        columns = [str(column) for column in getattr(value, "column_names", value.columns)]
        items = " or [Item(...) for ...]" if "tems" in of else ""
        raise InvalidInputError(
            f"expected {name} as a list of {of}, got a {type(value).__name__} with columns "
            f"{shown(columns)}; give one of them, such as table[{shown(columns[0]) if columns else '...'}]"
            f".tolist(){items}"
        )
    if not isinstance(value, Iterable) or (isinstance(value, np.ndarray) and value.ndim == 0):
        remedy = "give one, which may be empty" if value is None else "wrap it in a list"
        raise InvalidInputError(f"expected {name} as a list of {of}, got {shown(value)}; {remedy}")
    return list(value)


def groups(value: object, n: int, *, of: str) -> list[Hashable]:
    """Check groups, one for each of `n` things, in the order given: an index of pandas does not count.

    Parameters
    ----------
    of
        What has a group each, in the singular, such as ``"item"``.
    """
    checked = sequence("groups", value, of=f"groups, one for each {of}")
    if len(checked) != n:
        raise InvalidInputError(f"expected {n} groups, one for each {of}, got {len(checked)}")
    for row, group in enumerate(checked):
        if not isinstance(group, Hashable) or is_missing(group):
            raise InvalidInputError(
                f"expected a name or a number as the group of each {of}, got {shown(group)} in row {row}; "
                "fill it in"
            )
    return checked


def numbers(name: str, value: object) -> npt.NDArray[np.float64]:
    """Check numbers, of any shape, and give them back as float64; None and what pandas lacks is NaN.

    Dates, booleans, texts that look like numbers and masked entries are refused: NumPy would make numbers of
    them that nobody meant (nanoseconds, 0 and 1, 1009 of ``"1_009"``, what a mask hides).
    """
    n_hidden = int(np.sum(value.mask)) if isinstance(value, np.ma.MaskedArray) else 0
    if n_hidden:
        raise InvalidInputError(
            f"expected {name} that are numbers, got {n_hidden} masked entries; drop these rows, or fill them"
        )
    try:
        array = np.asarray(value)
    except (OverflowError, TypeError, ValueError) as error:
        raise InvalidInputError(
            f"expected {name} that are numbers, in rows of one length, got {shown(value)}"
        ) from error
    strange = None
    if isinstance(value, list | tuple) and array.dtype.kind in "iuf" and array.ndim == 1:
        # Beside numbers NumPy makes a number of a boolean.
        strange = next((part for part in value if isinstance(part, bool | np.bool_)), None)
    if array.dtype.kind == "O":
        parts = array.ravel().tolist()
        strange = next((part for part in parts if not _is_number(part) and not is_missing(part)), None)
        if strange is None:
            plain = np.array([math.nan if is_missing(part) else _as_float(part) for part in parts])
            array = plain.reshape(array.shape)
    elif array.dtype.kind not in "iuf" and array.size:
        # A text or a boolean is shown as the caller wrote it; dates of NumPy would become numbers.
        first = array.ravel()[0]
        strange = first.item() if array.dtype.kind in "USb" else first
    if strange is not None:
        raise InvalidInputError(
            f"expected {name} that are numbers, got {shown(strange)} of type {type(strange).__name__}; "
            "convert it to a number in the unit that you mean"
        )
    return array.astype(np.float64)


def has_control_character(value: str) -> bool:
    """Whether a name holds NUL, a line break or another control character, which no filter can express."""
    return _CONTROL.search(value) is not None


def without_control_characters(value: str) -> str:
    """Put blanks in the place of what `has_control_character` finds."""
    return _CONTROL.sub(" ", value)


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
    except (OverflowError, TypeError, ValueError) as error:
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
            raise InvalidInputError(f"{what} does not know {shown(name)}; {remedy}")


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
    """Show a value in an error, in a line of at most 200 characters, without user and password of a URI.

    Of bytes only their number is shown.
    """
    try:
        words = f"{len(value):,} bytes" if isinstance(value, bytes) else repr(value)
    except Exception:  # a number of 5,000 digits, or an object that cannot show itself
        words = f"a value of type {type(value).__name__} that cannot be shown"
    # Arrays and tables take several lines.
    words = re.sub(r"//[^/@]*@", "//...@", " ".join(line.strip() for line in words.split("\n")))
    return _cut(words)


def listed(names: Iterable[str]) -> str:
    """List names in an error, with commas between them, in one line of at most 200 characters."""
    return _cut(" ".join(", ".join(names).split()))


def _cut(words: str) -> str:
    return words if len(words) <= _MOST_SHOWN else f"{words[: _MOST_SHOWN - 3]}..."


def _as_float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _is_number(value: object) -> bool:
    return isinstance(value, Real | Decimal) and not isinstance(value, bool | np.bool_)


def is_missing(value: object) -> bool:
    """Whether it is None, NaN, or what pandas writes for a value that is not there."""
    is_nan = isinstance(value, float | np.floating) and math.isnan(value)
    return value is None or is_nan or type(value).__name__ in {"NAType", "NaTType"}


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
