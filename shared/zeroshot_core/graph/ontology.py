"""What an ontology file says."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from zeroshot_core import checks
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.types import Concept, Relation

__all__ = ["Ontology", "chosen_types", "refuse_other_syntax"]

_COMMENTS = re.compile(r"<!--.*?-->|<\?.*?\?>|<!DOCTYPE[^\[>]*(?:\[[^\]]*\])?[^>]*>", flags=re.DOTALL)
_SYNTAXES = {
    "OWL in functional syntax": r"\s*(?:#[^\n]*\n\s*)*(?:Prefix|Ontology)\s*\(",
    "OWL in Manchester syntax": r"\s*(?:#[^\n]*\n\s*)*(?:Prefix|Ontology):\s",
    "OWL/XML": r"\s*<(?:[\w.-]+:)?Ontology\b",
    "OBO graphs in JSON": r'\s*\{\s*"graphs"\s*:\s*\[',
}


@dataclass(frozen=True, kw_only=True)
class Ontology:
    """Concepts and relations of an ontology file, as `read_obo` and `read_rdf` find them.

    Parameters
    ----------
    alternative_ids
        The current id by each id that was merged into it or replaced by it.
    """

    concepts: tuple[Concept, ...]
    relations: tuple[Relation, ...]
    alternative_ids: Mapping[str, str] = field(default_factory=dict)


def chosen_types(relation_types: Collection[str] | None, concept_type: str | None) -> Collection[str] | None:
    """Check which relations a reader keeps, all of them for None, and the type that it gives to concepts."""
    if concept_type is not None:
        checks.text("concept_type", concept_type)
    if relation_types is None or isinstance(relation_types, set | frozenset):
        return relation_types
    return checks.sequence("relation_types", relation_types, of="relation types")


def refuse_other_syntax(path: Path, text: str, *, but: str) -> None:
    """Refuse the ways of writing an ontology that nothing here reads, and name what converts them.

    Parameters
    ----------
    but
        What was expected: ``"OBO"`` or ``"RDF"``.

    Raises
    ------
    InvalidInputError
        If the text is one of them.
    """
    beginning = _COMMENTS.sub("", text[:10_000])
    for syntax, pattern in _SYNTAXES.items():
        if re.match(pattern, beginning):
            raise InvalidInputError(
                f"{path}: expected {but}, got {syntax}; convert it with ROBOT: "
                f"robot convert --input {path.name} --output {path.stem}.{'obo' if but == 'OBO' else 'ttl'}"
            )
    if but == "RDF" and re.search(r"^format-version:", beginning, flags=re.MULTILINE):
        raise InvalidInputError(f"{path}: expected RDF, got OBO; read it with from_obo")
