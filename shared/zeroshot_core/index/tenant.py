"""One tenant's rows in a collection that many share: what a table of items sees of Milvus.

A collection of tenants has the field `tenant`, its partition key, and the primary key `key`, made of tenant
and id, so that ids of two tenants never meet. Everything that a table of items asks goes through
`TenantConnection`, which adds the tenant to it, and refuses what it does not know.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from zeroshot_core.checks import shown
from zeroshot_core.errors import InvalidInputError, VectorIndexError
from zeroshot_core.files import digest
from zeroshot_core.index.filters import id_literal, id_literals

if TYPE_CHECKING:
    from zeroshot_core.index.connection import Connection

__all__ = ["TENANT_BYTES", "Tenant", "TenantConnection"]

TENANT_BYTES = 64


class Tenant:
    """Whose rows are read and written.

    Parameters
    ----------
    name
        Of at most 64 letters, digits, hyphens and underscores.

    Raises
    ------
    InvalidInputError
        If the name is none.
    """

    def __init__(self, name: str) -> None:
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
            raise InvalidInputError(
                f"expected a tenant of at most {TENANT_BYTES} letters, digits, hyphens and underscores, got "
                f"{shown(name)}"
            )
        self.name = name
        self.condition = f"tenant == {id_literal(name)}"
        self.alias = f"tenant_{digest(name, n=16)}"

    def row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Row as it is written."""
        return {**row, "tenant": self.name, "key": f"{self.name}/{row['id']}"}

    def bound(self, expression: str) -> str:
        """Filter that holds for rows of the tenant alone."""
        return f"{self.condition} and ({expression})" if expression else self.condition


class TenantConnection:
    """A connection that reads and writes the rows of one tenant alone."""

    def __init__(self, connection: Connection, tenant: Tenant) -> None:
        self._connection = connection
        self._tenant = tenant
        self.is_lite = connection.is_lite
        self.is_at_rest = False
        self.note_write = connection.note_write

    @property
    def n_writes(self) -> int:
        """Number of writes of this process so far."""
        return self._connection.n_writes

    def folder_of(self, collection: str) -> None:
        """None: the files of a collection hold the rows of all tenants."""

    def call(self, method: str, collection: str, /, *args: Any, **kwargs: Any) -> Any:
        """Call a method of MilvusClient for the tenant.

        Raises
        ------
        VectorIndexError
            If it is none that can be bound to a tenant.
        """
        if method == "upsert":
            # A server of 2.3 finds no rows that were upserted into a collection with a partition key.
            keys = [self._tenant.row(row)["key"] for row in args[0]]
            self._connection.call("delete", collection, filter=f"key in {id_literals(keys)}")
            method = "insert"
        args, kwargs = self._bound(method, args, kwargs)
        answer = self._connection.call(method, collection, *args, **kwargs)
        return [_Hits(hits) for hits in answer] if method == "search" else answer

    def begin(
        self, method: str, collection: str, /, *args: Any, is_alone: bool, **kwargs: Any
    ) -> Callable[[], Any]:
        """Send a search for the tenant; what it returns waits for the answer."""
        args, kwargs = self._bound(method, args, kwargs)
        answer = self._connection.begin(method, collection, *args, is_alone=is_alone, **kwargs)
        return lambda: [_Hits(hits) for hits in answer()]

    def _bound(
        self, method: str, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if method in ("query", "search", "delete") and not args and isinstance(kwargs.get("filter"), str):
            more = {"output_fields": ["id", *kwargs["output_fields"]]} if method == "search" else {}
            return (), {**kwargs, **more, "filter": self._tenant.bound(kwargs["filter"])}
        if method == "insert" and len(args) == 1 and not kwargs:
            return ([self._tenant.row(row) for row in args[0]],), {}
        if method == "flush":
            return tuple(args), dict(kwargs)
        raise VectorIndexError(f"expected a call that can be bound to a tenant, got {method}")


class _Hits(list[Any]):
    """Hits of one query, under the tenant's own ids."""

    def __init__(self, hits: Any) -> None:
        super().__init__(hits)
        self.ids = [hit["entity"]["id"] for hit in hits]
        self.distances = hits.distances
