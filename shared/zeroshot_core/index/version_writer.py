"""What every way of writing a version shares: making its collections, writing pages, and ending the build."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from zeroshot_core.errors import VectorIndexError
from zeroshot_core.index.bulk_import import BulkImport
from zeroshot_core.index.schema import KINDS, Row, create_collection, create_indexes

if TYPE_CHECKING:
    from zeroshot_core.index.schema import RecordKind
    from zeroshot_core.index.versions import State, Tables, VersionCatalog, VersionInfo
    from zeroshot_core.types import Vectors

__all__ = ["Page", "VersionWriter", "unfinished"]

Page: TypeAlias = "tuple[Sequence[Row], Vectors]"
"""Rows without vectors, and their vectors, shape (n, d)."""


class VersionWriter:
    """Writes one version whose description is known.

    Parameters
    ----------
    info
        What the version is built from, with the rows that each collection will have.
    """

    def __init__(self, catalog: VersionCatalog, info: VersionInfo) -> None:
        self._catalog = catalog
        self._info = replace(info, state="building")
        self._end: State = "edited" if info.state == "edited" else "ready"

    def write_all(self, pages: Mapping[str, Iterable[Page]]) -> str:
        """Write or finish the version from rows with vectors, by the names of collections; its id."""
        info = self._info
        is_resumed = self.create()
        if is_resumed and self._catalog.get(info.id).state == "ready":
            return info.id
        for kind in KINDS:
            self._write(kind.name, pages[kind.name], is_resumed=is_resumed)
        self.finish()
        self._catalog.set_state(info.id, self._end)
        return info.id

    def import_all(self, remote_path: str, check: Callable[[Tables], None]) -> str:
        """Have a server import the version from Parquet files of its own storage; its id.

        What a kill has left begins anew once the server is done with what it was asked for, since it takes
        rows that are there a second time.

        Parameters
        ----------
        remote_path
            Of the folder with a file for each collection, as the server finds it.
        check
            Refuses what was imported, if it is not the version.
        """
        catalog, id_ = self._catalog, self._info.id
        paths = {
            catalog.collection(id_, kind): f"{remote_path.rstrip('/')}/{kind}.parquet"
            for kind, n_rows in self._info.counts.items()
            if n_rows
        }
        imports = BulkImport(catalog.connection)
        if catalog.connection.call("has_collection", catalog.collection(id_, "items")):
            state = catalog.get(id_).state
            if state == "ready":
                return id_
            if state == "edited":
                raise VectorIndexError(
                    f"expected version {id_} to be missing or half built, got one that was edited; drop it, "
                    "or leave remote_path out"
                )
            imports.wait(paths)
            catalog.drop(id_)
        self.create()
        imports.write(paths)
        self.finish()
        check(catalog.tables(self._info))
        catalog.set_state(id_, self._end)
        return id_

    def create(self) -> bool:
        """Make the collections that are missing; whether the items collection was there already."""
        connection, info = self._catalog.connection, self._info
        names = {kind.name: self._catalog.collection(info.id, kind.name) for kind in KINDS}
        there = {kind: bool(connection.call("has_collection", name)) for kind, name in names.items()}
        for kind in KINDS:
            if not there[kind.name]:
                self._create_one(kind)
        # To resume is to read what is there, and a server reads only what is indexed and loaded.
        if there["items"] and not connection.is_lite:
            self._index_all()
        elif there["items"]:
            for kind in KINDS:
                self._load_or_empty(kind)
        return there["items"]

    def finish(self) -> None:
        """Flush once, index, and count."""
        names = [self._catalog.collection(self._info.id, kind.name) for kind in KINDS]
        with ThreadPoolExecutor(len(names)) as pool:
            list(pool.map(lambda name: self._catalog.connection.call("flush", name), names))
        self._index_all()
        self._catalog.check_counts(self._info)

    def _write(self, kind: str, pages: Iterable[Page], *, is_resumed: bool) -> None:
        """Write what is missing or changed of one collection, and delete what is too much."""
        table = getattr(self._catalog.tables(self._info), kind)
        stored = table.hashes() if is_resumed else {}
        strange = set(stored)
        waiting: deque[Future[None]] = deque()
        with ThreadPoolExecutor(table.n_writers, thread_name_prefix="version-writer") as writers:
            for rows, vectors in pages:
                places = unfinished(rows, stored)
                strange.difference_update(row["id"] for row in rows)
                if places:
                    part = [rows[place] for place in places]
                    waiting.append(writers.submit(table.write, part, vectors[places], replace=is_resumed))
                # One page lies ready beside those being written, and memory holds no more.
                while len(waiting) > table.n_writers + 1:
                    waiting.popleft().result()
            for future in waiting:
                future.result()
        table.delete(sorted(strange))

    def _create_one(self, kind: RecordKind[Any]) -> None:
        info = self._info
        properties = info.to_properties() if kind.name == "items" else {}
        name = self._catalog.collection(info.id, kind.name)
        connection, shared = self._catalog.connection, self._catalog.tenant is not None
        create_collection(connection, name, kind, info.dimension, properties, info.params, of_tenants=shared)

    def _load_or_empty(self, kind: RecordKind[Any]) -> None:
        """Load a collection of a local file; one whose files a kill has left damaged begins anew.

        Raises
        ------
        VectorIndexError
            If the version has been finished, and so is not this build's to empty.
        """
        connection, name = self._catalog.connection, self._catalog.collection(self._info.id, kind.name)
        try:
            connection.call("load_collection", name)
        except VectorIndexError:
            if self._catalog.get(self._info.id).state != "building":
                raise
            connection.call("drop_collection", name)
            self._create_one(kind)
            connection.call("load_collection", name)

    def _index_all(self) -> None:
        """Index and load the collections side by side: a server takes seconds for each."""
        info = self._info

        def index(kind: RecordKind[Any]) -> None:
            name = self._catalog.collection(info.id, kind.name)
            n_rows = info.counts[kind.name]
            connection, shared = self._catalog.connection, self._catalog.tenant is not None
            create_indexes(connection, name, kind, info.dimension, n_rows, info.params, of_tenants=shared)

        with ThreadPoolExecutor(len(KINDS)) as pool:
            list(pool.map(index, KINDS))


def unfinished(rows: Sequence[Row], stored: Mapping[str, str]) -> list[int]:
    """Positions of the rows that are missing or changed, given the stored content hashes by id."""
    return [place for place, row in enumerate(rows) if stored.get(row["id"]) != row["content_hash"]]
