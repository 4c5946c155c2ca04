"""Concepts and relations from RDF files: Turtle, RDF/XML (OWL), N-Triples and JSON-LD."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from zeroshot_core import checks
from zeroshot_core.errors import InvalidInputError, require
from zeroshot_core.graph.loaders import open_text
from zeroshot_core.graph.ontology import Ontology, refuse_other_syntax
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
    require("rdflib", extra="ontology")
    from zeroshot_core.graph.rdf_mapper import RdfMapper

    mapper = RdfMapper(_parse(path, format), language)
    concepts = mapper.concepts(concept_type)
    if not concepts:
        raise InvalidInputError(f"{path}: expected resources with an IRI, got none; is it the right format?")
    return Ontology(
        concepts=concepts,
        relations=tuple(r for r in mapper.relations() if relation_types is None or r.type in relation_types),
        alternative_ids=mapper.alternative_ids(),
    )


def _parse(path: Path, format: str | None) -> rdflib.Graph:
    with open_text(path) as file:
        text = file.read()
    refuse_other_syntax(path, text, but="RDF")
    format = format or FORMATS.get(path.suffix.lower())
    if format not in FORMATS.values():
        raise InvalidInputError(
            f"{path}: expected a format among {', '.join(dict.fromkeys(FORMATS.values()))}, got {format!r}; "
            "name it"
        )
    from zeroshot_core.graph.rdf_parser import parse

    try:
        return parse(path, text, format)
    except InvalidInputError:
        raise
    except Exception as error:  # the parsers fail in whatever way the damage makes them
        if format == "nt":
            refuse_damaged(str(path), list(_damaged_triples(path, text)), unit="line")
        raise InvalidInputError(f"{path}: expected {format}, got damage {_place(error)}") from error


def _damaged_triples(path: Path, text: str) -> Iterator[tuple[int, str]]:
    """Find each line that is no triple, and what stands there."""
    from zeroshot_core.graph.rdf_parser import parse

    for number, line in enumerate(text.split("\n"), start=1):
        try:
            parse(path, f"{line}\n", "nt")
        except Exception:  # as above
            yield number, f"expected a triple, got {checks.shown(line.strip())}"


def _place(error: Exception) -> str:
    """Line and reason, where the parser gives them in one way or another."""
    text = re.sub(r"^at line \d+ of <>:\s*| at \^ in:.*", "", str(error), flags=re.DOTALL)
    reason = reason_of(Exception(text)) if text else type(error).__name__
    if isinstance(getattr(error, "lines", None), int):
        return f"in line {error.lines + 1}: {reason}"  # type: ignore[attr-defined]
    found = re.search(r"line (\d+)|^\w*:(\d+):", text)
    return f"in line {found[1] or found[2]}: {reason}" if found else f"without a line number: {reason}"
