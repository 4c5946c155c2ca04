"""Queries as they are given: texts, images and items, checked."""

from __future__ import annotations

from collections.abc import Sequence

from zeroshot_core import checks
from zeroshot_core.images import is_image
from zeroshot_core.types import Content, Item, repaired_items

__all__ = ["check_queries", "content_of", "words_of"]


def check_queries(queries: Sequence[str | Item]) -> list[str | Item]:
    """Refuse queries that are not a list of filled texts, images and items; an image becomes an item."""
    checked = repaired_items(checks.sequence("queries", queries, of="texts or Items"))
    for number, query in enumerate(checked):
        if is_image(query):
            checked[number] = Item(id=f"query-{number}", image=query)
        elif not isinstance(query, Item):
            checks.text(f"query {number}", query, remedy="give a text or an Item")
    return checked


def content_of(query: str | Item) -> Content:
    """Give what the encoder takes."""
    return query.content if isinstance(query, Item) else query


def words_of(query: str | Item) -> str:
    """Give what is searched by words; empty for an image."""
    return query.text or "" if isinstance(query, Item) else query
