"""Names that texts use, resolved to concepts: those of a graph where they are known, else new ones."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.graph.names import name_key, singular_keys
from zeroshot_core.types import Concept

__all__ = ["Mention", "NameLinker", "resolve"]

Mention: TypeAlias = tuple[str, str]
"""A name as written, and its type."""
NameLinker: TypeAlias = Callable[[Sequence[str]], Sequence[str | None]]
"""Names in, for each the id of a known concept or None out."""


def resolve(
    mentions: Counter[Mention], graph: KnowledgeGraph, link: NameLinker | None
) -> tuple[dict[Mention, str], list[Concept]]:
    """Find the concept id of each mention, and the concepts that are new.

    Without `link` a mention is the concept of the graph that has its name or synonym; of several, the one of
    its type. New concepts are one for each name and type, spelled as most often, with id ``type:name``. A
    plural is merged into a singular of its type that is written somewhere else, and kept as a synonym.

    Raises
    ------
    InvalidInputError
        If `link` does not answer for each name, or names a concept that the graph does not hold.
    """
    known = _linked(list(mentions), graph, link) if link else _matched(mentions, graph)
    groups: dict[Mention, Counter[str]] = defaultdict(Counter)
    unknown = [mention for mention in mentions if mention not in known]
    keys = _canonical({(name_key(name), type_): None for name, type_ in unknown})
    for name, type_ in unknown:
        groups[keys[name_key(name), type_], type_][name] += mentions[name, type_]
    ids = {(name, type_): f"{type_}:{keys[name_key(name), type_]}" for name, type_ in unknown}
    new = [_concept(key, type_, spellings) for (key, type_), spellings in groups.items()]
    return known | ids, [concept for concept in new if concept.id not in graph]


def _linked(mentions: Sequence[Mention], graph: KnowledgeGraph, link: NameLinker) -> dict[Mention, str]:
    names = list(dict.fromkeys(name for name, _ in mentions))
    answers = link(names)
    if len(answers) != len(names):
        raise InvalidInputError(
            f"expected a concept id or None for each of {len(names)} names, got {len(answers)}; mend `link`"
        )
    found = dict(zip(names, answers, strict=True))
    graph.require(id_ for id_ in found.values() if id_ is not None)
    return {(name, type_): id_ for name, type_ in mentions if (id_ := found[name]) is not None}


def _matched(mentions: Iterable[Mention], graph: KnowledgeGraph) -> dict[Mention, str]:
    named: dict[str, dict[str, Concept]] = defaultdict(dict)
    for concept in graph.concepts.values():
        for name in (concept.name, *concept.synonyms):
            named[name_key(name)][concept.id] = concept
    matches = {mention: _match(mention, named) for mention in mentions}
    return {mention: id_ for mention, id_ in matches.items() if id_ is not None}


def _match(mention: Mention, named: Mapping[str, Mapping[str, Concept]]) -> str | None:
    """Take the one concept of a name; of several the one of the type, or None."""
    name, type_ = mention
    for key in (name_key(name), *singular_keys(name_key(name))):
        if key in named:
            same_type = [concept.id for concept in named[key].values() if concept.type == type_]
            candidates = same_type or list(named[key])
            return candidates[0] if len(candidates) == 1 else None
    return None


def _canonical(keys: Mapping[Mention, None]) -> dict[Mention, str]:
    """Key under which each key of a type is kept: its singular where that is among them."""
    return {(key, type_): _innermost(key, type_, keys) for key, type_ in keys}


def _innermost(key: str, type_: str, keys: Mapping[Mention, None]) -> str:
    singular = next((one for one in singular_keys(key) if (one, type_) in keys), None)
    return key if singular is None else _innermost(singular, type_, keys)


def _concept(key: str, type_: str, spellings: Counter[str]) -> Concept:
    own = [name for name in spellings if name_key(name) == key]
    name = max(own, key=lambda spelling: spellings[spelling])
    others = {name_key(other): other for other in spellings if other not in own}
    return Concept(id=f"{type_}:{key}", name=name, type=type_, synonyms=tuple(others.values()))
