"""What RDF, OWL and SKOS say, as concepts and relations."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TypeGuard

from rdflib import OWL, RDF, RDFS, SKOS, XSD, Graph, Literal, Namespace, URIRef
from rdflib.term import Node

from zeroshot_core.types import Concept, Relation

__all__ = ["RdfMapper"]

OBO = Namespace("http://purl.obolibrary.org/obo/")
OIO = Namespace("http://www.geneontology.org/formats/oboInOwl#")
NAMES = (SKOS.prefLabel, RDFS.label)
SYNONYMS = (SKOS.altLabel, *(OIO[f"has{scope}Synonym"] for scope in ("Exact", "Narrow", "Broad", "Related")))
DESCRIPTIONS = (SKOS.definition, OBO.IAO_0000115, RDFS.comment)
REPLACED_BY = OBO.IAO_0100001
PARENTS = (RDFS.subClassOf, SKOS.broader)
VOCABULARIES = tuple(map(str, (RDF, RDFS, OWL, SKOS, XSD, OIO)))
NO_CONCEPTS = (
    OWL.Ontology,
    OWL.ObjectProperty,
    OWL.DatatypeProperty,
    OWL.AnnotationProperty,
    RDF.Property,
    SKOS.ConceptScheme,
)


class RdfMapper:
    """Reads concepts and relations off one RDF graph, which it leaves as it is.

    Parameters
    ----------
    language
        Language tag (BCP 47) of the literals to keep, besides those of no language. Case does not count.
        Other regions of the language count too, after those that agree further: for ``"en-GB"`` first
        ``@en-GB``, then ``@en`` and ``@en-US``.
    """

    def __init__(self, graph: Graph, language: str) -> None:
        self.graph = graph
        self.subtags = _subtags(language)
        self.deprecated = {
            subject for subject, value in graph.subject_objects(OWL.deprecated) if str(value) in {"true", "1"}
        }
        self.hidden = self.deprecated.union(*(graph.subjects(RDF.type, type_) for type_ in NO_CONCEPTS))
        self.annotations = set(graph.subjects(RDF.type, OWL.AnnotationProperty))

    def concepts(self, type_: str | None) -> tuple[Concept, ...]:
        """Concepts of all resources that something is said of."""
        resources = {resource for resource in self.graph.subjects() if self._is_concept(resource)}
        resources.update(end for head, _, tail in self._triples for end in (head, tail))
        return tuple(self._concept(resource, type_) for resource in sorted(resources))

    def relations(self) -> Iterator[Relation]:
        """Distinct relations between the concepts."""
        for head, type_, tail in sorted(set(self._triples)):
            yield Relation(head=_identifier(head), type=type_, tail=_identifier(tail))

    def alternative_ids(self) -> dict[str, str]:
        """Map each id that was merged into another or replaced by it to that one."""
        replaced = {
            _identifier(old): _identifier(new)
            for old, new in self.graph.subject_objects(REPLACED_BY)
            if old in self.deprecated and new not in self.deprecated
        }
        merged = {
            str(old): _identifier(new)
            for new, old in self.graph.subject_objects(OIO.hasAlternativeId)
            if new not in self.deprecated
        }
        return replaced | merged

    def _is_concept(self, node: Node) -> TypeGuard[URIRef]:
        return isinstance(node, URIRef) and node not in self.hidden and not _is_vocabulary(node)

    def _concept(self, resource: URIRef, type_: str | None) -> Concept:
        name = self._name(resource)
        synonyms = [text for predicate in SYNONYMS for text in self._texts(resource, predicate)]
        others = [text for predicate in NAMES for text in self._texts(resource, predicate)]
        return Concept(
            id=_identifier(resource),
            name=name,
            type=type_ or self._type(resource),
            synonyms=tuple(text for text in dict.fromkeys([*others, *synonyms]) if text != name),
            description=self._first(resource, DESCRIPTIONS),
        )

    def _type(self, resource: URIRef) -> str:
        namespace = self.graph.value(resource, OIO.hasOBONamespace)
        classes = sorted(
            self._name(class_)
            for class_ in self.graph.objects(resource, RDF.type)
            if isinstance(class_, URIRef) and not _is_vocabulary(class_)
        )
        return next(iter(classes), str(namespace or "concept"))

    def _name(self, resource: URIRef) -> str:
        return self._first(resource, NAMES) or _local_name(resource)

    def _property_name(self, resource: URIRef) -> str:
        shorthand = self.graph.value(resource, OIO.shorthand)
        return str(shorthand) if shorthand else self._name(resource)

    def _first(self, resource: URIRef, predicates: Sequence[URIRef]) -> str:
        return next((text for predicate in predicates for text in self._texts(resource, predicate)), "")

    def _texts(self, resource: URIRef, predicate: URIRef) -> list[str]:
        """List filled literals, those nearest to the language first, those of none last."""
        literals = [each for each in self.graph.objects(resource, predicate) if isinstance(each, Literal)]
        near = {each: self._agreement(each.language) for each in literals if each.strip()}
        kept = [each for each, agreement in near.items() if agreement or not each.language]
        return [str(each) for each in sorted(kept, key=lambda each: (-near[each], str(each)))]

    def _agreement(self, tag: str | None) -> int:
        """Count the leading subtags that a literal's language shares with the one that was asked for."""
        subtags = _subtags(tag or "")
        return next(
            (
                place
                for place, pair in enumerate(zip(subtags, self.subtags, strict=False))
                if pair[0] != pair[1]
            ),
            min(len(subtags), len(self.subtags)),
        )

    @cached_property
    def _triples(self) -> list[tuple[URIRef, str, URIRef]]:
        """Head, name and tail of each relation."""
        names: dict[URIRef, str] = {}
        found = []
        for head, predicate, tail in self._statements():
            if self._is_concept(head) and self._is_concept(tail):
                if predicate not in names:
                    names[predicate] = "is_a" if predicate in PARENTS else self._property_name(predicate)
                found.append((head, names[predicate], tail))
        return found

    def _statements(self) -> Iterator[tuple[Node, URIRef, Node]]:
        """Triples that relate, with those that restrictions imply."""
        for head, predicate, tail in self.graph:
            if not isinstance(predicate, URIRef):
                continue
            if predicate == SKOS.narrower:
                yield tail, SKOS.broader, head
            elif predicate == RDFS.subClassOf and not isinstance(tail, URIRef):
                yield from self._restriction(head, tail)
            elif predicate in {*PARENTS, SKOS.related, RDF.type} or self._is_property(predicate):
                yield head, predicate, tail

    def _restriction(self, head: Node, restriction: Node) -> Iterator[tuple[Node, URIRef, Node]]:
        predicate = self.graph.value(restriction, OWL.onProperty)
        tail = self.graph.value(restriction, OWL.someValuesFrom)
        if isinstance(predicate, URIRef) and tail is not None:
            yield head, predicate, tail

    def _is_property(self, predicate: URIRef) -> bool:
        return (
            predicate not in self.annotations and predicate != REPLACED_BY and not _is_vocabulary(predicate)
        )


def _subtags(tag: str) -> list[str]:
    return tag.casefold().replace("_", "-").split("-") if tag else []


def _is_vocabulary(resource: URIRef) -> bool:
    return str(resource).startswith(VOCABULARIES)


def _local_name(resource: URIRef) -> str:
    return re.split(r"[#/:]", resource.rstrip("#/:"))[-1] or str(resource)


def _identifier(resource: Node) -> str:
    """Short form of the ids of OBO ontologies, else the IRI."""
    short = re.fullmatch(re.escape(OBO) + r"([A-Za-z]+)_(\w+)", str(resource))
    return f"{short[1]}:{short[2]}" if short else str(resource)
