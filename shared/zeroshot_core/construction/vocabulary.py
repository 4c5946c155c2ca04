"""The types that a graph may use, and their one spelling."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from zeroshot_core.construction.triples import Triple
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.graph.names import label_key

__all__ = ["Vocabulary"]


class Vocabulary:
    """Spells types as they are allowed, else as the graph does, else in snake case.

    Raises
    ------
    InvalidInputError
        If a list of types is empty or holds something without words.
    """

    def __init__(
        self,
        concept_types: Sequence[str] | None,
        relation_types: Sequence[str] | None,
        graph: KnowledgeGraph | None,
    ) -> None:
        self._concept_types = _spellings("concept_types", concept_types)
        self._relation_types = _spellings("relation_types", relation_types)
        self._known_concept_types = _by_key(graph.types if graph else ())
        self._known_relation_types = _by_key(graph.relation_types if graph else ())

    def spell(self, triple: Triple) -> Triple:
        """Put the types of a triple into their one spelling."""
        concept = self._known_concept_types | (self._concept_types or {})
        relation = self._known_relation_types | (self._relation_types or {})
        return replace(
            triple,
            head_type=_spelled(triple.head_type, concept),
            relation=_spelled(triple.relation, relation),
            tail_type=_spelled(triple.tail_type, concept),
        )

    def allows(self, triple: Triple) -> bool:
        """Whether all types of a spelled triple are allowed."""
        return not self.objection(triple)

    def objection(self, triple: Triple) -> str:
        """Say what is not allowed in a spelled triple; empty where all is."""
        for allowed, label in (
            (self._concept_types, triple.head_type),
            (self._relation_types, triple.relation),
            (self._concept_types, triple.tail_type),
        ):
            if allowed is not None and label_key(label) not in allowed:
                return f"expected one of {', '.join(allowed.values())}, got {label!r} in {triple}"
        return ""


def _spellings(name: str, labels: Sequence[str] | None) -> dict[str, str] | None:
    if labels is None:
        return None
    if isinstance(labels, str) or not labels or not all(map(label_key, labels)):
        raise InvalidInputError(f"expected {name} as a list of words or None, got {labels!r}")
    return _by_key(labels)


def _by_key(labels: Iterable[str]) -> dict[str, str]:
    return {label_key(label): label for label in labels}


def _spelled(label: str, spellings: dict[str, str]) -> str:
    key = label_key(label)
    return spellings.get(key, key)
