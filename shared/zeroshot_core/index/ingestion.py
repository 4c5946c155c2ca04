"""Writing a version: checked rows, encoding and writing side by side, resumable at any point."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from zeroshot_core.encoders.wrappers import RememberingEncoder
from zeroshot_core.errors import InvalidInputError, UnknownConceptError
from zeroshot_core.graph import concept_vectors, relation_vectors, smooth_vectors
from zeroshot_core.graph.vectors import concept_texts
from zeroshot_core.index.rows import concept_row, item_row, name_rows, relation_row
from zeroshot_core.types import Content, Item

if TYPE_CHECKING:
    from zeroshot_core.encoders.base import Encoder
    from zeroshot_core.graph import KnowledgeGraph
    from zeroshot_core.index.table import Table
    from zeroshot_core.index.versions import Tables
    from zeroshot_core.types import Vectors

__all__ = [
    "GraphRows",
    "check_concepts",
    "checked_items",
    "encode_checked",
    "graph_rows",
    "unfinished",
    "write_graph",
    "write_items",
]

_CONTENTS_PER_CHUNK = 2048

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class _Chunk:
    """Rows whose contents are encoded in one go."""

    contents: tuple[Content, ...]
    positions: tuple[int, ...]
    rows: tuple[Row, ...]


class GraphRows(NamedTuple):
    """Rows of the three collections of a graph."""

    concepts: list[Row]
    relations: list[Row]
    names: list[Row]


def checked_items(items: Iterable[Item]) -> tuple[list[Item], list[Row]]:
    """Items and their rows without vectors, all checked before anything is written.

    Raises
    ------
    InvalidInputError
        If something is no Item, an id appears twice, or a value is over its limit in bytes.
    """
    kept = list(items)
    stray = next((item for item in kept if not isinstance(item, Item)), None)
    if stray is not None:
        raise InvalidInputError(
            f"expected items of type Item, got {stray!r}; wrap texts as Item(id=..., text=...)"
        )
    seen: set[str] = set()
    twice = list(dict.fromkeys(item.id for item in kept if item.id in seen or seen.add(item.id)))  # type: ignore[func-returns-value]
    if twice:
        raise InvalidInputError(
            f"expected unique item ids, got {len(twice)} twice or more: {twice[:5]}; drop or rename"
        )
    return kept, [item_row(item) for item in kept]


def check_concepts(items: Iterable[Item], known: Any) -> None:
    """Refuse items that are linked to concepts outside `known`.

    Raises
    ------
    UnknownConceptError
        Naming the first items and their unknown concepts.
    """
    unknown = [(item.id, concept) for item in items for concept in item.concepts if concept not in known]
    if unknown:
        listing = ", ".join(f"{concept!r} of item {item!r}" for item, concept in unknown[:5])
        raise UnknownConceptError(
            f"expected concepts of the graph, got {len(unknown)} unknown: {listing}; add them to the graph"
        )


def unfinished(rows: Sequence[Row], stored: dict[str, str]) -> list[int]:
    """Positions of the rows that are missing or changed, given the stored content hashes by id."""
    return [place for place, row in enumerate(rows) if stored.get(row["id"]) != row["content_hash"]]


def encode_checked(encoder: Encoder, contents: Sequence[Content]) -> Vectors:
    """Encode and check the shape, so that a faulty encoder never reaches the index.

    Raises
    ------
    InvalidInputError
        If the encoder does not return finite vectors of its own dimension.
    """
    vectors = np.ascontiguousarray(encoder.encode(contents), dtype=np.float32)
    expected = (len(contents), encoder.dimension)
    if vectors.shape != expected or not np.isfinite(vectors).all():
        raise InvalidInputError(
            f"expected finite vectors of shape {expected} from encoder {encoder.name!r}, got {vectors.shape}"
        )
    return vectors


def write_items(
    table: Table[Item],
    encoder: Encoder,
    items: Sequence[Item],
    rows: Sequence[Row],
    *,
    replace: bool,
    progress: Any,
) -> None:
    """Encode and write items; while one chunk is encoded, those before are written.

    Chunks may end out of order: what a failure leaves out is what `unfinished` finds, wherever it lies.

    Parameters
    ----------
    replace
        Whether some of the ids may be there already.
    progress
        Progress bar that counts items.
    """
    waiting: deque[Future[int]] = deque()

    def write(chunk: _Chunk, vectors: Vectors) -> int:
        table.write(chunk.rows, vectors[list(chunk.positions)], replace=replace)
        return len(chunk.rows)

    with ThreadPoolExecutor(table.n_writers, thread_name_prefix="index-writer") as writers:
        for chunk in _chunks(items, rows):
            waiting.append(writers.submit(write, chunk, encode_checked(encoder, chunk.contents)))
            # One chunk lies ready beside those being written, and memory holds no more.
            while len(waiting) > table.n_writers + 1 or (waiting and waiting[0].done()):
                progress.update(waiting.popleft().result())
        for future in waiting:
            progress.update(future.result())


def graph_rows(graph: KnowledgeGraph | None, smoothing: float) -> GraphRows:
    """Rows of a graph without vectors, all checked before anything is written; empty ones without a graph.

    There are none of names where the vectors of the concepts are those of their names: if nothing is
    smoothed, and no concept has a synonym or a description.
    """
    if graph is None:
        return GraphRows([], [], [])
    concepts = list(graph.concepts.values())
    differ = smoothing > 0 or any(len(concept_texts(concept)) > 1 for concept in concepts)
    return GraphRows(
        [concept_row(concept, place) for place, concept in enumerate(concepts)],
        [relation_row(relation, place) for place, relation in enumerate(graph.relations)],
        name_rows(concepts) if differ else [],
    )


def write_graph(
    tables: Tables,
    encoder: Encoder,
    graph: KnowledgeGraph,
    rows: GraphRows,
    *,
    smoothing: float,
    is_resumed: bool,
) -> None:
    """Write the concepts, relations and names of a graph that are missing or changed."""
    targets = (tables.concepts, tables.relations, tables.names)
    stored = [table.hashes() if is_resumed else {} for table in targets]
    concepts, relations, names = map(unfinished, rows, stored)
    # The vector of a concept is made of those of its names.
    once = RememberingEncoder(encoder)
    if concepts or relations:
        vectors = smooth_vectors(graph, concept_vectors(graph, once), smoothing)
        _write_some(tables.concepts, rows.concepts, vectors, concepts, replace=is_resumed)
        moves = relation_vectors(graph, vectors)
        _write_some(tables.relations, rows.relations, moves, relations, replace=is_resumed)
    if names:
        kept = [rows.names[place] for place in names]
        tables.names.write(kept, encode_checked(once, [row["text"] for row in kept]), replace=is_resumed)


def _write_some(
    table: Table[Any], rows: Sequence[Row], vectors: Vectors, places: Sequence[int], *, replace: bool
) -> None:
    if places:
        table.write([rows[place] for place in places], vectors[list(places)], replace=replace)


def _chunks(items: Sequence[Item], rows: Sequence[Row]) -> Iterator[_Chunk]:
    """Chunks of unique contents, longest first, with all rows that share them."""
    places: dict[tuple[bool, Any], list[int]] = {}
    for place, item in enumerate(items):
        content = item.content
        key = content if isinstance(content, str) else id(content)
        places.setdefault((item.image is None, key), []).append(place)
    groups = sorted(places.values(), key=lambda group: -len(items[group[0]].text or ""))
    for start in range(0, len(groups), _CONTENTS_PER_CHUNK):
        part = groups[start : start + _CONTENTS_PER_CHUNK]
        yield _Chunk(
            contents=tuple(items[group[0]].content for group in part),
            positions=tuple(position for position, group in enumerate(part) for _ in group),
            rows=tuple(rows[place] for group in part for place in group),
        )
