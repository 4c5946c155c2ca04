"""Concepts and relations from RDF files: Turtle, RDF/XML (OWL), N-Triples and JSON-LD."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from zeroshot_core import checks
from zeroshot_core.errors import InvalidInputError, require
from zeroshot_core.graph.loaders import open_text
from zeroshot_core.graph.ontology import Ontology, chosen_types, refuse_other_syntax
from zeroshot_core.graph.validation import reason_of, refuse_damaged

if TYPE_CHECKING:
    import rdflib

__all__ = ["read_rdf"]

FORMATS = {
    ".ttl": "turtle",
    ".nt": "nt",
    ".rdf": "xml",
    ".owl": "xml",
    ".xml": "xml",
    ".json": "json-ld",
    ".jsonld": "json-ld",
}

_IRI = r'<[^<>"]*>'
_BLANK = r"_:\w(?:[\w.\-\u00b7]*[\w\-\u00b7])?"
_LITERAL = rf'"[^"\\]*(?:\\.[^"\\]*)*"(?:\^\^{_IRI}|@[A-Za-z]+(?:-[A-Za-z0-9]+)*)?'
_TRIPLE = re.compile(
    rf"[ \t]*(?:(?:{_IRI}|{_BLANK})[ \t]*{_IRI}[ \t]*(?:{_IRI}|{_BLANK}|{_LITERAL})[ \t]*\.[ \t]*)?(?:#.*)?"
)
"""A line of N-Triples (W3C 2014), a comment or nothing; IRIs as loosely as files write them."""


def read_rdf(
    path: Path,
    *,
    format: str | None = None,
    language: str = "en",
    relation_types: Collection[str] | None = None,
    concept_type: str | None = None,
) -> Ontology:
    """Read the resources of an RDF file that have an IRI and are not deprecated.

    - The id is the IRI, that of an OBO ontology in its short form (``HP:0001250``). The name is
      ``skos:prefLabel``, ``rdfs:label`` or the last part of the IRI, synonyms are ``skos:altLabel`` and those
      of oboInOwl, the description is ``skos:definition``, ``IAO:0000115`` or ``rdfs:comment``.
    - ``rdfs:subClassOf``, ``skos:broader`` and the inverse of ``skos:narrower`` become ``is_a``;
      ``owl:someValuesFrom`` restrictions and all properties between two resources, but annotations and those
      of RDF, OWL and SKOS themselves, become relations by the name of the property.
    - Blank nodes have no id that lasts: they are left out, restrictions apart.

    Parameters
    ----------
    format
        ``"turtle"``, ``"xml"``, ``"nt"`` or ``"json-ld"``; taken from the file's name by default.
    language
        Which labels and descriptions to keep, besides those of no language: a language tag (BCP 47), whose
        case does not count. For ``"en-GB"`` those of ``@en-GB`` come before those of ``@en`` and ``@en-US``.
    relation_types
        Which relations to keep, such as ``["is_a"]``; all by default.
    concept_type
        Type of all concepts; by default the name of a resource's ``rdf:type``, or its OBO namespace, else
        ``"concept"``.

    Raises
    ------
    InvalidInputError
        If the file can't be read, has no resources, is damaged, is of another syntax, names a context or an
        entity that is kept elsewhere, or asks for time or memory out of proportion. Nothing but the file is
        read.
    MissingExtraError
        If rdflib is not installed.
    """
    checks.text("language", language, remedy='give a language tag such as "en"')
    kept = chosen_types(relation_types, concept_type)
    require("rdflib", extra="ontology")
    from zeroshot_core.graph.rdf_mapper import RdfMapper

    mapper = RdfMapper(_parse(path, format), language)
    concepts = mapper.concepts(concept_type)
    if not concepts:
        raise InvalidInputError(f"{path}: expected resources with an IRI, got none; is it the right format?")
    return Ontology(
        concepts=concepts,
        relations=tuple(r for r in mapper.relations() if kept is None or r.type in kept),
        alternative_ids=mapper.alternative_ids(),
    )


def _parse(path: Path, format: str | None) -> rdflib.Graph:
    with open_text(path) as file:
        text = file.read()
    refuse_other_syntax(path, text, but="RDF")
    format = format or FORMATS.get(path.suffix.lower())
    if format is None or format not in FORMATS.values():
        raise InvalidInputError(
            f"{path}: expected a format among {', '.join(dict.fromkeys(FORMATS.values()))}, got "
            f"{checks.shown(format)}; name it"
        )
    from zeroshot_core.graph.rdf_parser import parse

    if format == "nt":
        refuse_damaged(str(path), list(_damaged_triples(text)), unit="line")
    try:
        return parse(path, text, format)
    except InvalidInputError:
        raise
    except Exception as error:  # the parsers fail in whatever way the damage makes them
        raise InvalidInputError(f"{path}: expected {format}, got damage {_place(error)}") from error


def _damaged_triples(text: str) -> Iterator[tuple[int, str]]:
    """Find each line that is no triple, and what stands there.

    The grammar of N-Triples is regular, so one look at each line tells: rdflib needs seconds for a long one
    that is damaged, and names no other.
    """
    for number, line in enumerate(re.split(r"\r\n|\n|\r", text), start=1):
        if not _TRIPLE.fullmatch(line):
            yield number, f"expected a triple, got {checks.shown(line.strip())}"


def _place(error: Exception) -> str:
    """Line and reason, where the parser gives them in one way or another."""
    text = re.sub(r"^at line \d+ of <>:\s*| at \^ in:.*", "", str(error), flags=re.DOTALL)
    reason = reason_of(Exception(text)) if text else type(error).__name__
    if isinstance(getattr(error, "lines", None), int):
        return f"in line {error.lines + 1}: {reason}"  # type: ignore[attr-defined]
    found = re.search(r"line (\d+)|^\w*:(\d+):", text)
    return f"in line {found[1] or found[2]}: {reason}" if found else f"without a line number: {reason}"
