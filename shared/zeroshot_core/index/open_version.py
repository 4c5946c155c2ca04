"""A version opened for reading, and for upserting or deleting single items."""

from __future__ import annotations

from collections import abc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, NamedTuple, get_args

import numpy as np

from zeroshot_core import checks
from zeroshot_core.errors import FingerprintMismatchError, InvalidInputError
from zeroshot_core.graph import KnowledgeGraph, check_spread
from zeroshot_core.index.builder import check_concepts, checked_items, encode_checked
from zeroshot_core.index.collection import (
    MAX_TOP_K,
    Collection,
    ConceptName,
    Direction,
    LexicalResult,
    SearchResult,
    check_ids,
    check_search,
    checked_ids,
    search_each,
)
from zeroshot_core.index.filters import Filter, id_literals
from zeroshot_core.index.link_table import HeldLinks, LinkTable
from zeroshot_core.index.overlay import Overlay
from zeroshot_core.index.schema import ITEMS, MODALITIES, kept_metadata, name_id, of_modality
from zeroshot_core.types import Concept, Item, Relation

if TYPE_CHECKING:
    from zeroshot_core.encoders.base import Encoder
    from zeroshot_core.index.record_table import RecordTable
    from zeroshot_core.index.schema import Row
    from zeroshot_core.index.versions import VersionCatalog, VersionInfo
    from zeroshot_core.types import Floats, Vectors

__all__ = ["ItemsAddress", "OpenVersion", "require_lexical", "require_version"]

_IDS_PER_READ = 4096
# So many concepts are held in memory: at most some 10 MB, read in about a second.
_FEW_CONCEPTS = 4096
_N_HASHES = 16**8 - 1
_SAMPLED = 1000
# Concepts of the Human Phenotype Ontology have 2.2 names on average.
_NAMES_PER_CONCEPT = 4


class ItemsAddress(NamedTuple):
    """Where another library finds the items of a version, without credentials."""

    uri: str
    db_name: str
    collection: str


class OpenVersion:
    """Reads of one version; goes on with that version when another becomes live.

    Parameters
    ----------
    info
        What the version was built from.
    """

    def __init__(self, info: VersionInfo, catalog: VersionCatalog) -> None:
        self.info = info
        self._catalog = catalog
        self._items: RecordTable[Item] | Overlay
        tables = catalog.tables(info)
        self._items, self._concepts, self._relations, self._names = tables
        self._written_items = tables.items
        self._held = HeldLinks(info, catalog, tables.items, tables.concepts, catalog.memory_mb * 10**6)
        self._samples: tuple[object, Mapping[str, Vectors]] = None, {}

    @property
    def catalog(self) -> VersionCatalog:
        """The catalog of its index."""
        return self._catalog

    @property
    def address(self) -> ItemsAddress:
        """Where another library finds the items.

        Raises
        ------
        InvalidInputError
            If the version is a tenant's: another library would find those of all.
        """
        self._catalog.refuse_tenant("another library")
        connection = self._catalog.connection
        collection = self._catalog.collection(self.info.id, "items")
        # Also starts a Milvus Lite at rest: it lets other code of this process share what it has open.
        connection.call("load_collection", collection)
        return ItemsAddress(connection.path or connection.address, connection.db_name or "", collection)

    def search_items(self, vectors: Vectors, top_k: int, filter: Filter | None = None) -> SearchResult[Item]:
        """Nearest items of each query vector, shape (q, d); all queries in one call to a server.

        Raises
        ------
        InvalidInputError
            If the vectors have another dimension than the index, or `top_k` is not in 1-16384.
        """
        return self._items.search(vectors, top_k, filter)

    def begin_search(
        self, vectors: Vectors, top_k: int, filter: Filter | None = None
    ) -> Callable[[], SearchResult[Item]]:
        """Begin `search_items`, with `search_linked` to follow: what it returns waits for the answer.

        A server searches meanwhile; a local file is searched then, in the copy that links need.
        """
        from_copy = self._catalog.connection.is_lite
        return self._items.begin_search(vectors, top_k, filter, from_copy=from_copy)

    def links(self, n_queries: int) -> LinkTable | None:
        """Give what is linked to what, for so many queries; None where Milvus is to be asked.

        A server's version is read beside its first queries, within `memory_mb` of `VectorIndex.connect`.
        None is given until that is done; once items are upserted or deleted; for a tenant; and with items of
        the caller's own.
        """
        return None if isinstance(self._items, Overlay) else self._held.fresh(n_queries)

    def hold_links(self) -> None:
        """Read now what `links` gives, instead of beside the first queries, and wait for it."""
        self._held.read()

    def begin_nearest(
        self, vectors: Vectors, top_k: int, *, is_alone: bool = False
    ) -> Callable[[], tuple[list[list[str]], list[Floats]]]:
        """Begin to find ids and scores alone of the nearest items that are written, as of `search_items`.

        Parameters
        ----------
        is_alone
            Whether little is done meanwhile: then one call is sent when its answer is waited for.
        """
        return self._written_items.begin_nearest(vectors, top_k, None, is_alone=is_alone)

    def nearest_linked(
        self, vectors: Vectors, concept_ids: Sequence[Sequence[str]], top_k: int
    ) -> tuple[list[list[str]], list[Floats]]:
        """Ids and scores alone of what `search_linked` finds among the items that are written."""

        def begin(queries: Vectors, limit: int, filter: Filter) -> Callable[[], SearchResult[Item]]:
            begun = self._written_items.begin_nearest(queries, limit, filter, is_alone=False)

            def answer() -> SearchResult[Item]:
                ids, scores = begun()
                return SearchResult(ids=ids, scores=scores, records=[[] for _ in ids])

            return answer

        found = search_each(begin, vectors, concept_ids, top_k, None)
        return found.ids, found.scores

    def begin_lexical_search(
        self, texts: Sequence[str], top_k: int, filter: Filter | None = None
    ) -> Callable[[], LexicalResult[Item]]:
        """Begin to find the best items of each text by its words, in a version that indexes them.

        An empty text finds nothing. Items of the caller's own (`with_items`) are not searched by words.

        Returns
        -------
        Callable
            Waits for the answer.
        """
        limit = checks.whole("top_k", top_k, least=1, most=MAX_TOP_K)
        return self._items.begin_lexical_search(texts, limit, filter)

    def nearest_items(self, vectors: Vectors, top_k: int) -> tuple[list[list[str]], list[Floats]]:
        """Ids and scores alone of the nearest items of each query vector, as of `search_items`."""
        return self._items.nearest(vectors, top_k)

    def search_concepts(self, vectors: Vectors, top_k: int) -> SearchResult[Concept]:
        """Nearest concepts of each query vector, shape (q, d).

        A version's concepts stay as they are, so those of a small graph are read once, others with `links`,
        and compared in memory, exactly.
        """
        is_held = self.info.counts["concepts"] <= _FEW_CONCEPTS or self._concepts.is_mirrored
        return self._concepts.search(vectors, top_k, from_copy=is_held)

    def search_relations(self, vectors: Vectors, top_k: int) -> SearchResult[Relation]:
        """Nearest relations of each query vector, shape (q, d)."""
        return self._relations.search(vectors, top_k)

    def search_names(
        self, vectors: Vectors, top_k: int, *, without: Sequence[ConceptName] | None = None
    ) -> SearchResult[ConceptName]:
        """Nearest concepts of each query vector, shape (q, d), by the nearest of their names.

        Parameters
        ----------
        without
            For each query a name that it shall not find, as if the graph lacked it.

        Returns
        -------
        SearchResult
            `ids` are those of concepts, each once; `records` say by which name they were found.
        """
        if not self.info.counts["names"]:
            return _as_names(self.search_concepts(vectors, top_k))
        left_out: Sequence[ConceptName | None] = without or [None] * len(vectors)
        limit = min(_NAMES_PER_CONCEPT * top_k, MAX_TOP_K)
        while True:
            found = self._names.search(vectors, limit)
            kept = [_best_places(hits, name) for hits, name in zip(found.records, left_out, strict=True)]
            is_enough = (
                len(places) >= top_k or len(hits) < limit
                for places, hits in zip(kept, found.records, strict=True)
            )
            if limit == MAX_TOP_K or all(is_enough):
                break
            limit = min(2 * limit, MAX_TOP_K)
        places = [row[:top_k] for row in kept]
        records = [[hits[place] for place in row] for hits, row in zip(found.records, places, strict=True)]
        return SearchResult(
            ids=[[record.concept for record in row] for row in records],
            scores=[scores[row] for scores, row in zip(found.scores, places, strict=True)],
            records=records,
        )

    def sole_names(self, texts: abc.Collection[str]) -> dict[str, ConceptName]:
        """Names by text, of the texts that are the name or a synonym of one concept alone.

        Case and spaces don't count. None are found in a version without rows of names, where each concept has
        one text alone.
        """
        if not self.info.counts["names"]:
            return {}
        ids = {text: (name_id(text), name_id(text, 1)) for text in texts}
        found = self._names.get({id_ for pair in ids.values() for id_ in pair})
        return {text: found[own] for text, (own, other) in ids.items() if own in found and other not in found}

    def sample_names(self, n_names: int, *, random_state: int = 0) -> list[ConceptName]:
        """Draw about `n_names` names at random; none where no concept has several texts."""
        total = self.info.counts["names"]
        if not total:
            return []
        # Ids are hashes, so a range of them is a random sample.
        share = min(1.0, n_names / total)
        start = int(np.random.default_rng(random_state).uniform(0, 1 - share) * _N_HASHES)
        low, high = (f"{min(value, _N_HASHES):08x}" for value in (start, start + int(share * _N_HASHES)))
        expression = f'id >= "{low}"' + (f' and id < "{high}"' if share < 1 else "")
        return sorted(self._names.where(expression), key=lambda name: (name.concept, name.text))

    def known_concepts(self, ids: abc.Collection[str]) -> dict[str, Concept]:
        """Concepts by id; ids that are not in the graph are left out."""
        return self._concepts.get(_any_ids(ids))

    def known_items(self, ids: abc.Collection[str]) -> dict[str, Item]:
        """Items by id; ids that are not indexed are left out."""
        return self._items.get(_any_ids(ids))

    def items(self, ids: Sequence[str]) -> list[Item]:
        """Items in the order of the ids.

        Raises
        ------
        InvalidInputError
            If an id is not there.
        """
        ids = checked_ids(ids)
        found = self._items.get(set(ids))
        check_ids("items", ids, found)
        return [found[key] for key in ids]

    def item_vectors(self, ids: Sequence[str]) -> Vectors:
        """Vectors of items in the order of the ids, shape (n, d).

        Raises
        ------
        InvalidInputError
            If an id is not there.
        """
        return self._items.vectors(checked_ids(ids))

    def concept_vectors(self, ids: Sequence[str]) -> Vectors:
        """Vectors of concepts in the order of the ids, shape (n, d).

        Raises
        ------
        InvalidInputError
            If an id is not there.
        """
        return self._concepts.vectors(checked_ids(ids))

    def modality_samples(self) -> Mapping[str, Vectors]:
        """Vectors of the first 1,000 items of each modality, shape (n, d); none unless there are several.

        They are read once, and again after a write by this object or, of a local file, by this process.
        """
        table, stamp = self._items, self._catalog.connection.n_writes
        if self._samples[0] != (table, stamp):
            found = {kind: table.sample(of_modality(kind), _SAMPLED) for kind in MODALITIES[1:]}
            if any(map(len, found.values())):
                found[MODALITIES[0]] = table.sample(of_modality(MODALITIES[0]), _SAMPLED)
            kept = {kind: rows for kind, rows in found.items() if len(rows)}
            self._samples = (table, stamp), kept if len(kept) > 1 else {}
        return self._samples[1]

    def all_ids(self) -> list[str]:
        """Ids of all items, sorted."""
        return sorted(self._items.keys())

    def count(self) -> int:
        """Count the items, all writes included."""
        return self._items.count()

    def search_linked(
        self,
        vectors: Vectors,
        concept_ids: Sequence[Sequence[str]],
        top_k: int,
        filter: Filter | None = None,
    ) -> SearchResult[Item]:
        """Nearest items of each query vector among those linked to at least one of the query's concepts.

        A server is asked once for all queries that have the same concepts, and several times at once.

        Parameters
        ----------
        vectors
            Shape (q, d).
        concept_ids
            For each query; without concepts it finds nothing.

        Raises
        ------
        InvalidInputError
            As of `search_items`.
        """
        queries = check_search(vectors, top_k, self.info.dimension)
        wanted = [
            checked_ids(each) for each in checks.sequence("concept_ids", concept_ids, of="lists of concepts")
        ]
        if len(wanted) != len(queries):
            raise InvalidInputError(
                f"expected concepts for each of {len(queries)} queries, got {len(wanted)}; give an "
                "empty list for a query without any"
            )
        if self._catalog.connection.is_lite:
            return self._items.search_linked(queries, wanted, top_k, filter)
        return search_each(self._items.begin_search, queries, wanted, top_k, filter)

    def relations_of(self, concept_ids: Sequence[str], direction: Direction = "both") -> list[Relation]:
        """Relations that begin (``out``), end (``in``) or do either at these concepts, in graph order."""
        concept_ids = checked_ids(concept_ids)
        checks.choice("direction", direction, get_args(Direction))
        found = self._relations_at(concept_ids, direction)
        return [found[position] for position in sorted(found)]

    def neighbourhood(self, concept_ids: Sequence[str], n_hops: int) -> KnowledgeGraph:
        """Part of the graph that `n_hops` relations reach, read with one batched query a hop.

        Concepts up to one hop before the last have all their relations here, and the order is that of the
        whole graph. So for these concepts as seeds and at most `n_hops` hops, `graph.expand` and
        `graph.PathFinder` give on it exactly what they give on the whole graph.

        Parameters
        ----------
        concept_ids
            Where to begin; relations are crossed both ways.
        n_hops
            How many relations away, 0 or more.

        Raises
        ------
        UnknownConceptError
            If a concept is not in the version's graph.
        InvalidInputError
            If `n_hops` is negative or fractional.
        """
        concept_ids = checked_ids(concept_ids)
        check_spread(n_hops, 1.0)
        reached, frontier = set(concept_ids), list(dict.fromkeys(concept_ids))
        relations: dict[int, Relation] = {}
        for _ in range(n_hops):
            found = self._relations_at(frontier, "both")
            relations |= found
            ends = dict.fromkeys(end for relation in found.values() for end in (relation.head, relation.tail))
            frontier = [end for end in ends if end not in reached]
            if not frontier:
                break
            reached.update(frontier)
        concepts = self._concepts_at(list(reached))
        part = KnowledgeGraph(
            [concepts[position] for position in sorted(concepts)],
            [relations[position] for position in sorted(relations)],
        )
        part.require(concept_ids)
        return part

    def upsert(self, items: Iterable[Item], encoder: Encoder) -> None:
        """Write single items into this version, replacing those with the same ids; readable on return.

        Raises
        ------
        InvalidInputError
            If an item is wrong or names a concept that is not in the version's graph; nothing has been
            written then.
        FingerprintMismatchError
            If it is another encoder than the version was built with.
        """
        if not hasattr(encoder, "fingerprint"):
            raise InvalidInputError(f"expected an encoder, got {checks.shown(encoder)}")
        if encoder.document_fingerprint != self.info.fingerprint:
            raise FingerprintMismatchError(
                f"expected encoder {self.info.fingerprint} ({self.info.encoder}), got "
                f"{encoder.document_fingerprint} ({encoder.name}); load the encoder that the version was "
                "built with"
            )
        kept, rows = checked_items(items)
        self._check_links(kept)
        if kept:
            vectors = encode_checked(encoder, [item.content for item in kept])
            self._catalog.set_state(self.info.id, "edited")
            self._items.write(rows, vectors, replace=True)
            self._items.wait_for_writes()
            self._samples = None, {}

    def delete(self, ids: Sequence[str]) -> None:
        """Delete items by id; unknown ids are passed over.

        Raises
        ------
        InvalidInputError
            If the ids are not a list of strings; nothing has been deleted then.
        """
        known = checked_ids(ids)
        if known:
            self._catalog.set_state(self.info.id, "edited")
            self._items.delete(known)
            self._items.wait_for_writes()
            self._samples = None, {}

    def with_items(self, items: Iterable[Item], vectors: Vectors) -> OpenVersion:
        """Open the version with items of the caller's own in memory, which hide those with the same ids.

        Nothing is written: who else has the version open does not see them, and this object stays as it is.

        Parameters
        ----------
        vectors
            Of the items, shape (n, d), unit rows of the version's encoder.

        Raises
        ------
        InvalidInputError
            If an item or the vectors are wrong.
        UnknownConceptError
            If an item names a concept that is not in the version's graph.
        """
        rows = checked_items(items)[1]
        return self.with_rows(rows, vectors) if rows else self

    def with_rows(self, rows: Sequence[Row], vectors: Vectors) -> OpenVersion:
        """Open the version with items of the caller's own, as `own_rows` tells them; see `with_items`."""
        checked = checks.vectors("vectors of items", vectors, (len(rows), self.info.dimension))
        items = [_item_of(row) for row in rows]
        if len({item.id for item in items}) < len(items):
            raise InvalidInputError(f"expected distinct ids of {len(items)} items, got some twice or more")
        self._check_links(items)
        other = copy(self)
        other._items = Overlay.over(self._items, items, checked)
        return other

    @property
    def own_rows(self) -> tuple[list[Row], Vectors]:
        """Items that this object alone sees, as dictionaries of plain values, and vectors, shape (n, d)."""
        if not isinstance(self._items, Overlay):
            return [], np.zeros((0, self.info.dimension), dtype=np.float32)
        items, vectors = self._items.own
        rows = [
            {
                "id": item.id,
                "text": item.text or "",
                "concepts": list(item.concepts),
                "metadata": kept_metadata(item, item.metadata),
            }
            for item in items
        ]
        return rows, vectors

    def _check_links(self, items: Sequence[Item]) -> None:
        """Refuse items that are linked to concepts which the version's graph lacks."""
        if self.info.graph_digest:
            check_concepts(
                items, self._concepts.get({concept for item in items for concept in item.concepts})
            )

    def _relations_at(self, concept_ids: Sequence[str], direction: Direction) -> dict[int, Relation]:
        """Relations at these concepts by their position in the graph."""
        found: dict[int, Relation] = {}
        for ends in _parts(concept_ids):
            for end in {"out": ("head",), "in": ("tail",), "both": ("head", "tail")}[direction]:
                found |= self._relations.placed(f"{end} in {id_literals(ends)}")
        return found

    def _concepts_at(self, concept_ids: Sequence[str]) -> dict[int, Concept]:
        """Concepts by their position in the graph."""
        found: dict[int, Concept] = {}
        for ids in _parts(concept_ids):
            found |= self._concepts.placed(f"id in {id_literals(ids)}")
        return found

    def __repr__(self) -> str:
        return (
            f"OpenVersion({self.info.id!r}, encoder={self.info.encoder!r}, counts={dict(self.info.counts)})"
        )


def require_version(collection: Collection, who: str) -> OpenVersion:
    """Return a version of an index of ours, or refuse the collection.

    Parameters
    ----------
    who
        What writes to it, such as ``"a ZeroShotVectorStore"``.

    Raises
    ------
    InvalidInputError
        If another library made the collection.
    """
    if not isinstance(collection, OpenVersion):
        raise InvalidInputError(
            f"expected an index made by VectorIndex.build for {who}, since it writes the items, got the "
            f"collection {collection.info.id!r} of another library; write to it through that library"
        )
    return collection


def require_lexical(collection: Collection, who: str) -> OpenVersion:
    """Return a version that indexes the words of its items, or refuse the collection.

    Raises
    ------
    InvalidInputError
        If the words are not indexed.
    """
    if not isinstance(collection, OpenVersion) or not collection.info.params.lexical:
        raise InvalidInputError(
            f"expected an index of words beside the vectors for {who}, got {collection.info.id!r} without; "
            "build one by VectorIndex.connect(..., params=IndexParams(lexical=True))"
        )
    return collection


def _item_of(row: Row) -> Item:
    """Read an item from plain values, as it would come back from Milvus."""
    wanted = {"id": str, "text": str, "concepts": list, "metadata": dict}
    if any(type(row.get(name)) is not kind for name, kind in wanted.items()) or not all(
        isinstance(concept, str) for concept in row["concepts"]
    ):
        raise InvalidInputError(
            f"expected id, text, concepts and metadata of an item, got {checks.shown(row)}"
        )
    return ITEMS.record(row)


def _any_ids(ids: abc.Collection[str]) -> list[str]:
    """Check ids whose order does not count."""
    return checked_ids(list(ids) if isinstance(ids, abc.Set) else ids)


def _parts(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[start : start + _IDS_PER_READ] for start in range(0, len(ids), _IDS_PER_READ))


def _best_places(hits: Sequence[ConceptName], skipped: ConceptName | None) -> list[int]:
    """Place of the best name of each concept."""
    first: dict[str, int] = {}
    for place, hit in enumerate(hits):
        if hit != skipped:
            first.setdefault(hit.concept, place)
    return list(first.values())


def _as_names(found: SearchResult[Concept]) -> SearchResult[ConceptName]:
    """Say of concepts that were found by their own vectors that it was by their names."""
    return SearchResult(
        ids=found.ids,
        scores=found.scores,
        records=[[ConceptName(concept=hit.id, text=hit.name) for hit in hits] for hits in found.records],
    )
