"""A version made of another one: what changed is encoded, the rest is copied with its vectors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.index.builder import check_concepts, checked_items, encode_checked
from zeroshot_core.index.collection import checked_ids
from zeroshot_core.index.version_writer import Page, VersionWriter
from zeroshot_core.index.versions import item_key

if TYPE_CHECKING:
    from zeroshot_core.encoders.base import Encoder
    from zeroshot_core.index.versions import VersionCatalog, VersionInfo
    from zeroshot_core.types import Item

__all__ = ["VersionUpdate"]

_ITEMS_PER_PAGE = 2048


class VersionUpdate:
    """What a version is to become.

    Parameters
    ----------
    base
        The version that it begins with.
    items
        That are new or changed.
    deleted
        Ids that are left out.

    Raises
    ------
    InvalidInputError
        If an item is wrong, or is to be deleted too.
    """

    def __init__(
        self, catalog: VersionCatalog, base: VersionInfo, items: Iterable[Item], deleted: Iterable[str]
    ) -> None:
        self.base = base
        self._catalog = catalog
        self._items, self._rows = checked_items(items)
        self._gone = set(checked_ids(list(deleted)))
        both = [item.id for item in self._items if item.id in self._gone]
        if both:
            raise InvalidInputError(
                f"expected ids to be either updated or deleted, got {len(both)} that are both: {both[:3]}"
            )
        catalog.load(base)
        self._tables = catalog.tables(base)
        if base.graph_digest:
            linked = {concept for item in self._items for concept in item.concepts}
            check_concepts(self._items, self._tables.concepts.get(linked))

    def write(self, encoder: Encoder) -> str:
        """Write the version with the base's own encoder; its id."""
        kept = self._tables.items.hashes()
        for id_ in self._gone:
            kept.pop(id_, None)
        # What is there already as it is given needs no encoding.
        fresh = [at for at, row in enumerate(self._rows) if kept.get(row["id"]) != row["content_hash"]]
        kept |= {row["id"]: row["content_hash"] for row in self._rows}
        keys = (item_key({"id": id_, "content_hash": hash_}) for id_, hash_ in kept.items())
        info = self.base.of_keys(keys, {**self.base.counts, "items": len(kept)})
        if info.id == self.base.id and self.base.state == "ready":
            return info.id
        pages = {
            "items": chain(self._copied({self._rows[at]["id"] for at in fresh}), self._fresh(fresh, encoder)),
            "concepts": self._tables.concepts.stored_pages(),
            "relations": self._tables.relations.stored_pages(),
            "names": self._tables.names.stored_pages(),
        }
        return VersionWriter(self._catalog, info).write_all(pages)

    def whole(self) -> tuple[list[Item], KnowledgeGraph | None]:
        """All items of the version to be, and its graph, to be encoded anew."""
        hidden = self._gone | {item.id for item in self._items}
        items = [item for item in self._tables.items.where("") if item.id not in hidden] + self._items
        if not self.base.graph_digest:
            return items, None
        concepts, relations = self._tables.concepts.placed(""), self._tables.relations.placed("")
        return items, KnowledgeGraph(
            [concepts[place] for place in sorted(concepts)], [relations[place] for place in sorted(relations)]
        )

    def _copied(self, fresh: set[str]) -> Iterator[Page]:
        """Rows of the base that stay."""
        hidden = self._gone | fresh
        for rows, vectors in self._tables.items.stored_pages():
            places = [at for at, row in enumerate(rows) if row["id"] not in hidden]
            yield [rows[at] for at in places], vectors[places]

    def _fresh(self, fresh: list[int], encoder: Encoder) -> Iterator[Page]:
        for start in range(0, len(fresh), _ITEMS_PER_PAGE):
            part = fresh[start : start + _ITEMS_PER_PAGE]
            vectors = encode_checked(encoder, [self._items[at].content for at in part])
            yield [self._rows[at] for at in part], vectors
