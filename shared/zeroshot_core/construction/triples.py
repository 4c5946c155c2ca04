"""Triples that an extractor found in a text, checked one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

from zeroshot_core.graph.names import label_key, name_key

__all__ = ["Answer", "Extractor", "Reading", "Triple", "read_answer"]

Answer: TypeAlias = Any
"""Triples of one text: a sequence of `Triple` or of mappings with its fields, a mapping that holds it under
``triples``, or the exception that prevented it."""
Extractor: TypeAlias = Callable[[Sequence[str]], Sequence[Answer]]
"""What finds triples: n texts in, n answers out."""

# An id is `type:name`, and Milvus holds ids of 512 bytes.
_MAX_BYTES = 250
_MAX_SHOWN = 120


@dataclass(frozen=True, kw_only=True)
class Triple:
    """``head -relation-> tail`` as a text says it, with the types of its ends."""

    head: str
    relation: str
    tail: str
    head_type: str = "concept"
    tail_type: str = "concept"


_FIELDS = tuple(field.name for field in fields(Triple))
_NAMES = frozenset({"head", "tail"})
_NEEDED = _NAMES | {"relation"}


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What could be read of one answer.

    Parameters
    ----------
    problems
        A line for each malformed triple, quoting it.
    error
        Why there is no answer; empty where there is one.
    """

    triples: tuple[Triple, ...] = ()
    problems: tuple[str, ...] = ()
    error: str = ""


def read_answer(answer: Answer) -> Reading:
    """Keep the well-formed triples of an answer, and say what is wrong with the others."""
    if isinstance(answer, Exception):
        return Reading(error=f"{type(answer).__name__}: {answer}")
    found = answer.get("triples") if isinstance(answer, Mapping) else answer
    if isinstance(found, str | bytes) or not isinstance(found, Sequence):
        return Reading(problems=(f"expected a list of triples, got {_quoted(answer)}",))
    triples, problems = [], []
    for value in found:
        try:
            triples.append(_read_triple(value))
        except ValueError as error:
            problems.append(f"{error}, got {_quoted(value)}")
    return Reading(triples=tuple(triples), problems=tuple(problems))


def _read_triple(value: Any) -> Triple:
    if isinstance(value, Triple):
        value = vars(value)
    if not isinstance(value, Mapping):
        raise ValueError("expected an object with head, relation and tail")
    given = {name: value[name] for name in _FIELDS if value.get(name) is not None}
    if not given.keys() >= _NEEDED:
        raise ValueError("expected head, relation and tail")
    return Triple(**{name: _field(name, text) for name, text in given.items()})


def _field(name: str, value: Any) -> str:
    key = name_key if name in _NAMES else label_key
    if not isinstance(value, str) or not key(value):
        raise ValueError(f"expected words as {name!r}")
    text = " ".join(value.split())
    if max(len(text.encode()), len(key(text).encode())) > _MAX_BYTES:
        raise ValueError(f"expected at most {_MAX_BYTES} bytes as {name!r}")
    return text


def _quoted(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= _MAX_SHOWN else f"{shown[:_MAX_SHOWN]}..."
