"""Concepts and relations of attributes, as other libraries keep them, and back; repeated ones united."""

from __future__ import annotations

import gc
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from numbers import Number
from operator import attrgetter
from typing import Any, TypeAlias

import numpy as np

from zeroshot_core.checks import repaired_text, shown, warn_of_repairs
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph.validation import brief, first_of
from zeroshot_core.types import Concept, Relation

__all__ = [
    "Records",
    "collector_paused",
    "concept_attributes",
    "concept_of",
    "merge_concepts",
    "merge_relations",
    "relation_attributes",
    "relation_of",
    "repaired_records",
    "split_values",
    "text_of",
]

Records: TypeAlias = tuple[list[Concept], list[Relation]]


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause the cyclic garbage collector, which else looks through millions of fresh records for nothing."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def concept_of(id_: str, attributes: Mapping[str, Any], *, type_: str = "concept") -> Concept:
    """Concept with the attributes name, synonyms and description where they are filled; else its id names it.

    Raises
    ------
    InvalidInputError
        If the name or description is neither a text nor a number, or the synonyms are neither a list nor a
        string of values between bars.
    """
    return Concept(
        id=sys.intern(str(id_)),
        name=text_of("name", attributes.get("name")) or id_,
        type=sys.intern(str(type_)),
        synonyms=split_values("synonyms", attributes.get("synonyms")),
        description=text_of("description", attributes.get("description")),
    )


def relation_of(
    head: str, type_: str, tail: str, attributes: Mapping[str, Any], *, source: str = ""
) -> Relation:
    """Relation with the attributes weight and sources where they are filled; the weight defaults to 1.

    Parameters
    ----------
    source
        A further source.

    Raises
    ------
    InvalidInputError
        If the weight is not a number, or the sources are neither a list nor a string of values between bars.
    """
    weight = attributes.get("weight", 1.0)
    sources = split_values("sources", attributes.get("sources"))
    # An id is kept once, however many relations end at it; a text of NumPy's can't be interned.
    return Relation(
        head=sys.intern(str(head)),
        type=sys.intern(str(type_)),
        tail=sys.intern(str(tail)),
        weight=1.0 if weight is None or (isinstance(weight, str) and not weight) else _number(weight),
        sources=(*sources, source) if source and source not in sources else sources,
    )


def text_of(name: str, value: Any) -> str:
    """Text of an attribute; empty for None and NaN, digits for a number.

    Raises
    ------
    InvalidInputError
        If it is anything else.
    """
    if isinstance(value, str):
        return str(value)
    if value is None:
        return ""
    if not isinstance(value, Number | np.generic):
        raise InvalidInputError(f"expected {name} as a text, got {shown(value)}")
    return "" if value != value else str(value)


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidInputError(f"expected a weight that is a number, got {shown(value)}") from error


def split_values(name: str, value: Any) -> tuple[str, ...]:
    """Values of a list, or of a string that separates them by bars (``"one|two"``)."""
    if isinstance(value, str):
        return tuple(part for part in map(str.strip, value.split("|")) if part)
    if isinstance(value, list | tuple):
        return tuple(text for part in value if (text := text_of(name, part)))
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ()
    raise InvalidInputError(f"expected a list of {name}, got {shown(value)}")


def repaired_records(
    concepts: Sequence[Concept], relations: Sequence[Relation], alternative_ids: Mapping[str, str]
) -> tuple[tuple[Concept, ...], tuple[Relation, ...], dict[str, str]]:
    """Read each lone surrogate as U+FFFD, and say in one warning how many records hold any.

    What is of a wrong type comes back as it is.
    """
    if _are_sound(concepts, relations, alternative_ids):
        return tuple(concepts), tuple(relations), dict(alternative_ids)
    given = [*concepts, *relations, *alternative_ids.items()]
    repaired = list(map(_repaired, given))
    warn_of_repairs(repaired, given, "concepts, relations and alternative ids")
    n, m = len(concepts), len(concepts) + len(relations)
    return tuple(repaired[:n]), tuple(repaired[n:m]), dict(repaired[m:])


def _are_sound(
    concepts: Sequence[Concept], relations: Sequence[Relation], alternative_ids: Mapping[str, str]
) -> bool:
    """Whether no text has a lone surrogate, by one look at each distinct one; not so if some are no texts."""
    try:
        single: set[str] = set().union(
            *(map(attrgetter(name), concepts) for name in ("id", "name", "type", "description")),
            *(map(attrgetter(name), relations) for name in ("head", "type", "tail")),
        )
        several: set[tuple[str, ...]] = {
            *map(attrgetter("synonyms"), concepts),
            *map(attrgetter("sources"), relations),
        }
        ids = alternative_ids.items()
        together = "".join(chain(single, chain.from_iterable(several), chain.from_iterable(ids)))
    except (AttributeError, TypeError):
        return False
    return together.isascii() or repaired_text(together) is together


def _repaired(value: Any) -> Any:
    """Repair the texts of a record, of a tuple, or a text; what is sound comes back itself."""
    if isinstance(value, str):
        return value if value.isascii() else repaired_text(value)
    if isinstance(value, tuple):
        parts = tuple(map(_repaired, value))
        return parts if any(new is not old for new, old in zip(parts, value, strict=True)) else value
    if isinstance(value, Concept | Relation):
        fields = vars(value)
        changed = {name: new for name, old in fields.items() if (new := _repaired(old)) is not old}
        return replace(value, **changed) if changed else value
    return value


def concept_attributes(concept: Concept) -> dict[str, Any]:
    """Attributes that `concept_of` reads, the empty ones left out."""
    filled = {"synonyms": list(concept.synonyms), "description": concept.description}
    return {"name": concept.name, **{name: value for name, value in filled.items() if value}}


def relation_attributes(relation: Relation) -> dict[str, Any]:
    """Attributes that `relation_of` reads, no sources left out."""
    return {
        "weight": float(relation.weight),
        **({"sources": list(relation.sources)} if relation.sources else {}),
    }


def merge_concepts(concepts: Iterable[Concept]) -> list[Concept]:
    """Unite concepts of the same id: the first name that is not the id, all synonyms, the first description.

    Raises
    ------
    InvalidInputError
        If one id has several types.
    """
    merged: dict[str, Concept] = {}
    clashes: dict[str, str] = {}
    for concept in concepts:
        known = merged.setdefault(concept.id, concept)
        if known.type != concept.type:
            clashes[concept.id] = (
                f"{brief(concept.id)} is of type {brief(known.type)} and of type {brief(concept.type)}"
            )
        if known != concept:
            merged[concept.id] = _united(known, concept)
    if clashes:
        raise InvalidInputError(
            f"expected one type for each concept, got several for {len(clashes)}: "
            f"{first_of(clashes.values(), len(clashes))}; settle on one or give them ids of their own"
        )
    return list(merged.values())


def _united(known: Concept, other: Concept) -> Concept:
    name = other.name if known.name == known.id else known.name
    synonyms = dict.fromkeys([*known.synonyms, other.name, *other.synonyms])
    return replace(
        known,
        name=name,
        synonyms=tuple(synonym for synonym in synonyms if synonym not in {name, known.id}),
        description=known.description or other.description,
    )


def merge_relations(relations: Iterable[Relation]) -> list[Relation]:
    """Unite relations of the same head, type and tail: the largest weight, all sources."""
    merged: dict[tuple[str, str, str], Relation] = {}
    for relation in relations:
        key = (relation.head, relation.type, relation.tail)
        known = merged.setdefault(key, relation)
        if known != relation:
            sources = tuple(dict.fromkeys([*known.sources, *relation.sources]))
            merged[key] = replace(known, weight=max(known.weight, relation.weight), sources=sources)
    return list(merged.values())
