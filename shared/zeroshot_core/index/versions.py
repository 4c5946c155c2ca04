"""Versions of an index: what they are named, what they say of themselves, and which one is live.

A version is four collections ``<name>_<version>_<kind>``. What it was built from is kept in the properties
of its items collection, so that collection is made first and dropped last. The live version is the target of
the alias ``<name>_items`` alone: readers resolve that one name once and take all collections of that
version, so they never mix two. The other aliases are for other Milvus clients.
"""

from __future__ import annotations

import json
import re
import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from zeroshot_core import checks
from zeroshot_core.errors import InvalidInputError, VectorIndexError, VersionNotFoundError
from zeroshot_core.files import digest
from zeroshot_core.index.collection import CollectionInfo, ConceptName
from zeroshot_core.index.key_sum import KeySum
from zeroshot_core.index.params import IndexParams
from zeroshot_core.index.record_table import RecordTable
from zeroshot_core.index.schema import CONCEPTS, ITEMS, KINDS, NAMES, RELATIONS, SCHEMA_VERSION
from zeroshot_core.index.tenant import TenantConnection
from zeroshot_core.types import Concept, Item, Relation

if TYPE_CHECKING:
    from zeroshot_core.encoders.base import Encoder
    from zeroshot_core.index.collection import Record
    from zeroshot_core.index.connection import Connection
    from zeroshot_core.index.schema import RecordKind
    from zeroshot_core.index.tenant import Tenant

__all__ = ["MEMORY_MB", "State", "Tables", "VersionCatalog", "VersionInfo", "describe_version", "item_key"]

State = Literal["building", "ready", "edited"]

_STATE = "zeroshot.state"
_VERSION = "zeroshot.version"
_SNAPSHOT = "zeroshot.snapshot"
_N_SAMPLED = 8
# As much as the vectors of 100,000 concepts of 384 dimensions.
MEMORY_MB = 150


@dataclass(frozen=True, kw_only=True)
class VersionInfo(CollectionInfo):
    """What a version was built from.

    Parameters
    ----------
    id
        ``v`` and 12 hex digits over all that it was built from.
    smoothing
        Weight of `graph.smooth_vectors` for the vectors of concepts, in [0, 1).
    state
        ``building`` until all is written, then ``ready``; ``edited`` once items were upserted or deleted.
    snapshot
        Name of the snapshots that a server took of its collections before another version went live; None
        without.
    """

    params: IndexParams = field(default_factory=IndexParams)
    smoothing: float = 0.0
    schema_version: int = SCHEMA_VERSION
    state: State = "building"
    is_live: bool = False
    snapshot: str | None = None

    def to_properties(self) -> dict[str, str]:
        """Write it as properties of new collections, from which `from_properties` reads the same."""
        values = {**vars(self), "counts": dict(self.counts), "params": self.params.to_dict()}
        del values["state"], values["is_live"], values["snapshot"]
        return {_VERSION: json.dumps(values, sort_keys=True), _STATE: self.state}

    @classmethod
    def from_properties(cls, properties: Mapping[str, str], *, is_live: bool) -> VersionInfo:
        """Read a version from the properties of its items collection.

        Raises
        ------
        InvalidInputError
            If a number of the version is none.
        """
        values = json.loads(properties[_VERSION])
        values["params"] = IndexParams(**values["params"])
        state: Any = properties[_STATE]
        info = cls(**values, state=state, is_live=is_live, snapshot=properties.get(_SNAPSHOT) or None)
        checks.whole("dimension of the version", info.dimension, least=1)
        for kind, count in info.counts.items():
            checks.whole(f"{kind} of the version", count)
        checks.real("smoothing of the version", info.smoothing, least=0)
        return info

    def of_keys(self, keys: Iterable[str], counts: Mapping[str, int]) -> VersionInfo:
        """Describe the version of the same encoder, graph and parameters that holds other items.

        Parameters
        ----------
        keys
            Id and content hash of each item, as `item_key` joins them, in any order.
        """
        parts = (
            self.fingerprint,
            self.graph_digest,
            str(self.schema_version),
            json.dumps(self.params.to_dict()),
            repr(self.smoothing),
            *sorted(keys),
        )
        id_ = "v" + digest(*(part + "\0" for part in parts), n=12)
        return replace(self, id=id_, counts=counts, state="building", is_live=False, snapshot=None)

    def is_of(self, keys: Sequence[str]) -> bool:
        """Whether its id is that of items by their keys, as `build` or `build_from` makes it."""
        ways = (keys, [KeySum.of(keys).key])
        return any(self.of_keys(way, self.counts).id == self.id for way in ways)

    def check_finished(self) -> None:
        """Refuse a version whose build has not ended.

        Raises
        ------
        VectorIndexError
            If it is half built.
        """
        if self.state == "building":
            raise VectorIndexError(
                f"expected a finished version, got {self.id} half built; run build again with the same items"
            )


def item_key(row: Mapping[str, Any]) -> str:
    """Join id and content hash of an item's row: what a version's id is made of."""
    return f"{row['id']}\0{row['content_hash']}"


def describe_version(
    encoder: Encoder,
    graph_digest: str,
    params: IndexParams,
    counts: Mapping[str, int],
    keys: Iterable[str],
    *,
    smoothing: float,
) -> VersionInfo:
    """Describe the version built from these things.

    Parameters
    ----------
    keys
        Id and content hash of each item, as `item_key` joins them, in any order.
    """
    described = VersionInfo(
        id="",
        fingerprint=encoder.document_fingerprint,
        encoder=encoder.name,
        dimension=encoder.dimension,
        graph_digest=graph_digest,
        counts=counts,
        params=params,
        smoothing=smoothing,
    )
    return described.of_keys(keys, counts)


class Tables(NamedTuple):
    """The collections of one version."""

    items: RecordTable[Item]
    concepts: RecordTable[Concept]
    relations: RecordTable[Relation]
    names: RecordTable[ConceptName]


class VersionCatalog:
    """The versions of one index name in a Milvus.

    Parameters
    ----------
    memory_mb
        What the links of an open version on a server may take in memory, and what its concepts may.
    """

    def __init__(
        self, connection: Connection, name: str, tenant: Tenant | None = None, *, memory_mb: int = MEMORY_MB
    ) -> None:
        self.connection = connection
        self.tenant = tenant
        self.memory_mb = memory_mb
        # Collections of tenants have fields of their own, and so a name of their own.
        self._name = name if tenant is None else f"{name}_tenants"
        self._alias = name if tenant is None else f"{name}_{tenant.alias}"

    @property
    def name(self) -> str:
        """Name of the index: the prefix of its collections."""
        return self._name

    def refuse_tenant(self, what: str) -> None:
        """Refuse what is not done for a tenant.

        Raises
        ------
        InvalidInputError
            If the index is a tenant's.
        """
        if self.tenant is not None:
            raise InvalidInputError(
                f"expected an index that nobody shares for {what}, got that of tenant {self.tenant.name!r}; "
                "use build, upsert and delete, or a database of the tenant's own (db_name)"
            )

    def collection(self, version: str, kind: str) -> str:
        """Name of one collection of a version."""
        return f"{self._name}_{version}_{kind}"

    def live_id(self) -> str | None:
        """Id of the live version."""
        alias = f"{self._alias}_items"
        # What is at rest is a copy of collections, without aliases.
        if self.connection.is_at_rest or not self.connection.call("has_collection", alias):
            return None
        # Describing the alias itself fails on servers of 2.3 outside the default database.
        target = self.connection.call("describe_collection", alias)["collection_name"]
        found = self._pattern("items").fullmatch(target)
        return found[1] if found else None

    def all(self) -> list[VersionInfo]:
        """All versions, the live one first."""
        live = self.live_id()
        found = (self._pattern("items").fullmatch(name) for name in self.connection.call("list_collections"))
        infos = [self._info(match[1], live) for match in found if match]
        return sorted(infos, key=lambda info: (not info.is_live, info.id))

    def get(self, version: str) -> VersionInfo:
        """One version.

        Raises
        ------
        VersionNotFoundError
            If it is not there; the message names those that are.
        """
        checks.text("version", version)
        properties = self.connection.properties(self.collection(version, "items"))
        if properties is None:
            known = ", ".join(info.id for info in self.all()) or "none"
            raise VersionNotFoundError(
                f"expected a version of the index {self._name!r} ({known}), got {version!r}; build it first"
            )
        return VersionInfo.from_properties(properties, is_live=version == self.live_id())

    def tables(self, info: VersionInfo) -> Tables:
        """Address the collections of a version, for reading and writing."""

        def table(kind: RecordKind[Record]) -> RecordTable[Record]:
            name = self.collection(info.id, kind.name)
            connection: Any = self.connection
            if self.tenant is not None and kind.name == ITEMS.name:
                connection = TenantConnection(self.connection, self.tenant)
            return RecordTable(connection, name, kind, info.dimension, info.params)

        return Tables(table(ITEMS), table(CONCEPTS), table(RELATIONS), table(NAMES))

    def load(self, info: VersionInfo) -> None:
        """Load the collections of a version for reading; quick if they are.

        What is at rest loads all it has when it is started.
        """
        for name in (self.collection(info.id, kind.name) for kind in KINDS):
            if not self.connection.is_at_rest or self.connection.properties(name) is None:
                self.connection.call("load_collection", name)

    def state(self, version: str) -> str:
        """Read how far a version is, by one call."""
        described = self.connection.call("describe_collection", self.collection(version, "items"))
        return str(described["properties"][_STATE])

    def set_state(self, version: str, state: State) -> None:
        """Record how far a version is."""
        self._alter(version, {_STATE: state})

    def _alter(self, version: str, properties: Mapping[str, str]) -> None:
        collection = self.collection(version, "items")
        with self.connection.altering:
            self.connection.call("alter_collection_properties", collection, properties=dict(properties))

    def take_snapshot(self, version: str) -> None:
        """Have a server that does so take a snapshot of each collection of a version, and note their name.

        They replace those before. Where one can't be taken a warning says so: the version itself stays.
        """
        if self.tenant is not None or not self.connection.takes_snapshots:
            return
        before, name = self.get(version).snapshot, f"{version}_{time.time_ns() // 10**6}"
        try:
            self.connection.call("flush", self.collection(version, ITEMS.name))
            for kind in KINDS:
                self.connection.call("create_snapshot", name, self.collection(version, kind.name))
            self._alter(version, {_SNAPSHOT: name})
        except VectorIndexError as error:
            self._drop_snapshot(version, name)
            warnings.warn(
                f"no snapshot of version {version} was taken: {error}; the version itself stays", stacklevel=3
            )
            return
        if before:
            self._drop_snapshot(version, before)

    def _drop_snapshot(self, version: str, name: str) -> None:
        for kind in KINDS:
            with suppress(VectorIndexError):  # never taken, or gone already
                self.connection.call("drop_snapshot", name, self.collection(version, kind.name))

    def point_to(self, version: str) -> None:
        """Make a version live: the alias of the items last, for it is the one that counts.

        A tenant has that one alone, for no other client knows its name.
        """
        for kind in reversed(KINDS if self.tenant is None else (ITEMS,)):
            alias, target = f"{self._alias}_{kind.name}", self.collection(version, kind.name)
            exists = self.connection.call("has_collection", alias)
            self.connection.call("alter_alias" if exists else "create_alias", target, alias)

    def drop(self, version: str) -> None:
        """Drop the collections of a version, and the aliases if it is live: the items alias first.

        It counts as unfinished from the start: after a kill in between, a build of the same things completes
        it.
        """
        if self.live_id() == version:
            for alias in (f"{self._alias}_{kind.name}" for kind in KINDS):
                if self.connection.call("has_collection", alias):
                    self.connection.call("drop_alias", alias)
        if self.tenant is not None:
            # The graph, and the rows of other tenants, stay.
            self.load(self.get(version))
            items = self.tables(self.get(version)).items
            items.delete(list(items.keys()))
            return
        self.set_state(version, "building")
        snapshot = self.get(version).snapshot
        if snapshot:
            self._drop_snapshot(version, snapshot)
        for kind in reversed(KINDS):
            self.connection.call("drop_collection", self.collection(version, kind.name))

    def check_counts(self, info: VersionInfo) -> None:
        """Refuse a version that does not hold as many rows as were written.

        Raises
        ------
        VectorIndexError
            If it holds more or fewer.
        """
        tables = self.tables(info)._asdict()
        if self.tenant is not None:
            del tables["items"]  # which tenants have at any time is nobody's to say
        counts = {kind: table.count() for kind, table in tables.items()}
        if self.tenant is not None:
            counts["items"] = info.counts["items"]
        if counts != dict(info.counts):
            raise VectorIndexError(
                f"expected version {info.id} to hold {dict(info.counts)}, got {counts}; "
                "drop it and build it again"
            )

    def verify(self, info: VersionInfo) -> None:
        """Check that a version is complete, and that a sample of its vectors finds itself.

        Raises
        ------
        VectorIndexError
            If it is not.
        """
        info.check_finished()
        self.load(info)
        if info.state == "ready":
            self.check_counts(info)
        items = self.tables(info).items
        ids = [item.id for item in items.where("", limit=_N_SAMPLED)]
        if not ids:
            return
        vectors = items.vectors(ids)
        lengths = np.linalg.norm(vectors, axis=1)
        found = items.begin_nearest(vectors, 1, None, is_alone=True)()[1]
        best = [scores[0] if len(scores) else -1.0 for scores in found]
        if not np.allclose(lengths, 1.0, atol=1e-3) or min(best) < 1.0 - info.params.tolerance:
            raise VectorIndexError(
                f"expected vectors of version {info.id} to have unit length and to find themselves, got "
                f"norms {lengths.round(3).tolist()} and scores {np.round(best, 3).tolist()}; "
                "drop the version and build it again"
            )

    def _info(self, version: str, live: str | None) -> VersionInfo:
        properties = self.connection.call("describe_collection", self.collection(version, "items"))[
            "properties"
        ]
        return VersionInfo.from_properties(properties, is_live=version == live)

    def _pattern(self, kind: str) -> re.Pattern[str]:
        return re.compile(rf"{re.escape(self._name)}_(v[0-9a-f]{{12}})_{kind}")
