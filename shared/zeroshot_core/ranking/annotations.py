"""Annotations of a graph: candidates, what they show, and the hierarchy of that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.graph.hierarchy import Hierarchy, hierarchy_of
from zeroshot_core.types import Item, Relation

if TYPE_CHECKING:
    from zeroshot_core.index import OpenVersion
    from zeroshot_core.types import Floats, Ints

__all__ = ["AnnotationTypes", "Annotations"]

_N_NEAR = 30
_N_KIN = 10
_TEMPERATURE = 0.05
_LEAST_KIN = 0.6
# Milvus keeps at most this many concepts with an item; the rarest findings of a candidate come last.
_MOST_LINKS = 4096


@dataclass(frozen=True, kw_only=True)
class AnnotationTypes:
    """What the types of a graph's concepts and relations stand for.

    Parameters
    ----------
    candidates
        Type of the concepts to rank; concepts of all other types are findings.
    relation, exclusion
        Types of the relations from a candidate to findings that it shows, and that it is known to lack.
    hierarchy
        Type of the relations between findings, from narrow to wide; None if they are a flat list.
    """

    candidates: str
    relation: str
    exclusion: str
    hierarchy: str | None


@dataclass(frozen=True, kw_only=True)
class Annotations:
    """Candidates and what they show.

    Parameters
    ----------
    types
        What was taken from the graph as what.
    ids, names
        Of the m candidates, sorted by id.
    findings
        The n findings, with the relations of their hierarchy.
    frequencies, lacked
        Shapes (m, n): how often a candidate shows a finding; 1 where it is known to lack it.
    """

    types: AnnotationTypes
    ids: tuple[str, ...]
    names: tuple[str, ...]
    findings: KnowledgeGraph
    hierarchy: Hierarchy
    frequencies: sparse.csr_matrix
    lacked: sparse.csr_matrix

    @classmethod
    def of(cls, graph: KnowledgeGraph | None, types: AnnotationTypes) -> Annotations:
        """Take candidates, findings and annotations out of a graph.

        Raises
        ------
        InvalidInputError
            If it lacks candidates with findings or the named hierarchy, a frequency is above 1, or the
            hierarchy has a cycle.
        """
        graph = KnowledgeGraph() if graph is None else graph
        _check_annotations(graph, types)
        _check_hierarchy(graph, types.hierarchy)
        shows = [edge for edge in graph.relations if edge.type == types.relation]
        findings = graph.replace(
            concepts=[concept for concept in graph.concepts.values() if concept.type != types.candidates],
            relations=[edge for edge in graph.relations if edge.type == types.hierarchy],
        )
        ids = tuple(sorted({edge.head for edge in shows}))
        places = {id_: row for row, id_ in enumerate(ids)}
        lacks = [edge for edge in graph.relations if edge.type == types.exclusion and edge.head in places]

        def matrix(edges: Sequence[Relation]) -> sparse.csr_matrix:
            rows = [places[edge.head] for edge in edges]
            columns = [findings.positions[edge.tail] for edge in edges]
            weights = [edge.weight for edge in edges]
            return sparse.csr_matrix((weights, (rows, columns)), shape=(len(ids), len(findings)))

        return cls(
            types=types,
            ids=ids,
            names=tuple(graph.concepts[id_].name for id_ in ids),
            findings=findings,
            hierarchy=hierarchy_of(findings, (types.hierarchy,) if types.hierarchy else ()),
            frequencies=matrix(shows),
            lacked=matrix(lacks),
        )

    def items(self) -> list[Item]:
        """Candidates as items of an index, linked to what they show, the most frequent first."""
        return [
            Item(id=id_, text=name, concepts=self._linked(row))
            for row, (id_, name) in enumerate(zip(self.ids, self.names, strict=True))
        ]

    def shown_by(self, candidate: int) -> tuple[Ints, Floats]:
        """Give the findings of a candidate and their frequencies."""
        part = slice(self.frequencies.indptr[candidate], self.frequencies.indptr[candidate + 1])
        columns: Ints = self.frequencies.indices[part].astype(np.int64)
        return columns, self.frequencies.data[part]

    def near(self, version: OpenVersion) -> sparse.csr_matrix:
        """Softmax over the nearest other findings of each finding, shape (n, n)."""
        ids = self.findings.concept_ids
        vectors = version.concept_vectors(ids)
        found = version.search_concepts(vectors, min(_N_NEAR + 1, len(ids)))
        return _softmax(found.ids, found.scores, self.findings.positions, least=-1.0)

    def kin(self, version: OpenVersion) -> sparse.csr_matrix:
        """Softmax over the nearest other candidates of each candidate, shape (m, m)."""
        vectors = version.item_vectors(self.ids)
        found = version.search_items(vectors, min(_N_KIN + 1, len(self.ids)))
        places = {id_: row for row, id_ in enumerate(self.ids)}
        return _softmax(found.ids, found.scores, places, least=_LEAST_KIN)

    def _linked(self, row: int) -> tuple[str, ...]:
        shown, frequencies = self.shown_by(row)
        order = np.argsort(-frequencies, kind="stable")[:_MOST_LINKS]
        return tuple(self.findings.concept_ids[column] for column in shown[order].tolist())


def _check_hierarchy(graph: KnowledgeGraph, hierarchy: str | None) -> None:
    if hierarchy is not None and hierarchy not in graph.relation_types:
        raise InvalidInputError(
            f"expected relations of type {hierarchy!r} between findings, got types "
            f"{list(graph.relation_types)}; name the hierarchy's type, or pass hierarchy=None for a flat list"
        )


def _check_annotations(graph: KnowledgeGraph, types: AnnotationTypes) -> None:
    """Refuse a graph without annotations, or with some that lead elsewhere or are too frequent."""
    kinds = {id_: concept.type for id_, concept in graph.concepts.items()}
    for type_ in (types.relation, types.exclusion):
        edges = [edge for edge in graph.relations if edge.type == type_]
        wrong = [
            edge
            for edge in edges
            if kinds[edge.head] != types.candidates or kinds[edge.tail] == types.candidates
        ]
        if wrong or (type_ == types.relation and not edges):
            got = (
                f"{wrong[0].head!r} -> {wrong[0].tail!r}"
                if wrong
                else f"none among {list(graph.relation_types)}"
            )
            raise InvalidInputError(
                f"expected relations {type_!r} from concepts of type {types.candidates!r} to findings, "
                f"got {got}; name them by candidates=, relation= and exclusion="
            )
    too_often = [edge for edge in graph.relations if edge.type == types.relation and edge.weight > 1]
    if too_often:
        raise InvalidInputError(
            f"expected frequencies above 0 and up to 1 as weights of {types.relation!r}, got "
            f"{too_often[0].weight} for {too_often[0].head!r} -> {too_often[0].tail!r}"
        )


def _softmax(
    ids: Sequence[Sequence[str]], scores: Sequence[Floats], places: Mapping[str, int], *, least: float
) -> sparse.csr_matrix:
    """Rows of ``softmax(score / 0.05)`` over what was found for each, without itself and the less near."""
    lengths = np.fromiter(map(len, ids), dtype=np.int64, count=len(ids))
    rows = np.repeat(np.arange(len(ids)), lengths)
    columns = np.fromiter((places[id_] for found in ids for id_ in found), np.int64, int(lengths.sum()))
    values = np.concatenate(scores) if len(scores) else np.zeros(0)
    powers = np.where((columns != rows) & (values >= least), np.exp((values - 1.0) / _TEMPERATURE), 0.0)
    totals = np.bincount(rows, powers, minlength=len(ids))
    shares = powers / np.where(totals > 0, totals, 1.0)[rows]
    matrix = sparse.csr_matrix((shares, (rows, columns)), shape=(len(ids), len(places)))
    matrix.eliminate_zeros()
    return matrix
