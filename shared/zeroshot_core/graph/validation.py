"""Checks of a graph's records, gathered into one error."""

from __future__ import annotations

import sys
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from numbers import Real
from types import MappingProxyType

from zeroshot_core.checks import has_control_character, shown
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.types import Concept, Relation

__all__ = ["N_SHOWN", "arrow", "brief", "check_graph", "first_of", "ids_of", "reason_of", "refuse_damaged"]

N_SHOWN = 5
_LARGEST_WEIGHT = sys.float_info.max
_MOST_SHOWN = 200
_MOST_BRIEF = 100
_MOST_TOGETHER = 600


def first_of(messages: Iterable[str], count: int) -> str:
    """Join the first messages, fewer where they are long, and say how many of `count` are left out."""
    first: list[str] = []
    for message in islice(messages, N_SHOWN):
        if first and sum(map(len, first)) + len(message) > _MOST_TOGETHER:
            break
        first.append(message)
    more = f"; and {count - len(first)} more" if count > len(first) else ""
    return "; ".join(first) + more


def reason_of(error: BaseException) -> str:
    """Say in one line why a parser failed; a file that it quotes is cut, and commands no terminal."""
    reason = " ".join(str(error).split()) or type(error).__name__
    plain = "".join(char if char.isprintable() else "\ufffd" for char in reason[: _MOST_SHOWN + 1])
    return plain if len(plain) <= _MOST_SHOWN else f"{plain[: _MOST_SHOWN - 3]}..."


def brief(value: object) -> str:
    """Show a value in an error that shows several, cut to 100 characters."""
    words = shown(value)
    return words if len(words) <= _MOST_BRIEF else f"{words[: _MOST_BRIEF - 3]}..."


def arrow(relation: Relation) -> str:
    """Show a relation in an error: ``'a' -is_a-> 'b'``."""
    type_ = relation.type
    named = type_ if _is_filled(type_) and type_.isprintable() else shown(type_)
    return f"{brief(relation.head)} -{named[:_MOST_BRIEF]}-> {brief(relation.tail)}"


def refuse_damaged(origin: str, damaged: Sequence[tuple[int, str]], *, unit: str) -> None:
    """Refuse a file or table with damaged lines or rows, each given by its number and the reason.

    Raises
    ------
    InvalidInputError
        If there is any; the message counts them all and lists the first.
    """
    if damaged:
        reasons = (f"{unit} {number}: {reason}" for number, reason in damaged)
        raise InvalidInputError(
            f"{origin}: expected a record in every {unit}, got {len(damaged)} damaged: "
            f"{first_of(reasons, len(damaged))}; mend or drop them"
        )


def check_graph(
    concepts: Sequence[Concept],
    relations: Sequence[Relation],
    alternative_ids: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Refuse damaged, repeated and dangling records.

    Raises
    ------
    InvalidInputError
        If there is any; the message counts them all and lists the first.
    """
    known = ids_of(concepts)
    problems = [
        *_concept_problems(concepts),
        *_relation_problems(relations, known),
        *_alternative_problems(alternative_ids, known),
    ]
    if problems:
        raise InvalidInputError(
            "expected distinct concepts with non-empty ids, names and types, and distinct relations "
            f"between them with finite weights above 0, got {len(problems)} wrong: "
            f"{first_of(problems, len(problems))}; mend or drop them"
        )


def ids_of(concepts: Iterable[Concept]) -> set[str]:
    """Ids of what are concepts with an id."""
    return {c.id for c in concepts if isinstance(c, Concept) and isinstance(c.id, str)}


def _alternative_problems(alternative_ids: Mapping[str, str], known: Container[str]) -> Iterator[str]:
    for old, new in alternative_ids.items():
        if not (_is_filled(old) and isinstance(new, str) and new in known):
            yield f"alternative id {shown(old)} means {shown(new)}, which is no concept"


def _is_filled(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _concept_problems(concepts: Sequence[Concept]) -> Iterator[str]:
    seen: set[str] = set()
    for c in concepts:
        if not isinstance(c, Concept):
            yield f"{shown(c)} is no Concept"
            continue
        if not (_is_filled(c.id) and _is_filled(c.name) and _is_filled(c.type)):
            yield f"concept id={shown(c.id)} name={shown(c.name)} type={shown(c.type)} has an empty field"
            continue
        if has_control_character(c.id + c.type):
            yield f"concept id={shown(c.id)} type={shown(c.type)} has a control character in its id or type"
        if c.id in seen:
            yield f"concept {shown(c.id)} is given twice"
        seen.add(c.id)
        if not isinstance(c.synonyms, tuple) or not all(map(_is_filled, c.synonyms)):
            yield f"concept {shown(c.id)} has synonyms {shown(c.synonyms)}, not a tuple of non-empty strings"
        if not isinstance(c.description, str):
            yield f"concept {shown(c.id)} has description {shown(c.description)}, not a string"


def _relation_problems(relations: Sequence[Relation], known: Container[str]) -> Iterator[str]:
    seen: set[tuple[str, str, str]] = set()
    for r in relations:
        if not isinstance(r, Relation):
            yield f"{shown(r)} is no Relation"
            continue
        key = (r.head, r.type, r.tail)
        if not all(isinstance(part, str) for part in key):
            yield f"relation {arrow(r)} is not of strings"
            continue
        if key in seen:
            yield f"relation {arrow(r)} is given twice"
        seen.add(key)
        if not _is_filled(r.type) or has_control_character(r.type):
            yield f"relation {brief(r.head)} -> {brief(r.tail)} has type {brief(r.type)}"
        for end in (r.head, r.tail):
            if end not in known:
                yield f"relation {arrow(r)} ends at unknown concept {brief(end)}"
        if not isinstance(r.sources, tuple) or not all(map(_is_filled, r.sources)):
            sources = shown(r.sources)
            yield f"relation {arrow(r)} has sources {sources}, not a tuple of ids"
        if not (isinstance(r.weight, Real) and 0 < r.weight <= _LARGEST_WEIGHT):
            yield f"relation {arrow(r)} has weight {shown(r.weight)}"
