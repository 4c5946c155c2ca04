"""What a regressor is given, checked before anything is learned."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any

from zeroshot_core import checks
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph import check_spread
from zeroshot_core.retrieval.scoring import check_graph_weight

if TYPE_CHECKING:
    from zeroshot_core.graph import KnowledgeGraph
    from zeroshot_core.types import Item

__all__ = ["check_learning", "check_probability"]

_FEWEST_ITEMS = 5
# Milvus gives 16,384 hits at most, and the item itself may be one.
_MOST_NEIGHBOURS = 16_383


def check_learning(
    items: Sequence[Item],
    groups: Sequence[Hashable] | None,
    *,
    graph: KnowledgeGraph | None,
    top_k: Any,
    n_hops: Any,
    graph_weight: Any,
) -> None:
    """Refuse items, groups and parameters that nothing can be learned from.

    Raises
    ------
    InvalidInputError
        If a parameter is out of range, items are too few, groups do not fit them, or they are linked to
        concepts without a graph.
    UnknownConceptError
        If an item names a concept that the graph does not hold.
    """
    checks.whole("top_k", top_k, least=1, most=_MOST_NEIGHBOURS)
    check_spread(n_hops, decay=1.0)
    check_graph_weight(graph_weight)
    if len(items) < _FEWEST_ITEMS:
        raise InvalidInputError(f"expected at least {_FEWEST_ITEMS} items to learn from, got {len(items)}")
    if groups is not None:
        _check_groups(groups, len(items))
    if graph is not None:
        graph.require(concept for item in items for concept in item.concepts)
        return
    linked = [item.id for item in items if item.concepts]
    if linked:
        raise InvalidInputError(
            f"expected a graph for items that are linked to concepts ({linked[0]!r} is), got graph=None"
        )


def check_probability(value: Any, name: str) -> None:
    """Refuse what is not a number between 0 and 1.

    Raises
    ------
    InvalidInputError
        See above.
    """
    if isinstance(value, bool) or not isinstance(value, Real) or not 0.0 < float(value) < 1.0:
        raise InvalidInputError(f"expected {name} between 0 and 1, both excluded, got {value!r}")


def _check_groups(groups: Sequence[Hashable], n_items: int) -> None:
    if len(groups) != n_items:
        raise InvalidInputError(f"expected {n_items} groups, one for each item, got {len(groups)}")
    if len(set(groups)) < 2:
        raise InvalidInputError(
            f"expected groups of at least 2 kinds, got only {next(iter(groups))!r}; leave groups out"
        )
