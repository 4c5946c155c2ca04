"""When two spellings are one name, one type, or one relation."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["label_key", "name_key", "singular_keys"]

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NOT_WORD = re.compile(r"[\W_]+")
_SIBILANTS = ("ses", "xes", "zes", "ches", "shes", "oes")
_NO_PLURAL = ("ss", "us", "is")
_MIN_PLURAL = 4
_QUOTES = "\"'`\u2018\u2019\u201c\u201d "


def name_key(name: str) -> str:
    """Fold what spellings of one name differ in: case, spaces, quotes, final stops, compatible characters.

    Empty where nothing is left. Signs within or before a name stay: ``C++`` and ``.NET`` are names.
    """
    folded = unicodedata.normalize("NFKC", name).casefold()
    return " ".join(folded.split()).lstrip(_QUOTES).rstrip(_QUOTES + ".,;:")


def label_key(label: str) -> str:
    """Put a type into snake case: ``LOCATED_IN``, ``located in`` and ``locatedIn`` are one."""
    split = _CAMEL.sub("_", unicodedata.normalize("NFKC", label))
    return _NOT_WORD.sub("_", split).strip("_").casefold()


def singular_keys(key: str) -> tuple[str, ...]:
    """English singulars that `key` could be the regular plural of, likeliest first.

    They are guesses: a caller merges only into a name that it has seen.
    """
    if len(key) < _MIN_PLURAL or not key.endswith("s") or key.endswith(_NO_PLURAL):
        return ()
    if key.endswith("ies"):
        return key[:-3] + "y", key[:-1]
    if key.endswith(_SIBILANTS):
        return key[:-1], key[:-2]
    return (key[:-1],)
