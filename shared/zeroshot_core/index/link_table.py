"""Ids, links and records of a version's items, compact in memory, and when they may answer.

A server says what is near. What is linked to a concept it finds by walking all rows, and each record that it
sends is decoded here, so a query with the graph would cost several times what a search costs. Links take two
bytes each in either direction: six for each of a million items come to 29 MB, and ids of 16 bytes to 16 MB.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core.errors import VectorIndexError
from zeroshot_core.index.schema import ITEMS
from zeroshot_core.index.versions import item_key
from zeroshot_core.types import Item

if TYPE_CHECKING:
    from zeroshot_core.graph import KnowledgeGraph
    from zeroshot_core.index.record_table import RecordTable
    from zeroshot_core.index.schema import Row
    from zeroshot_core.index.versions import VersionCatalog, VersionInfo
    from zeroshot_core.types import Concept, Ints

__all__ = ["HeldLinks", "LinkTable"]

# So many queries are answered by the server alone, before it pays to read what is linked to what.
_QUERIES_BEFORE = 32
# Another process's writes are seen by searches after about as long.
_SECONDS_UNCHECKED = 1.0
# What a concept takes beside its vector: its record, and the strings in it.
_BYTES_PER_CONCEPT = 600
# A link is held twice: as the number of its concept, and as that of its item within a part of so many rows.
_ROWS_PER_PART = 2**16
_BYTES_PER_LINK = 6
# Where an item's links and its record end; the string of a concept's id, and its place in a dictionary.
_BYTES_PER_ITEM, _BYTES_PER_NUMBER = 12, 160


@dataclass(kw_only=True, eq=False)
class LinkTable:
    """Items by row, in order of their ids.

    Parameters
    ----------
    ids
        Shape (n,), as UTF-8, sorted.
    concepts
        Ids of the concepts that any item is linked to, by number.
    links
        An item's concepts, each once, in its own order, item after item.
    link_ends
        Where those of each item end, shape (n + 1,), beginning with 0.
    carriers
        The items of each concept by the last 16 bits of their row, concept after concept, in order of rows.
    carrier_ends
        Where those of each concept end in each part of 65,536 rows, shape (n_concepts * n_parts + 1,).
    numbers
        Number of each concept.
    records
        Text and metadata of all items as JSON, one after the other; None where there is no room for them.
    record_ends
        Where each record ends, shape (n + 1,), beginning with 0.
    """

    ids: Any
    concepts: tuple[str, ...]
    links: Ints
    link_ends: Ints
    carriers: Ints
    carrier_ends: Ints
    numbers: Mapping[str, int]
    records: bytes | None
    record_ends: Ints
    _of_graph: tuple[KnowledgeGraph, Ints] | None = field(default=None, init=False, repr=False)

    @classmethod
    def read(cls, items: RecordTable[Item], info: VersionInfo, most_bytes: int) -> LinkTable | None:
        """Read all items of a version; None if they take more memory, or are not those it was built from."""
        reader = _LinkReader(most_bytes)
        for page in items.pages((*ITEMS.fields, "content_hash")):
            if not reader.add(page):
                return None
        if not info.is_of(reader.keys) or reader.keys != sorted(reader.keys):
            return None
        return reader.table()

    def rows_of(self, ids: Iterable[str]) -> Ints:
        """Rows of items by their ids, shape (m,); -1 for those that are not here."""
        wanted = np.array([id_.encode() for id_ in ids], dtype="S")
        places = np.minimum(np.searchsorted(self.ids, wanted), len(self.ids) - 1)
        return np.where(self.ids[places] == wanted, places, -1)

    def ids_of(self, rows: Ints) -> list[str]:
        """Ids of the items in these rows."""
        return [id_.decode() for id_ in self.ids[rows].tolist()]

    def links_of(self, rows: Ints) -> tuple[Ints, Ints]:
        """Count the concepts of each of the items in rows; then their numbers, one item after the other."""
        starts, ends = self.link_ends[rows], self.link_ends[rows + 1]
        return ends - starts, self.links[_places(starts, ends)]

    def carriers_of(self, numbers: Ints) -> tuple[Ints, Ints]:
        """Count the items linked to each concept; then their rows, sorted, one concept after the other."""
        n_parts = _n_parts(len(self.ids))
        starts, ends = self.carrier_ends[numbers * n_parts], self.carrier_ends[(numbers + 1) * n_parts]
        rows = self.carriers[_places(starts, ends)].astype(np.int64)
        if n_parts > 1:
            parts = numbers[:, None] * n_parts + np.arange(n_parts)
            n_each = self.carrier_ends[parts + 1] - self.carrier_ends[parts]
            firsts = np.broadcast_to(np.arange(n_parts) * _ROWS_PER_PART, parts.shape)
            rows += np.repeat(firsts.ravel(), n_each.ravel())
        return ends - starts, rows

    @cached_property
    def n_carriers(self) -> Ints:
        """How many items are linked to each concept, shape (n_concepts,)."""
        return np.diff(self.carrier_ends[:: _n_parts(len(self.ids))])

    @cached_property
    def n_links(self) -> tuple[int, int]:
        """Fewest and most concepts of an item that has any; 1 and 1 where none has."""
        counts = np.diff(self.link_ends)
        counts = counts[counts > 0]
        return int(counts.min(initial=counts.max(initial=1))), int(counts.max(initial=1))

    def numbers_in(self, graph: KnowledgeGraph) -> Ints:
        """Give the number of each of a graph's concepts, in its order; -1 where no item is linked to it.

        Those of the last graph are kept, for it is mostly the same.
        """
        known = self._of_graph
        if known is None or known[0] is not graph:
            numbers = (self.numbers.get(id_, -1) for id_ in graph.concept_ids)
            known = graph, np.fromiter(numbers, dtype=np.int64, count=len(graph))
            self._of_graph = known
        return known[1]

    def items(self, rows: Ints) -> list[Item]:
        """Make the items of rows, whose records are here, as Milvus would give them."""
        records, ends, link_ends = self.records or b"", self.record_ends, self.link_ends
        parts = b",".join(records[ends[row] : ends[row + 1]] for row in rows.tolist())
        found = []
        for row, id_, (text, metadata, *own) in zip(
            rows.tolist(), self.ids_of(rows), json.loads(b"[" + parts + b"]"), strict=True
        ):
            numbers = self.links[link_ends[row] : link_ends[row + 1]].tolist()
            concepts = own[0] if own else [self.concepts[number] for number in numbers]
            found.append(ITEMS.record({"id": id_, "text": text, "metadata": metadata, "concepts": concepts}))
        return found


class _LinkReader:
    """Makes a `LinkTable` of pages of rows, in order of their ids, within a number of bytes."""

    def __init__(self, most_bytes: int) -> None:
        self.keys: list[str] = []
        self._most_bytes = most_bytes
        self._ids: list[Any] = [np.zeros(0, dtype="S1")]
        self._columns = [np.zeros(0, dtype=np.int32)]
        self._counts = [np.zeros(0, dtype=np.int64)]
        self._sizes = [np.zeros(0, dtype=np.int64)]
        self._numbers: dict[str, int] = {}
        self._records: list[bytes] | None = []
        self._n_bytes = self._n_record_bytes = 0

    def add(self, page: Sequence[Row]) -> bool:
        """Take a page; False if there is no room for the links alone. Records go when theirs is used up."""
        n_known = len(self._numbers)
        links = [list(dict.fromkeys(row["concepts"])) for row in page]
        numbers = [self._numbers.setdefault(id_, len(self._numbers)) for own in links for id_ in own]
        self._ids.append(np.array([row["id"].encode() for row in page], dtype="S"))
        self._columns.append(np.array(numbers, dtype=np.int32))
        self._counts.append(np.array([len(own) for own in links], dtype=np.int64))
        self.keys += [item_key(row) for row in page]
        self._n_bytes += (self._ids[-1].itemsize + _BYTES_PER_ITEM) * len(page)
        self._n_bytes += _BYTES_PER_LINK * len(numbers)
        self._n_bytes += sum(map(len, islice(self._numbers, n_known, None)))
        self._n_bytes += _BYTES_PER_NUMBER * (len(self._numbers) - n_known)
        if self._records is not None:
            records = [_record(row, own) for row, own in zip(page, links, strict=True)]
            self._sizes.append(np.array([len(record) for record in records], dtype=np.int64))
            self._records.append(b"".join(records))
            self._n_record_bytes += len(self._records[-1])
            if self._n_bytes + self._n_record_bytes > self._most_bytes:
                self._records = None
        return self._n_bytes <= self._most_bytes

    def table(self) -> LinkTable:
        """Put the pages together."""
        counts, numbers = np.concatenate(self._counts), np.concatenate(self._columns)
        n_concepts, n_parts = len(self._numbers), _n_parts(len(counts))
        rows = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
        order = np.argsort(numbers, kind="stable")
        rows = rows[order]
        parts = numbers[order] * np.int64(n_parts) + rows // _ROWS_PER_PART
        has_records = self._records is not None
        return LinkTable(
            ids=np.concatenate(self._ids),
            concepts=tuple(self._numbers),
            links=numbers.astype(np.uint16 if n_concepts <= 2**16 else np.int32),
            link_ends=_ends(counts),
            carriers=(rows % _ROWS_PER_PART).astype(np.uint16),
            carrier_ends=_ends(np.bincount(parts, minlength=n_concepts * n_parts)),
            numbers=self._numbers,
            records=b"".join(self._records or ()) if has_records else None,
            record_ends=_ends(np.concatenate(self._sizes)),
        )


def _n_parts(n_rows: int) -> int:
    return -(-n_rows // _ROWS_PER_PART)


def _ends(counts: Ints) -> Ints:
    """Where stretches of so many end, beginning with 0, in as few bytes as hold that."""
    ends = np.concatenate([[0], np.cumsum(counts)])
    return ends.astype(np.int32 if ends[-1] < 2**31 else np.int64)


def _places(starts: Ints, ends: Ints) -> Ints:
    """Places of several stretches of an array, one after the other."""
    counts = ends - starts
    firsts = np.cumsum(counts) - counts
    places: Ints = np.arange(counts.sum()) + np.repeat(starts - firsts, counts)
    return places


def _record(row: Row, links: Sequence[str]) -> bytes:
    """Text and metadata, and the concepts only where one is named twice."""
    own = list(row["concepts"])
    parts = [row["text"], row["metadata"], *([own] if len(own) > len(links) else ())]
    return json.dumps(parts, ensure_ascii=False).encode()


class HeldLinks:
    """Holds the `LinkTable` of a version on a server, and its concepts, once they are asked for often.

    They are read beside the searches. They answer as long as the version is as it was built: who writes to it
    says so in its state first. That is read again after a write of this process, and after a second.

    Parameters
    ----------
    most_bytes
        What the links may take, and what the concepts may.
    """

    def __init__(
        self,
        info: VersionInfo,
        catalog: VersionCatalog,
        items: RecordTable[Item],
        concepts: RecordTable[Concept],
        most_bytes: int,
    ) -> None:
        self._info, self._catalog = info, catalog
        self._items, self._concepts = items, concepts
        self._most_bytes = most_bytes
        # A tenant's items are changed in place, and those of an edited version may be.
        is_fixed = info.state == "ready" and catalog.tenant is None
        self._is_over = not is_fixed or not info.counts["items"] or not most_bytes
        self._table: LinkTable | None = None
        self._n_queries = 0
        self._is_begun = False
        self._lock = Lock()
        self._checked = (-1, 0.0)

    def fresh(self, n_queries: int) -> LinkTable | None:
        """Give the links for so many queries, or None where the server shall be asked.

        The first queries begin to have them read.
        """
        if self._is_over:
            return None
        if self._table is None:
            self._begin(n_queries)
            return None
        return self._table if self._is_unchanged() else None

    def read(self) -> None:
        """Read the links and the concepts now, unless that is done."""
        with self._lock:
            if self._is_over or self._table is not None:
                return
            size = (4 * self._info.dimension + _BYTES_PER_CONCEPT) * self._info.counts["concepts"]
            if size <= self._most_bytes:
                self._concepts.mirrored()
            table = LinkTable.read(self._items, self._info, self._most_bytes)
            if table is None:
                self._is_over = True
            elif self._is_unchanged():
                self._table = table

    def _begin(self, n_queries: int) -> None:
        self._n_queries += n_queries
        if self._catalog.connection.is_lite or self._n_queries < _QUERIES_BEFORE or self._is_begun:
            return
        self._is_begun = True

        def read() -> None:
            # A server that fails says so to the searches, and an index may be closed meanwhile.
            with suppress(VectorIndexError):
                self.read()

        Thread(target=read, name="zeroshot-links", daemon=True).start()

    def _is_unchanged(self) -> bool:
        """Whether the version is as it was built, as far as a search could see."""
        n_writes, now = self._catalog.connection.n_writes, time.monotonic()
        if self._checked[0] != n_writes or now - self._checked[1] > _SECONDS_UNCHECKED:
            self._is_over = self._catalog.state(self._info.id) != "ready"
            self._checked = n_writes, now
            if self._is_over:
                self._table = None
        return not self._is_over
