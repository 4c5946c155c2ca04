"""Searches for those who serve a model: how many known items are wanted, which, and how near."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zeroshot_core.checks import real, whole
from zeroshot_core.types import Hit, Item

if TYPE_CHECKING:
    from zeroshot_core.index import Filter
    from zeroshot_core.retrieval import Retriever
    from zeroshot_core.types import Vectors

__all__ = ["SearchSettings", "search"]


@dataclass(frozen=True, kw_only=True)
class SearchSettings:
    """What is looked for.

    Parameters
    ----------
    k
        Number of known items.
    graph_weight
        0 is pure vector search, 1 pure graph; None is the model's own.
    lexical_weight
        0 leaves words out, 1 counts them in place of vectors; None is the model's own.
    filter
        Which items may be found.
    score_threshold
        Least score, from -1 to 1; of the `k` best, those below it are left out.

    Raises
    ------
    InvalidInputError
        If a number is out of range.
    """

    k: int
    graph_weight: float | None = None
    lexical_weight: float | None = None
    filter: Filter | None = None
    score_threshold: float | None = None

    def __post_init__(self) -> None:
        whole("k", self.k, least=1)
        if self.graph_weight is not None:
            real("graph_weight", self.graph_weight, least=0, most=1)
        if self.lexical_weight is not None:
            real("lexical_weight", self.lexical_weight, least=0, most=1)
        if self.score_threshold is not None:
            real("score_threshold", self.score_threshold, least=-1, most=1)


def search(
    retriever: Retriever,
    queries: Sequence[str | Item],
    settings: SearchSettings,
    *,
    vectors: Vectors | None = None,
) -> list[list[Hit]]:
    """Find known items for all queries by one call of the retriever, best first; see `Retriever.retrieve`."""
    rows = retriever.retrieve(
        queries,
        top_k=settings.k,
        graph_weight=settings.graph_weight,
        lexical_weight=settings.lexical_weight,
        filter=settings.filter,
        vectors=vectors,
    )
    least = settings.score_threshold
    return rows if least is None else [[hit for hit in row if hit.score >= least] for row in rows]
