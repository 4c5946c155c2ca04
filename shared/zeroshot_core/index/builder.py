"""Building a version from end to end; what a kill has left of a build is gone on with."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Container, Hashable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from zeroshot_core import checks
from zeroshot_core.encoders.wrappers import RememberingEncoder
from zeroshot_core.errors import InvalidInputError, UnknownConceptError, VectorIndexError
from zeroshot_core.graph import check_smoothing, concept_vectors, relation_vectors, smooth_vectors
from zeroshot_core.graph.vectors import concept_texts
from zeroshot_core.index.schema import Row, concept_row, item_row, name_rows, relation_row
from zeroshot_core.index.version_writer import VersionWriter, unfinished
from zeroshot_core.index.versions import describe_version, item_key
from zeroshot_core.types import Content, Item, content_key, repaired_items

if TYPE_CHECKING:
    from zeroshot_core.encoders.base import Encoder
    from zeroshot_core.graph import KnowledgeGraph
    from zeroshot_core.index.item_source import ItemSource
    from zeroshot_core.index.params import IndexParams
    from zeroshot_core.index.record_table import RecordTable
    from zeroshot_core.index.versions import VersionCatalog, VersionInfo
    from zeroshot_core.types import Vectors

__all__ = ["VersionBuilder", "check_concepts", "checked_items", "encode_checked"]

_CONTENTS_PER_CHUNK = 2048
_N_PROBES = 8


class _GraphRows(NamedTuple):
    """Rows of the three collections of a graph, without vectors."""

    concepts: list[Row]
    relations: list[Row]
    names: list[Row]


@dataclass(frozen=True, kw_only=True)
class _Chunk:
    """Rows whose contents are encoded in one go."""

    contents: tuple[Content, ...]
    positions: tuple[int, ...]
    rows: tuple[Row, ...]


class VersionBuilder:
    """Writes versions of one encoder and graph: all is checked before anything is written.

    Parameters
    ----------
    catalog
        Where the versions go.
    params
        How their vectors are indexed.
    smoothing
        Weight of `graph.smooth_vectors`, from 0 to below 1.
    show_progress
        Whether to show a bar.

    Raises
    ------
    InvalidInputError
        If the smoothing is out of range or has no graph, or the parameters don't fit the dimension.
    UnsupportedIndexError
        If the words shall be indexed by a server that can't.
    """

    def __init__(
        self,
        catalog: VersionCatalog,
        params: IndexParams,
        encoder: Encoder,
        graph: KnowledgeGraph | None,
        *,
        smoothing: float,
        show_progress: bool,
    ) -> None:
        params.check_dimension(encoder.dimension)
        if params.lexical:
            catalog.connection.check_bm25()
        self._catalog = catalog
        self._params = params
        self._encoder = encoder
        self._graph = graph
        self._smoothing = check_smoothing(smoothing)
        if self._smoothing and graph is None:
            raise InvalidInputError(
                f"expected a graph to smooth over, got none and a smoothing of {self._smoothing}; "
                "give a graph or 0"
            )
        self._show_progress = show_progress

    def build(self, items: Iterable[Item]) -> str:
        """Write or finish the version of these items; its id. See `VectorIndex.build`."""
        kept, rows = checked_items(items)
        if self._graph is not None:
            check_concepts(kept, self._graph)
        graph_rows = self._graph_rows()
        info = self._describe(rows, graph_rows)
        is_resumed = VersionWriter(self._catalog, info).create()
        state = self._catalog.get(info.id).state if is_resumed else "building"
        if state == "ready" and self._catalog.tenant is None:
            return info.id
        # What tenants share is written once, and a flush for each would leave thousands of small segments.
        is_shared = state != "building" and self._catalog.tenant is not None
        if not is_shared:
            self._write_graph(info, graph_rows, is_resumed=is_resumed)
        self._write_items(info, kept, rows, is_resumed=is_resumed)
        if not is_shared:
            self._finish(info)
        self._check_own_count(info, len(rows))
        self._probe(info, kept)
        self._catalog.set_state(info.id, "ready")
        return info.id

    def build_from(self, source: ItemSource) -> str:
        """Write or finish the version of a data set's items; its id. See `VectorIndex.build_from`."""
        graph_rows = self._graph_rows()
        total = source.survey(None if self._graph is None else frozenset(self._graph.concepts))
        counts = {"items": total.n_items} | {kind: len(kept) for kind, kept in graph_rows._asdict().items()}
        info = describe_version(
            self._encoder, self._graph_digest, self._params, counts, [total.key], smoothing=self._smoothing
        )
        is_resumed = VersionWriter(self._catalog, info).create()
        if is_resumed and self._catalog.get(info.id).state == "ready":
            return info.id
        self._write_graph(info, graph_rows, is_resumed=is_resumed)
        source.write(self._catalog, info, self._encoder, is_resumed=is_resumed)
        try:
            self._finish(info)
        except VectorIndexError as error:
            count = self._catalog.tables(info).items.count()
            if count < total.n_items:
                raise InvalidInputError(
                    f"expected unique item ids, got {count} in {total.n_items} rows; drop or rename"
                ) from error
            raise
        self._catalog.set_state(info.id, "ready")
        return info.id

    @property
    def _graph_digest(self) -> str:
        return "" if self._graph is None else self._graph.digest

    def _graph_rows(self) -> _GraphRows:
        """Rows of the graph, all checked; empty ones without a graph.

        There are none of names where the vectors of the concepts are those of their names: if nothing is
        smoothed, and no concept has a synonym or a description.
        """
        if self._graph is None:
            return _GraphRows([], [], [])
        concepts = list(self._graph.concepts.values())
        differ = self._smoothing > 0 or any(len(concept_texts(concept)) > 1 for concept in concepts)
        return _GraphRows(
            [concept_row(concept, place) for place, concept in enumerate(concepts)],
            [relation_row(relation, place) for place, relation in enumerate(self._graph.relations)],
            name_rows(concepts) if differ else [],
        )

    def _describe(self, rows: Sequence[Row], graph_rows: _GraphRows) -> VersionInfo:
        counts = {"items": len(rows)} | {kind: len(kept) for kind, kept in graph_rows._asdict().items()}
        keys: Iterable[str] = map(item_key, rows)
        if self._catalog.tenant is not None:
            # All tenants of an encoder and a graph share a version, whatever their items.
            counts, keys = counts | {"items": 0}, ["tenants"]
        return describe_version(
            self._encoder, self._graph_digest, self._params, counts, keys, smoothing=self._smoothing
        )

    def _write_graph(self, info: VersionInfo, rows: _GraphRows, *, is_resumed: bool) -> None:
        """Write the concepts, relations and names that are missing or changed."""
        if self._graph is None:
            return
        tables = self._catalog.tables(info)
        targets = (tables.concepts, tables.relations, tables.names)
        stored = [table.hashes() if is_resumed else {} for table in targets]
        concepts, relations, names = map(unfinished, rows, stored)
        # The vector of a concept is made of those of its names.
        once = RememberingEncoder(self._encoder)
        if concepts or relations:
            vectors = smooth_vectors(self._graph, concept_vectors(self._graph, once), self._smoothing)
            _write_some(tables.concepts, rows.concepts, vectors, concepts, replace=is_resumed)
            moves = relation_vectors(self._graph, vectors)
            _write_some(tables.relations, rows.relations, moves, relations, replace=is_resumed)
        if names:
            kept = [rows.names[place] for place in names]
            vectors = encode_checked(once, [row["text"] for row in kept])
            tables.names.write(kept, vectors, replace=is_resumed)

    def _write_items(
        self, info: VersionInfo, items: Sequence[Item], rows: Sequence[Row], *, is_resumed: bool
    ) -> None:
        """Encode and write the items that are missing or changed, and delete those that are too many.

        While one chunk is encoded, those before are written. They may end out of order: what a failure leaves
        out is found by its hash, wherever it lies.
        """
        from tqdm.auto import tqdm

        table = self._catalog.tables(info).items
        stored = table.hashes() if is_resumed else {}
        places = unfinished(rows, stored)
        waiting: deque[Future[int]] = deque()

        def write(chunk: _Chunk, vectors: Vectors) -> int:
            table.write(chunk.rows, vectors[list(chunk.positions)], replace=is_resumed)
            return len(chunk.rows)

        with (
            tqdm(
                total=len(rows),
                initial=len(rows) - len(places),
                desc="indexing",
                unit="item",
                disable=not self._show_progress,
            ) as progress,
            ThreadPoolExecutor(table.n_writers, thread_name_prefix="index-writer") as writers,
        ):
            for chunk in _chunks([items[place] for place in places], [rows[place] for place in places]):
                vectors = encode_checked(self._encoder, chunk.contents)
                waiting.append(writers.submit(write, chunk, vectors))
                # One chunk lies ready beside those being written, and memory holds no more.
                while len(waiting) > table.n_writers + 1 or (waiting and waiting[0].done()):
                    progress.update(waiting.popleft().result())
            for future in waiting:
                progress.update(future.result())
        table.delete(sorted(stored.keys() - {row["id"] for row in rows}))
        if is_resumed:  # and so loaded, and perhaps read by others
            table.wait_for_writes()

    def _finish(self, info: VersionInfo) -> None:
        VersionWriter(self._catalog, info).finish()

    def _check_own_count(self, info: VersionInfo, n_items: int) -> None:
        """Refuse a tenant's items that are more or fewer than were written; the other counts are checked."""
        if self._catalog.tenant is not None:
            count = self._catalog.tables(info).items.count()
            if count != n_items:
                raise VectorIndexError(
                    f"expected {n_items} items of tenant {self._catalog.tenant.name!r}, got {count}; "
                    "build again"
                )

    def _probe(self, info: VersionInfo, items: Sequence[Item]) -> None:
        """Read a sample of vectors back and compare them with the encoder's."""
        sample = items[:: max(1, len(items) // _N_PROBES)][:_N_PROBES]
        if not sample:
            return
        stored = self._catalog.tables(info).items.vectors([item.id for item in sample])
        encoded = encode_checked(self._encoder, [item.content for item in sample])
        similarities = (stored * encoded).sum(axis=1)
        if similarities.min() < self._encoder.repeatability:
            worst = sample[int(similarities.argmin())].id
            raise VectorIndexError(
                f"expected the stored vector of item {checks.shown(worst)} to be the encoder's, got cosine "
                f"{similarities.min():.3f}; drop version {info.id} and build it again"
            )


def checked_items(items: Iterable[Item]) -> tuple[list[Item], list[Row]]:
    """Items and their rows without vectors, all checked before anything is written.

    Raises
    ------
    InvalidInputError
        If something is no Item, an id appears twice, or a value is over its limit in bytes.
    """
    kept = checks.sequence("items", items, of="Items")
    stray = [item for item in kept if not isinstance(item, Item)]
    if stray:
        raise InvalidInputError(
            f"expected items of type Item, got {checks.shown(stray[0])}; wrap texts as Item(id=..., text=...)"
        )
    kept = repaired_items(kept)
    counts = Counter(item.id for item in kept)
    twice = [id_ for id_, count in counts.items() if count > 1]
    if twice:
        raise InvalidInputError(
            f"expected unique item ids, got {len(twice)} twice or more: {twice[:5]}; drop or rename"
        )
    return kept, [item_row(item) for item in kept]


def check_concepts(items: Iterable[Item], known: Container[str]) -> None:
    """Refuse items that are linked to concepts outside `known`.

    Raises
    ------
    UnknownConceptError
        Naming the first items and their unknown concepts.
    """
    unknown = [(item.id, concept) for item in items for concept in item.concepts if concept not in known]
    if unknown:
        listing = ", ".join(
            f"{checks.shown(concept)} of item {checks.shown(item)}" for item, concept in unknown[:3]
        )
        raise UnknownConceptError(
            f"expected concepts of the graph, got {len(unknown)} unknown: {listing}; add them to the graph"
        )


def encode_checked(encoder: Encoder, contents: Sequence[Content]) -> Vectors:
    """Encode and check the shape, so that a faulty encoder never reaches the index.

    Raises
    ------
    InvalidInputError
        If the encoder does not return finite vectors of its own dimension.
    """
    shape = len(contents), encoder.dimension
    return np.ascontiguousarray(
        checks.vectors(f"vectors of the encoder {encoder.name!r}", encoder.encode(contents), shape)
    )


def _write_some(
    table: RecordTable[Any], rows: Sequence[Row], vectors: Vectors, places: Sequence[int], *, replace: bool
) -> None:
    if places:
        table.write([rows[place] for place in places], vectors[list(places)], replace=replace)


def _chunks(items: Sequence[Item], rows: Sequence[Row]) -> Iterator[_Chunk]:
    """Chunks of unique contents, longest first, with all rows that share them."""
    places: dict[Hashable, list[int]] = {}
    for place, item in enumerate(items):
        places.setdefault(content_key(item), []).append(place)
    groups = sorted(places.values(), key=lambda group: -len(items[group[0]].text or ""))
    for start in range(0, len(groups), _CONTENTS_PER_CHUNK):
        part = groups[start : start + _CONTENTS_PER_CHUNK]
        yield _Chunk(
            contents=tuple(items[group[0]].content for group in part),
            positions=tuple(position for position, group in enumerate(part) for _ in group),
            rows=tuple(rows[place] for group in part for place in group),
        )
