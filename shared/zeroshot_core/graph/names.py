"""Keys under which different spellings of a name are one.

Each folds what its users must not tell apart, and no more: ids in an index and in a built graph stand on
`case_key` and `name_key`, whose values must therefore never change.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

__all__ = ["case_key", "id_key", "label_key", "name_key", "singular_keys", "stem_key", "word_key"]

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_ID = re.compile(r"<?(?:https?://\S*[/#])?([a-z][a-z0-9.]*)[:_](\w*\d\w*)>?", flags=re.IGNORECASE)
_NOT_WORD = re.compile(r"[\W_]+")
_SIBILANTS = ("ses", "xes", "zes", "ches", "shes", "oes")
_NO_PLURAL = ("ss", "us", "is")
_MIN_PLURAL = 4
_QUOTES = "\"'`\u2018\u2019\u201c\u201d "


def case_key(name: str) -> str:
    """Fold case and spaces: under this key the names of concepts are stored and looked up."""
    return " ".join(name.casefold().split())


def id_key(id_: str) -> str:
    """Fold the spellings of an ontology's id, with ``prefix:`` first; empty for what is not like one.

    ``HP:0000256``, ``hp:0000256``, ``HP_0000256`` and ``http://purl.obolibrary.org/obo/HP_0000256`` are one.
    """
    found = _ID.fullmatch(id_.strip())
    return f"{found[1]}:{found[2]}".casefold() if found else ""


def word_key(name: str) -> str:
    """Fold case, spaces and punctuation, as in the answers of language models."""
    return _NOT_WORD.sub(" ", name.casefold()).strip()


@lru_cache(maxsize=65536)
def stem_key(name: str) -> str:
    """Fold case, spaces, punctuation, accents and the s of English plurals, to compare names as strings."""
    plain = unicodedata.normalize("NFKD", name.casefold())
    words = _NOT_WORD.split("".join(char for char in plain if not unicodedata.combining(char)))
    return " ".join(word[:-1] if _is_plural(word) else word for word in words if word)


def name_key(name: str) -> str:
    """Fold case, spaces, quotes, final stops and compatible characters, for ids of concepts found in texts.

    Empty where nothing is left. Signs within or before a name stay: ``C++`` and ``.NET`` are names.
    """
    folded = case_key(unicodedata.normalize("NFKC", name))
    return folded.lstrip(_QUOTES).rstrip(_QUOTES + ".,;:")


def label_key(label: str) -> str:
    """Put a type into snake case: ``LOCATED_IN``, ``located in`` and ``locatedIn`` are one."""
    split = _CAMEL.sub("_", unicodedata.normalize("NFKC", label))
    return _NOT_WORD.sub("_", split).strip("_").casefold()


def singular_keys(key: str) -> tuple[str, ...]:
    """English singulars that `key` could be the regular plural of, likeliest first.

    They are guesses: a caller merges only into a name that it has seen.
    """
    if not _is_plural(key):
        return ()
    if key.endswith("ies"):
        return key[:-3] + "y", key[:-1]
    if key.endswith(_SIBILANTS):
        return key[:-1], key[:-2]
    return (key[:-1],)


def _is_plural(word: str) -> bool:
    return len(word) >= _MIN_PLURAL and word.endswith("s") and not word.endswith(_NO_PLURAL)
