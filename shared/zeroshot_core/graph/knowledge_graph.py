"""The knowledge graph: concepts and typed, weighted relations, checked once and never changed."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from zeroshot_core import checks, files
from zeroshot_core.errors import InvalidInputError, UnknownConceptError
from zeroshot_core.graph import loaders, tables
from zeroshot_core.graph.names import case_key, id_key
from zeroshot_core.graph.obo import read_obo
from zeroshot_core.graph.ontology import Ontology
from zeroshot_core.graph.rdf import read_rdf
from zeroshot_core.graph.records import repaired_records
from zeroshot_core.graph.validation import brief, check_graph, first_of, ids_of
from zeroshot_core.types import Concept, Relation

if TYPE_CHECKING:
    import networkx as nx
    import pandas as pd

__all__ = ["KnowledgeGraph"]


class KnowledgeGraph:
    """Concepts joined by typed relations; immutable, equal when their contents are equal.

    Parameters
    ----------
    concepts
        Nodes with distinct ids; their order is the row order of every matrix over the graph.
    relations
        Edges between them, distinct in (head, type, tail), with weights above 0.
    alternative_ids
        The id of a concept by each other id that means it, such as those that an ontology merged into it.

    Raises
    ------
    InvalidInputError
        If a concept or relation is damaged, repeated or dangling; one error counts them and lists the first.

    Warns
    -----
    UserWarning
        If texts hold lone surrogates: each is read as U+FFFD.
    """

    def __init__(
        self,
        concepts: Iterable[Concept] = (),
        relations: Iterable[Relation] = (),
        *,
        alternative_ids: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        nodes = checks.sequence("concepts", concepts, of="concepts")
        edges = checks.sequence("relations", relations, of="relations")
        if not isinstance(alternative_ids, Mapping):
            raise InvalidInputError(
                "expected alternative_ids as a mapping from each to the id of a concept, got "
                f"{checks.shown(alternative_ids)}"
            )
        concepts, relations, self._alternative_ids = repaired_records(nodes, edges, alternative_ids)
        check_graph(concepts, relations, self._alternative_ids)
        self._concepts = {concept.id: concept for concept in concepts}
        self._positions = {id_: row for row, id_ in enumerate(self._concepts)}
        self._relations = relations

    @classmethod
    def from_ontology(cls, ontology: Ontology) -> KnowledgeGraph:
        """Take over what `read_obo` or `read_rdf` found."""
        if not isinstance(ontology, Ontology):
            raise InvalidInputError(f"expected an Ontology, got {checks.shown(ontology)}")
        kept = _alternatives_among(ontology.concepts, ontology.alternative_ids)
        return cls(ontology.concepts, ontology.relations, alternative_ids=kept)

    @classmethod
    def from_obo(
        cls,
        path: str | Path,
        *,
        relation_types: Collection[str] | None = None,
        concept_type: str | None = None,
        on_dangling: Literal["raise", "drop"] = "raise",
    ) -> KnowledgeGraph:
        """Read an OBO file, as `obo.read_obo` says."""
        return cls.from_ontology(
            read_obo(
                checks.path("path", path),
                relation_types=relation_types,
                concept_type=concept_type,
                on_dangling=on_dangling,
            )
        )

    @classmethod
    def from_rdf(
        cls,
        path: str | Path,
        *,
        format: str | None = None,
        language: str = "en",
        relation_types: Collection[str] | None = None,
        concept_type: str | None = None,
    ) -> KnowledgeGraph:
        """Read Turtle, RDF/XML (OWL), N-Triples or JSON-LD, as `rdf.read_rdf` says."""
        return cls.from_ontology(
            read_rdf(
                checks.path("path", path),
                format=format,
                language=language,
                relation_types=relation_types,
                concept_type=concept_type,
            )
        )

    @classmethod
    def from_table(
        cls,
        rows: tables.Table,
        columns: Sequence[str],
        edges: Sequence[tuple[str, ...]] = (),
    ) -> KnowledgeGraph:
        """Turn the distinct values of columns into concepts, as `tables.table_graph` says."""
        return cls(*tables.table_graph(rows, columns, edges))

    @classmethod
    def from_csv(cls, path: str | Path, concepts: str | Path | None = None) -> KnowledgeGraph:
        """Read an edge list, and where given a list of concepts, as `loaders.read_csv` says."""
        return cls(
            *loaders.read_csv(
                checks.path("path", path), None if concepts is None else checks.path("concepts", concepts)
            )
        )

    @classmethod
    def from_pandas(cls, relations: pd.DataFrame, concepts: pd.DataFrame | None = None) -> KnowledgeGraph:
        """Take over an edge list, and where given a list of concepts, with the columns of `from_csv`."""
        return cls(*loaders.read_frame(relations, concepts))

    @classmethod
    def from_jsonl(cls, path: str | Path) -> KnowledgeGraph:
        """Read what `to_jsonl` wrote: lines ``{"concept": {...}}`` and ``{"relation": {...}}``."""
        concepts, relations, alternative_ids = loaders.read_jsonl(checks.path("path", path))
        return cls(concepts, relations, alternative_ids=alternative_ids)

    @classmethod
    def from_networkx(cls, g: nx.Graph) -> KnowledgeGraph:
        """Take over nodes and edges of any networkx graph, as `loaders.read_networkx` says."""
        concepts, relations, alternative_ids = loaders.read_networkx(g)
        return cls(concepts, relations, alternative_ids=alternative_ids)

    @classmethod
    def from_graphml(cls, path: str | Path) -> KnowledgeGraph:
        """Read a GraphML file, as `loaders.read_graphml` says."""
        return cls(*loaders.read_graphml(checks.path("path", path)))

    def to_jsonl(self, path: str | Path) -> None:
        """Write the graph so that `from_jsonl` reads the same; the file appears whole or never."""
        loaders.write_jsonl(
            self._concepts.values(), self._relations, self._alternative_ids, checks.path("path", path)
        )

    def to_networkx(self) -> nx.MultiDiGraph:
        """Copy into networkx; as `loaders.to_networkx` says."""
        return loaders.to_networkx(self._concepts.values(), self._relations, self._alternative_ids)

    @property
    def concepts(self) -> Mapping[str, Concept]:
        """Concept by id, in the order given."""
        return MappingProxyType(self._concepts)

    @property
    def relations(self) -> tuple[Relation, ...]:
        """All relations, in the order given."""
        return self._relations

    @property
    def alternative_ids(self) -> Mapping[str, str]:
        """The id of a concept by each other id that means it, as former ids do."""
        return MappingProxyType(self._alternative_ids)

    @property
    def positions(self) -> Mapping[str, int]:
        """Row of each concept id in the matrices over this graph."""
        return MappingProxyType(self._positions)

    @cached_property
    def concept_ids(self) -> tuple[str, ...]:
        """Ids in row order."""
        return tuple(self._concepts)

    @cached_property
    def types(self) -> tuple[str, ...]:
        """Distinct concept types, in order of appearance."""
        return tuple(dict.fromkeys(concept.type for concept in self._concepts.values()))

    @cached_property
    def relation_types(self) -> tuple[str, ...]:
        """Distinct relation types, in order of appearance."""
        return tuple(dict.fromkeys(relation.type for relation in self._relations))

    @cached_property
    def digest(self) -> str:
        """16 hex digits over every field of every concept and relation, whatever their order.

        Alternative ids don't count: nothing that an index holds depends on them.
        """
        lines = sorted(_canonical_lines(self._concepts.values(), self._relations))
        return files.digest("\n".join(lines))

    def current_id(self, id_: str) -> str | None:
        """Id of the concept that an id means; None if it means none.

        An id means the concept whose own id it is, else the one whose alternative id it is, else the one that
        alone has an id of another spelling: ``hp:0000256``, ``HP_0000256`` and
        ``http://purl.obolibrary.org/obo/HP_0000256`` mean ``HP:0000256``.
        """
        if not isinstance(id_, str):
            return None
        if id_ in self._concepts:
            return id_
        return self._alternative_ids.get(id_) or self._spellings.get(id_key(id_))

    def named_id(self, name: str, type: str | None = None) -> str | None:
        """Id of the one concept that has a name, case and spaces folded; None if none has, or several have.

        Parameters
        ----------
        type
            Of the concept; None for any.
        """
        return self._sole_names.get((type, case_key(name)))

    def is_like_an_id(self, text: str) -> bool:
        """Whether a text is written as the graph's ids are, with the prefix of one, and so is no name."""
        return id_key(text).partition(":")[0] in self._prefixes

    @cached_property
    def _spellings(self) -> dict[str, str]:
        """Id by the key of each id that no other concept has; a concept's own ids come before others."""
        found: dict[str, str] = {}
        for ids in (self._alternative_ids, {id_: id_ for id_ in self._concepts}):
            meant: dict[str, set[str]] = {}
            for id_, current in ids.items():
                meant.setdefault(id_key(id_), set()).add(current)
            found |= {key: next(iter(all_)) if len(all_) == 1 else "" for key, all_ in meant.items()}
        return {key: current for key, current in found.items() if key and current}

    @cached_property
    def _sole_names(self) -> dict[tuple[str | None, str], str]:
        """Id by type, or None for any, and key of each name or synonym that one concept alone has."""
        found: dict[tuple[str | None, str], set[str]] = {}
        for concept in self._concepts.values():
            for name in (concept.name, *concept.synonyms):
                for type_ in (concept.type, None):
                    found.setdefault((type_, case_key(name)), set()).add(concept.id)
        return {key: next(iter(ids)) for key, ids in found.items() if len(ids) == 1}

    @cached_property
    def _prefixes(self) -> frozenset[str]:
        return frozenset(key.partition(":")[0] for key in self._spellings)

    def replace(
        self, *, concepts: Iterable[Concept] | None = None, relations: Iterable[Relation] | None = None
    ) -> KnowledgeGraph:
        """Make a graph of other concepts or relations; those left out stay as they are.

        Alternative ids stay where the concepts that they mean do.
        """
        concepts = tuple(self._concepts.values() if concepts is None else concepts)
        return KnowledgeGraph(
            concepts,
            self._relations if relations is None else relations,
            alternative_ids=_alternatives_among(concepts, self._alternative_ids),
        )

    def require(self, ids: Iterable[str]) -> None:
        """Check that the graph holds all of `ids`.

        Raises
        ------
        InvalidInputError
            If they are no ids.
        UnknownConceptError
            If it doesn't; the message counts the unknown ids and lists the first.
        """
        try:
            distinct = dict.fromkeys([ids] if isinstance(ids, str) else ids)
        except TypeError as error:  # no iterable, or parts that can't be compared
            raise InvalidInputError(
                f"expected a list of concept ids, which are texts, got {checks.shown(ids)}"
            ) from error
        unknown = [id_ for id_ in distinct if id_ not in self._concepts]
        if unknown:
            raise UnknownConceptError(
                f"expected ids of the graph's {len(self)} concepts, "
                f"got {len(unknown)} unknown: {first_of(map(self._unknown, unknown), len(unknown))}; "
                "add them to the graph or drop them from the items"
            )

    def _unknown(self, id_: str) -> str:
        current = self.current_id(id_)
        return brief(id_) if current is None else f"{brief(id_)} (now {brief(current)})"

    def __contains__(self, concept_id: object) -> bool:
        return concept_id in self._concepts

    def __len__(self) -> int:
        return len(self._concepts)

    def __bool__(self) -> bool:
        # An empty graph is still a graph: `if graph` must not confuse it with None.
        return True

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, KnowledgeGraph)
            and self._alternative_ids == other._alternative_ids
            and self.digest == other.digest
        )

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return (
            f"KnowledgeGraph({len(self)} concepts, {len(self._relations)} relations, digest={self.digest!r})"
        )

    def __sklearn_clone__(self) -> KnowledgeGraph:
        return self


def _alternatives_among(concepts: Sequence[Concept], alternative_ids: Mapping[str, str]) -> dict[str, str]:
    """Keep the alternative ids that mean one of the concepts and are no concept's own."""
    known = ids_of(concepts)
    return {old: new for old, new in alternative_ids.items() if new in known and old not in known}


def _canonical_lines(concepts: Iterable[Concept], relations: Iterable[Relation]) -> Iterator[str]:
    """One unambiguous line for each record."""
    for c in concepts:
        yield json.dumps(["concept", c.id, c.name, c.type, list(c.synonyms), c.description])
    fields: list[Any]
    for r in relations:
        fields = ["relation", r.head, r.type, r.tail, float(r.weight), *r.sources]
        yield json.dumps(fields)
