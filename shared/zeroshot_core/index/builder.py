"""Building a version from end to end, and checking one before it goes live."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core.errors import InvalidInputError, VectorIndexError
from zeroshot_core.graph import check_smoothing
from zeroshot_core.index.ingestion import (
    check_concepts,
    checked_items,
    encode_checked,
    graph_rows,
    unfinished,
    write_graph,
    write_items,
)
from zeroshot_core.index.schema import KINDS, create_collection, create_indexes
from zeroshot_core.index.versions import describe_version
from zeroshot_core.types import Item

if TYPE_CHECKING:
    from zeroshot_core.encoders.base import Encoder
    from zeroshot_core.graph import KnowledgeGraph
    from zeroshot_core.index.ingestion import GraphRows
    from zeroshot_core.index.params import IndexParams
    from zeroshot_core.index.versions import VersionCatalog, VersionInfo

__all__ = ["build_version", "check_finished", "verify_version"]

_N_PROBES = 8


def build_version(
    catalog: VersionCatalog,
    params: IndexParams,
    items: Iterable[Item],
    encoder: Encoder,
    graph: KnowledgeGraph | None,
    *,
    smoothing: float,
    show_progress: bool,
) -> str:
    """Write or finish the version that these things make; its id. See `VectorIndex.build`."""
    params.build_options(encoder.dimension, is_lite=catalog.connection.is_lite)
    kept, rows = checked_items(items)
    if graph is not None:
        check_concepts(kept, graph)
    smoothing = _checked_smoothing(smoothing, graph)
    of_graph = graph_rows(graph, smoothing)
    info = _describe(params, encoder, graph, rows, of_graph, smoothing)
    is_resumed = _create(catalog, info)
    if is_resumed and catalog.get(info.id).state == "ready":
        return info.id
    tables = catalog.tables(info)
    if graph is not None:
        write_graph(tables, encoder, graph, of_graph, smoothing=smoothing, is_resumed=is_resumed)
    _write_missing(catalog, info, encoder, kept, rows, is_resumed=is_resumed, show_progress=show_progress)
    _finish(catalog, info)
    _probe(catalog, info, encoder, kept)
    catalog.set_state(info.id, "ready")
    return info.id


def verify_version(catalog: VersionCatalog, info: VersionInfo) -> None:
    """Check that a version is complete, and that a sample of its vectors finds itself.

    Raises
    ------
    VectorIndexError
        If it is not.
    """
    check_finished(info)
    catalog.load(info)
    tables = catalog.tables(info)
    if info.state == "ready":
        _check_counts(catalog, info)
    ids = [item.id for item in tables.items.where("", limit=_N_PROBES)]
    if not ids:
        return
    vectors = tables.items.vectors(ids)
    best = [scores[0] if len(scores) else -1.0 for scores in tables.items.search(vectors, 1).scores]
    if (
        not np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-3)
        or min(best) < 1.0 - info.params.tolerance
    ):
        raise VectorIndexError(
            f"expected vectors of version {info.id} to have unit length and to find themselves, got norms "
            f"{np.linalg.norm(vectors, axis=1).round(3).tolist()} and scores {np.round(best, 3).tolist()}; "
            "drop the version and build it again"
        )


def check_finished(info: VersionInfo) -> None:
    """Refuse a version whose build has not ended.

    Raises
    ------
    VectorIndexError
        If it is half built.
    """
    if info.state == "building":
        raise VectorIndexError(
            f"expected a finished version, got {info.id} half built; run build again with the same items"
        )


def _checked_smoothing(smoothing: float, graph: KnowledgeGraph | None) -> float:
    weight = check_smoothing(smoothing)
    if weight and graph is None:
        raise InvalidInputError(
            f"expected a graph to smooth over, got none and a smoothing of {weight}; give a graph or 0"
        )
    return weight


def _describe(
    params: IndexParams,
    encoder: Encoder,
    graph: KnowledgeGraph | None,
    rows: Sequence[dict[str, Any]],
    of_graph: GraphRows,
    smoothing: float,
) -> VersionInfo:
    counts = {"items": len(rows)} | {kind: len(kept) for kind, kept in of_graph._asdict().items()}
    keys = (f"{row['id']}\0{row['content_hash']}" for row in rows)
    digest = "" if graph is None else graph.digest
    return describe_version(encoder, digest, params, counts, keys, smoothing=smoothing)


def _create(catalog: VersionCatalog, info: VersionInfo) -> bool:
    """Make the collections that are missing; whether the items collection was there already."""
    connection = catalog.connection
    names = {kind: catalog.collection(info.id, kind) for kind in KINDS}
    there = {kind: bool(connection.call("has_collection", name)) for kind, name in names.items()}
    for kind, name in names.items():
        if not there[kind]:
            properties = info.to_properties() if kind == "items" else {}
            create_collection(connection, name, kind, info.dimension, properties)
    # To resume is to read what is there, and a server reads only what is indexed and loaded.
    if there["items"] and not connection.is_lite:
        _index_all(catalog, info)
    elif there["items"]:
        for kind, name in names.items():
            _load_or_empty(catalog, info, kind, name)
    return there["items"]


def _load_or_empty(catalog: VersionCatalog, info: VersionInfo, kind: str, name: str) -> None:
    """Load a collection of a local file; one whose files a kill has left damaged begins anew.

    Raises
    ------
    VectorIndexError
        If the version has been finished, and so is not this build's to empty.
    """
    connection = catalog.connection
    try:
        connection.call("load_collection", name)
    except VectorIndexError:
        if catalog.get(info.id).state != "building":
            raise
        connection.call("drop_collection", name)
        create_collection(
            connection, name, kind, info.dimension, info.to_properties() if kind == "items" else {}
        )
        connection.call("load_collection", name)


def _write_missing(
    catalog: VersionCatalog,
    info: VersionInfo,
    encoder: Encoder,
    items: Sequence[Item],
    rows: Sequence[dict[str, Any]],
    *,
    is_resumed: bool,
    show_progress: bool,
) -> None:
    from tqdm.auto import tqdm

    table = catalog.tables(info).items
    stored = table.hashes() if is_resumed else {}
    places = unfinished(rows, stored)
    done = len(rows) - len(places)
    with tqdm(
        total=len(rows), initial=done, desc="indexing", unit="item", disable=not show_progress
    ) as progress:
        write_items(
            table,
            encoder,
            [items[place] for place in places],
            [rows[place] for place in places],
            replace=is_resumed,
            progress=progress,
        )
    table.delete(sorted(stored.keys() - {row["id"] for row in rows}))


def _finish(catalog: VersionCatalog, info: VersionInfo) -> None:
    """Flush once, index, and count."""
    with ThreadPoolExecutor(len(KINDS)) as pool:
        names = [catalog.collection(info.id, kind) for kind in KINDS]
        list(pool.map(lambda name: catalog.connection.call("flush", name), names))
    _index_all(catalog, info)
    _check_counts(catalog, info)


def _index_all(catalog: VersionCatalog, info: VersionInfo) -> None:
    """Index and load the collections side by side: a server takes seconds for each."""

    def index(kind: str) -> None:
        create_indexes(
            catalog.connection, catalog.collection(info.id, kind), kind, info.dimension, info.params
        )

    with ThreadPoolExecutor(len(KINDS)) as pool:
        list(pool.map(index, KINDS))


def _check_counts(catalog: VersionCatalog, info: VersionInfo) -> None:
    counts = {kind: table.count() for kind, table in catalog.tables(info)._asdict().items()}
    if counts != dict(info.counts):
        raise VectorIndexError(
            f"expected version {info.id} to hold {dict(info.counts)}, got {counts}; "
            "drop it and build it again"
        )


def _probe(catalog: VersionCatalog, info: VersionInfo, encoder: Encoder, items: Sequence[Item]) -> None:
    """Read a sample of vectors back and compare them with the encoder's."""
    sample = items[:: max(1, len(items) // _N_PROBES)][:_N_PROBES]
    if not sample:
        return
    stored = catalog.tables(info).items.vectors([item.id for item in sample])
    similarities = (stored * encode_checked(encoder, [item.content for item in sample])).sum(axis=1)
    if similarities.min() < encoder.repeatability:
        worst = sample[int(similarities.argmin())].id
        raise VectorIndexError(
            f"expected the stored vector of item {worst!r} to be the encoder's, got cosine "
            f"{similarities.min():.3f}; drop version {info.id} and build it again"
        )
