"""What a collection of items can do, whoever made it, and what one with a graph beside it can do beyond that.

`Collection` is what a retriever needs. `OpenVersion` (a version of an index of ours) and `ExistingCollection`
(what another library made and fills, beside a graph in memory) both have it. `GraphCollection` is what a
version of ours alone has: graph and names stand in Milvus too, and are searched there. Who needs that asks
for it by `require_graph`.
"""

from __future__ import annotations

from collections import abc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, Literal, Protocol, TypeAlias, TypeVar, runtime_checkable

import numpy as np

from zeroshot_core import checks
from zeroshot_core.errors import FingerprintMismatchError, InvalidInputError
from zeroshot_core.index.connection import begin_each
from zeroshot_core.index.filters import AllOf, Condition, Filter
from zeroshot_core.types import Concept, Item, Relation

if TYPE_CHECKING:
    from zeroshot_core.encoders import Encoder
    from zeroshot_core.graph import KnowledgeGraph
    from zeroshot_core.types import Floats, Vectors

__all__ = [
    "MAX_TOP_K",
    "Collection",
    "CollectionInfo",
    "ConceptName",
    "Direction",
    "GraphCollection",
    "LexicalResult",
    "Record",
    "SearchResult",
    "check_ids",
    "check_search",
    "checked_ids",
    "require_graph",
    "search_each",
]

Direction: TypeAlias = Literal["out", "in", "both"]
"""Whether relations begin at a concept, end there, or either."""

# Bound of Milvus on one answer.
MAX_TOP_K = 16384


@dataclass(frozen=True, kw_only=True)
class ConceptName:
    """One of the names by which a concept is known: its name or a synonym.

    Parameters
    ----------
    concept
        Id of the concept.
    text
        The name as it is written in the graph.
    """

    concept: str
    text: str


Record = TypeVar("Record", Item, Concept, Relation, ConceptName)


@dataclass(frozen=True, kw_only=True)
class SearchResult(Generic[Record]):
    """Hits of many queries, best first.

    Parameters
    ----------
    ids
        One list a query.
    scores
        One array a query: cosine similarities, higher is better.
    records
        One list a query: the items, concepts, relations or names.
    """

    ids: list[list[str]]
    scores: list[Floats]
    records: list[list[Record]]

    def best(self, top_k: int) -> SearchResult[Record]:
        """Put the hits of each query in order of their scores, ties by id, and keep so many."""
        orders = [
            [at for _, _, at in sorted(zip(-scores, ids, range(len(ids)), strict=True))[:top_k]]
            for ids, scores in zip(self.ids, self.scores, strict=True)
        ]
        return replace(
            self,
            ids=[[ids[at] for at in order] for ids, order in zip(self.ids, orders, strict=True)],
            scores=[scores[order] for scores, order in zip(self.scores, orders, strict=True)],
            records=[[own[at] for at in order] for own, order in zip(self.records, orders, strict=True)],
        )


@dataclass(frozen=True, kw_only=True)
class LexicalResult(SearchResult[Record]):
    """Hits of a search by words: the scores are those of BM25, above 0 and without an upper bound.

    Parameters
    ----------
    vectors
        Vector of each record by its id, shape (d,), unit length.
    """

    vectors: Mapping[str, Vectors]


@dataclass(frozen=True, kw_only=True)
class CollectionInfo:
    """What a collection holds, and by which encoder.

    Parameters
    ----------
    id
        Id of a version of ours; name of another library's collection.
    fingerprint
        That of the encoder that made the vectors.
    encoder
        Name of the encoder, for people.
    graph_digest
        Digest of the graph whose concepts the items are linked to; empty without one.
    counts
        Number of items, concepts, relations and names when it was built or opened. Names are those that are
        indexed beside their concepts: none where each concept has one text alone.
    """

    id: str
    fingerprint: str
    encoder: str
    dimension: int
    graph_digest: str
    counts: Mapping[str, int]

    def check(self, encoder: Encoder | None = None, graph: KnowledgeGraph | None = None) -> None:
        """Refuse an encoder or a graph that the collection was not built with.

        Raises
        ------
        FingerprintMismatchError
            If the encoder is another one.
        InvalidInputError
            If the graph is another one.
        """
        if encoder is not None and encoder.document_fingerprint != self.fingerprint:
            raise FingerprintMismatchError(
                f"expected encoder {self.fingerprint} ({self.encoder}), got {encoder.document_fingerprint} "
                f"({encoder.name}); load the encoder that the version was built with, or build a new version"
            )
        if graph is not None and graph.digest != self.graph_digest:
            raise InvalidInputError(
                f"expected the graph that version {self.id} was built with ({self.graph_digest or 'none'}), "
                f"got {graph.digest}; give that one, or build a new version"
            )


@runtime_checkable
class Collection(Protocol):
    """Items that are searched by vectors and by the concepts of a graph, which may be kept in memory."""

    @property
    def info(self) -> CollectionInfo:
        """What the collection holds."""

    def count(self) -> int:
        """Count the items, all writes included."""

    def search_items(self, vectors: Vectors, top_k: int, filter: Filter | None = None) -> SearchResult[Item]:
        """Nearest items of each query vector, shape (q, d).

        Raises
        ------
        InvalidInputError
            If the vectors are of another dimension than the collection's, or `top_k` is not in 1-16384.
        """

    def begin_search(
        self, vectors: Vectors, top_k: int, filter: Filter | None = None
    ) -> Callable[[], SearchResult[Item]]:
        """Begin `search_items`: what it returns waits for a server's answer, or searches a local file."""

    def search_linked(
        self,
        vectors: Vectors,
        concept_ids: Sequence[Sequence[str]],
        top_k: int,
        filter: Filter | None = None,
    ) -> SearchResult[Item]:
        """Nearest items of each query vector among those linked to at least one of the query's concepts.

        Parameters
        ----------
        concept_ids
            For each query; without concepts it finds nothing.
        """

    def search_concepts(self, vectors: Vectors, top_k: int) -> SearchResult[Concept]:
        """Nearest concepts of each query vector, shape (q, d)."""

    def known_items(self, ids: abc.Collection[str]) -> dict[str, Item]:
        """Items by id; ids that are not there are left out."""

    def items(self, ids: Sequence[str]) -> list[Item]:
        """Items in the order of the ids.

        Raises
        ------
        InvalidInputError
            If an id is not there.
        """

    def item_vectors(self, ids: Sequence[str]) -> Vectors:
        """Vectors of items in the order of the ids, shape (n, d), unit rows.

        Raises
        ------
        InvalidInputError
            If an id is not there.
        """

    def known_concepts(self, ids: abc.Collection[str]) -> dict[str, Concept]:
        """Concepts by id; ids that are not in the graph are left out."""

    def concept_vectors(self, ids: Sequence[str]) -> Vectors:
        """Vectors of concepts in the order of the ids, shape (n, d), unit rows.

        Raises
        ------
        InvalidInputError
            If an id is not there.
        """

    def relations_of(self, concept_ids: Sequence[str], direction: Direction = "both") -> list[Relation]:
        """Relations that begin (``out``), end (``in``) or do either at these concepts, in graph order."""


@runtime_checkable
class GraphCollection(Collection, Protocol):
    """A collection beside which the graph and all names of its concepts are indexed and searched."""

    def search_relations(self, vectors: Vectors, top_k: int) -> SearchResult[Relation]:
        """Nearest relations of each query vector, shape (q, d)."""

    def neighbourhood(self, concept_ids: Sequence[str], n_hops: int) -> KnowledgeGraph:
        """Part of the graph that `n_hops` relations reach from these concepts."""

    def search_names(
        self, vectors: Vectors, top_k: int, *, without: Sequence[ConceptName] | None = None
    ) -> SearchResult[ConceptName]:
        """Nearest concepts of each query vector, shape (q, d), by the nearest of their names."""

    def sole_names(self, texts: abc.Collection[str]) -> dict[str, ConceptName]:
        """Names by text, of the texts that are the name or a synonym of one concept alone."""

    def sample_names(self, n_names: int, *, random_state: int = 0) -> list[ConceptName]:
        """Draw about `n_names` names at random."""


def require_graph(collection: Collection, who: str) -> GraphCollection:
    """Return a collection beside which the graph is indexed, or refuse it.

    Parameters
    ----------
    who
        What needs the graph, such as ``"a Linker"``.

    Raises
    ------
    InvalidInputError
        If the graph is not indexed.
    """
    if not isinstance(collection, GraphCollection):
        raise InvalidInputError(
            f"expected an index made by VectorIndex.build for {who}, since it searches the graph beside the "
            f"items, got {collection.info.id!r}, which another library made; build an index of the same "
            "items with the graph"
        )
    return collection


def check_search(vectors: Vectors, top_k: int, dimension: int) -> Vectors:
    """Check query vectors and the number of hits; the vectors as float32, row by row in memory.

    Raises
    ------
    InvalidInputError
        If they are of another dimension, or `top_k` is not in 1-16384.
    """
    checks.whole("top_k", top_k, least=1, most=MAX_TOP_K)
    queries = checks.vectors(
        "query vectors",
        vectors,
        (None, dimension),
        remedy="encode them with the encoder that the index was built with",
    )
    return np.ascontiguousarray(queries)


def checked_ids(ids: abc.Collection[str]) -> list[str]:
    """Refuse ids that are not a list of strings; repair them as those of items that are written."""
    known = checks.sequence("ids", ids, of="ids")
    stray = [id_ for id_ in known if not isinstance(id_, str)]
    if stray:
        raise InvalidInputError(f"expected ids that are strings, got {checks.shown(stray[0])}")
    return [checks.repaired_text(id_) for id_ in known]


def check_ids(kind: str, ids: Sequence[str], known: abc.Container[str]) -> None:
    """Refuse ids that are not stored.

    Parameters
    ----------
    kind
        What they are ids of, in the plural, such as ``"items"``.
    """
    missing = [key for key in dict.fromkeys(ids) if key not in known]
    if missing:
        raise InvalidInputError(
            f"expected ids of indexed {kind}, got {len(missing)} unknown: {missing[:3]}; add them first"
        )


def search_each(
    begin_search: Callable[[Vectors, int, Filter], Callable[[], SearchResult[Item]]],
    vectors: Vectors,
    concept_ids: Sequence[Sequence[str]],
    top_k: int,
    filter: Filter | None,
) -> SearchResult[Item]:
    """Search once for all queries that have the same concepts, several times at once.

    Parameters
    ----------
    begin_search
        Begins to find the nearest items of query vectors under a filter.
    vectors
        Shape (q, d).
    concept_ids
        For each query; without concepts it finds nothing.
    """
    groups: dict[tuple[str, ...], list[int]] = {}
    for query, ids in enumerate(concept_ids):
        if ids:
            groups.setdefault(tuple(sorted(ids)), []).append(query)

    def begin(ids: tuple[str, ...]) -> Callable[[], SearchResult[Item]]:
        condition: Filter = Condition("concepts", "contains", ids)
        return begin_search(
            vectors[groups[ids]], top_k, condition if filter is None else AllOf((condition, filter))
        )

    result = SearchResult[Item](
        ids=[[] for _ in concept_ids],
        scores=[np.zeros(0) for _ in concept_ids],
        records=[[] for _ in concept_ids],
    )
    for queries, part in zip(groups.values(), begin_each(begin, groups), strict=True):
        for place, query in enumerate(queries):
            result.ids[query] = part.ids[place]
            result.scores[query] = part.scores[place]
            result.records[query] = part.records[place]
    return result
