"""The index: connect, build versions, make one live, open it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from zeroshot_core import checks
from zeroshot_core.encoders.base import Encoder
from zeroshot_core.errors import (
    FingerprintMismatchError,
    InvalidInputError,
    UnsupportedIndexError,
    VersionNotFoundError,
)
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.index.builder import VersionBuilder
from zeroshot_core.index.connection import Connection
from zeroshot_core.index.item_columns import ItemColumns
from zeroshot_core.index.item_source import ItemSource
from zeroshot_core.index.item_stream import StreamedItems, find_files
from zeroshot_core.index.open_version import OpenVersion
from zeroshot_core.index.params import IndexParams
from zeroshot_core.index.ray_items import RayItems, check_for_ray, is_ray_dataset, ray_dataset
from zeroshot_core.index.ray_run import RayOptions
from zeroshot_core.index.tenant import Tenant
from zeroshot_core.index.version_files import VersionFiles, write_version_files
from zeroshot_core.index.version_update import VersionUpdate
from zeroshot_core.index.version_writer import VersionWriter
from zeroshot_core.index.versions import MEMORY_MB, VersionCatalog, VersionInfo
from zeroshot_core.types import Item

__all__ = ["VectorIndex"]


class VectorIndex:
    """Versions of one index in a Milvus, local file or server; made by `connect`, usable in ``with``."""

    def __init__(
        self,
        connection: Connection,
        *,
        name: str,
        params: IndexParams,
        tenant: Tenant | None = None,
        memory_mb: int = MEMORY_MB,
    ) -> None:
        self._connection = connection
        self._catalog = VersionCatalog(connection, name, tenant, memory_mb=memory_mb)
        self.name = name
        self.params = params

    @classmethod
    def connect(
        cls,
        uri: str | os.PathLike[str] = "zeroshot.db",
        *,
        name: str = "zeroshot",
        token: str | None = None,
        db_name: str | None = None,
        params: IndexParams | None = None,
        tenant: str | None = None,
        memory_mb: int = MEMORY_MB,
    ) -> VectorIndex:
        """Open the index in a Milvus.

        Parameters
        ----------
        uri
            Path ending in ``.db`` for Milvus Lite, one process at a time; ``http(s)://...`` for a server.
        name
            Prefix of the collections: letters, digits and underscores, not beginning with a digit.
        params
            Index type and metric of the versions built through this connection.
        tenant
            Whose items are read and written, of at most 64 letters, digits, hyphens and underscores; None for
            an index that nobody shares. Tenants with the same encoder and graph share collections, in which
            each reads and writes its own items alone. Their items are changed in place by `build`.
        memory_mb
            What an open version on a server may keep in memory of its items (ids, links to concepts and, if
            there is room, texts and metadata), and what of its concepts (vectors and records), each in
            millions of bytes. What does not fit is asked of the server for each query.

        Raises
        ------
        UnsupportedIndexError
            If Milvus Lite is asked for an index type that only a server builds.
        IndexLockedError
            If another process holds the file.
        ConnectionFailedError
            If no Milvus answers, or it refuses the token.
        """
        _check_name(name)
        checks.path("uri", uri)
        uri, params = os.fspath(uri), IndexParams() if params is None else params
        checks.instance("params", params, IndexParams)
        owner = None if tenant is None else Tenant(tenant)
        params.check_target(is_lite=not re.match(r"https?://", uri))
        memory_mb = checks.whole("memory_mb", memory_mb)
        connection = Connection.open(uri, token=token, db_name=db_name)
        return cls(connection, name=name, params=params, tenant=owner, memory_mb=memory_mb)

    @classmethod
    def at_rest(cls, path: Path, *, name: str, db_name: str | None = None) -> VectorIndex:
        """Open a copy of a local index that is made only to be read, which costs less than to `connect`.

        Raises
        ------
        InvalidInputError
            If the index or the database has no name.
        VectorIndexError
            If Milvus Lite is needed and cannot open it.
        """
        _check_name(name)
        return cls(Connection.at_rest(path, db_name=db_name), name=name, params=IndexParams())

    @classmethod
    def of(cls, version: OpenVersion) -> VectorIndex:
        """Give the index that holds an open version, over the connection by which that reads."""
        catalog = version.catalog
        catalog.refuse_tenant("the index of an open version")
        params, memory_mb = version.info.params, catalog.memory_mb
        return cls(catalog.connection, name=catalog.name, params=params, memory_mb=memory_mb)

    def build(
        self,
        items: Iterable[Item],
        encoder: Encoder,
        graph: KnowledgeGraph | None = None,
        *,
        smoothing: float = 0.0,
        show_progress: bool = False,
    ) -> str:
        """Write a version that holds exactly these items and this graph; it is not live before `activate`.

        The version's id follows from the encoder, the graph, the smoothing, the parameters and the items, so
        a build that was killed is resumed by building again: what is there is kept, what is missing or
        changed is encoded and written.

        Parameters
        ----------
        smoothing
            How much the vectors of concepts, and those of relations by them, share in their neighbours': the
            weight of `graph.smooth_vectors`, from 0 to below 1, as `graph.choose_smoothing` gives it. Vectors
            of names and items stay as they are.

        Raises
        ------
        InvalidInputError
            If an id appears twice, a value is over its limit in bytes, an item names an unknown concept, or
            the smoothing is out of range or has no graph; nothing has been written then.
        """
        checks.instance("encoder", encoder, Encoder, remedy="load_encoder opens one")
        if graph is not None:
            checks.instance("graph", graph, KnowledgeGraph)
        builder = VersionBuilder(
            self._catalog, self.params, encoder, graph, smoothing=smoothing, show_progress=show_progress
        )
        return builder.build(items)

    def build_from(
        self,
        dataset: Any,
        encoder: Encoder,
        graph: KnowledgeGraph | None = None,
        *,
        columns: ItemColumns | None = None,
        ray: RayOptions | None = None,
        smoothing: float = 0.0,
    ) -> str:
        """Write a version of a data set that need not fit in memory; it is not live before `activate`.

        It is read twice: to check, count and digest all rows, then to encode and write them block by block.
        The version's id follows from the digest, so that a build that was killed is resumed by building
        again, here or by Ray. Duplicates of a text in a block are encoded once.

        Parameters
        ----------
        dataset
            A Ray Dataset; or a path, a folder, a glob, or a list of these, of Parquet, JSON lines or CSV.
        columns
            Which columns make the items.
        ray
            By how many actors of Ray the data set is encoded and written; None for this process, unless
            `dataset` is Ray's. With Ray the index is on a server.

        Raises
        ------
        InvalidInputError
            If there are no files, a row makes no item, or the encoder is a function that actors of Ray can't
            open, for which nothing has been written; or if an id comes twice.
        VectorIndexError
            If Ray is to write into a local file.
        MissingExtraError
            If pyarrow or Ray is not installed.
        """
        checks.instance("encoder", encoder, Encoder, remedy="load_encoder opens one")
        self._catalog.refuse_tenant("build_from")
        columns = ItemColumns() if columns is None else columns
        options = RayOptions() if ray is None and is_ray_dataset(dataset) else ray
        source: ItemSource
        if options is not None:
            check_for_ray(self._connection, encoder)
            if not is_ray_dataset(dataset):
                texts = (columns.id, columns.text, *columns.concepts)
                dataset = ray_dataset(find_files(dataset), options, texts=texts)
            source = RayItems(dataset, columns, options)
        else:
            source = StreamedItems(find_files(dataset), columns)
        return VersionBuilder(
            self._catalog, self.params, encoder, graph, smoothing=smoothing, show_progress=False
        ).build_from(source)

    def update(
        self,
        items: Iterable[Item],
        encoder: Encoder,
        *,
        deleted: Iterable[str] = (),
        version: str | None = None,
        show_progress: bool = False,
    ) -> str:
        """Write a version that differs from another one by some items; it is not live before `activate`.

        It is the version that `build` would write of the whole: the same id, the same vectors. Only these
        items are encoded, the rest is copied with its vectors, by pages. For another encoder than the
        version's all is encoded anew.

        Parameters
        ----------
        items
            That are new or changed; those with the same ids are replaced.
        deleted
            Ids to leave out; unknown ids are passed over.
        version
            Which version to begin with; None is the live one.

        Raises
        ------
        VersionNotFoundError
            If it is not there.
        InvalidInputError
            If an item is wrong, or is to be deleted too; nothing has been written then.
        """
        checks.instance("encoder", encoder, Encoder, remedy="load_encoder opens one")
        self._catalog.refuse_tenant("update")
        update = VersionUpdate(self._catalog, self._finished(version), items, deleted)
        if encoder.document_fingerprint == update.base.fingerprint:
            return update.write(encoder)
        whole, graph = update.whole()
        return self.build(whole, encoder, graph, smoothing=update.base.smoothing, show_progress=show_progress)

    def export(self, folder: str | os.PathLike[str], version: str | None = None) -> VersionInfo:
        """Write a version into a new folder, as Parquet files with vectors and a manifest.

        It is read and written by pages, in constant memory.

        Parameters
        ----------
        version
            None is the live one.

        Raises
        ------
        VersionNotFoundError
            If it is not there.
        InvalidInputError
            If the folder exists and is not empty.
        MissingExtraError
            If pyarrow is not installed.
        """
        self._catalog.refuse_tenant("export")
        checks.path("folder", folder)
        info = self._finished(version)
        write_version_files(self._catalog, info, Path(folder), name=self.name)
        return info

    def import_version(self, folder: str | os.PathLike[str], *, remote_path: str | None = None) -> str:
        """Write the version that `export` wrote into a folder; it is not live before `activate`.

        Nothing is encoded, and what is stored equals what was exported to the last digit. An import that was
        killed is resumed by importing again; by the server's own hand, it begins anew.

        Parameters
        ----------
        folder
            It is read here in any case, and checked: a server that imports files checks little of them.
        remote_path
            Where a server finds a copy of the folder in its own storage, to import the files itself: a prefix
            in its bucket, or a path on its disk. None sends the rows.

        Returns
        -------
        str
            Id of the version: that which it had.

        Raises
        ------
        ArtifactError
            If the folder is no export, is damaged, or holds other items than it says, or the server's copy
            differs.
        UnsupportedIndexError
            If this Milvus does not build its type of index, or a local file or an index of words is to be
            imported from files.
        VectorIndexError
            If the server cannot import a file.
        MissingExtraError
            If pyarrow is not installed.
        """
        self._catalog.refuse_tenant("import_version")
        checks.path("folder", folder)
        files = VersionFiles.open(Path(folder))
        files.info.params.check_target(is_lite=self.is_lite)
        if files.info.params.lexical:
            self._connection.check_bm25()
        writer = VersionWriter(self._catalog, files.info)
        if remote_path is None:
            return writer.write_all(files.pages())
        checks.text("remote_path", remote_path)
        if self.is_lite or files.info.params.lexical:
            raise UnsupportedIndexError(
                "expected remote_path for a server and a version without an index of words, whose column the "
                f"files lack, got {'a local file' if self.is_lite else 'one with it'}; leave remote_path out"
            )
        files.check_rows()
        return writer.import_all(remote_path, files.check_copy)

    def activate(self, version: str) -> None:
        """Check a version's row counts and a sample of its vectors, then swap the aliases to it.

        A server that takes snapshots, as Milvus does from 3.0 on, takes one of each collection of the version
        that was live before, named in that version's `VersionInfo.snapshot` and dropped with it.

        Raises
        ------
        VersionNotFoundError
            If it is not there.
        VectorIndexError
            If it is not completely built, or what it holds is not what was written; the live version stays.
        """
        self._catalog.verify(self._catalog.get(version))
        live = self._catalog.live_id()
        if live not in (None, version):
            self._catalog.take_snapshot(live)
        self._catalog.point_to(version)

    def drop(self, version: str) -> None:
        """Drop a version, the live one too.

        Raises
        ------
        VersionNotFoundError
            If it is not there.
        """
        self._catalog.get(version)
        self._catalog.drop(version)

    def versions(self) -> list[VersionInfo]:
        """All versions, the live one first."""
        return self._catalog.all()

    @property
    def live(self) -> VersionInfo | None:
        """The version that is open to readers."""
        version = self._catalog.live_id()
        return None if version is None else self._catalog.get(version)

    def open(self, version: str | None = None, *, fingerprint: str) -> OpenVersion:
        """Open a version for reading; None is the live one.

        Raises
        ------
        VersionNotFoundError
            If it is not there.
        FingerprintMismatchError
            If it was built with another encoder than the one with this fingerprint.
        """
        checks.text("fingerprint", fingerprint, remedy="give that of the encoder")
        info = self._finished(version)
        if info.fingerprint != fingerprint:
            raise FingerprintMismatchError(
                f"expected version {info.id} to be built with encoder {fingerprint}, got {info.fingerprint} "
                f"({info.encoder}): built with another encoder; index again, or load that encoder"
            )
        self._catalog.load(info)
        if self._catalog.tenant is not None:
            count = self._catalog.tables(info).items.count()
            info = replace(info, counts={**info.counts, "items": count})
        return OpenVersion(info, self._catalog)

    def _finished(self, version: str | None) -> VersionInfo:
        """Find a version whose build has ended; None is the live one."""
        info = self._catalog.get(version) if version is not None else self.live
        if info is None:
            known = ", ".join(found.id for found in self.versions()) or "none"
            raise VersionNotFoundError(
                f"expected a live version of the index {self.name!r}, got none (versions: {known}); "
                "build one and activate it"
            )
        info.check_finished()
        return info

    @property
    def uri(self) -> str:
        """Absolute path of the local file, or the server's address without credentials."""
        return self._connection.path or self._connection.address

    @property
    def is_lite(self) -> bool:
        """Whether this is a local file rather than a server."""
        return self._connection.is_lite

    @property
    def db_name(self) -> str | None:
        """Database on the server; None for the default one."""
        return self._connection.db_name

    @property
    def tenant(self) -> str | None:
        """Whose items are read and written; None for an index that nobody shares."""
        return None if self._catalog.tenant is None else self._catalog.tenant.name

    def close(self) -> None:
        """Close the connection; a local file is free for other processes then."""
        self._connection.close()

    def __sklearn_clone__(self) -> VectorIndex:
        return self

    def __enter__(self) -> VectorIndex:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        address, index_type = self._connection.address, self.params.index_type
        return f"VectorIndex({address!r}, name={self.name!r}, index_type={index_type!r})"


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,199}", name):
        raise InvalidInputError(
            f"expected a name of letters, digits and underscores that begins with no digit, got "
            f"{checks.shown(name)}"
        )
