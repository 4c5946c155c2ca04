"""Items that are near to any query, and how a bank of queries without answers takes them back.

In high dimensions some items, the hubs, are among the nearest of very many queries (Radovanović et al. 2010,
"Hubs in Space", JMLR 11), and more so where queries and items are of different languages or modalities.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core import checks
from zeroshot_core.encoders.modalities import content_keys
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.index.collection import SearchResult
from zeroshot_core.retrieval.queries import check_queries, content_of
from zeroshot_core.types import Item

if TYPE_CHECKING:
    from zeroshot_core.encoders import Encoder
    from zeroshot_core.index import Collection, Filter
    from zeroshot_core.types import Floats, Vectors

__all__ = ["BankScores", "QueryBank", "begin_bank_search", "hubness"]

# Nearest queries that say how much of a hub an item is, as Conneau et al. have it.
_N_NEAREST = 10
# More queries say little more of that, and each costs a product for each candidate.
_MOST_QUERIES = 1000
# Candidates beyond what is wanted, since a hub gives way to what lies behind it.
_N_MORE, _MOST_FOUND = 100, 16384


class QueryBank:
    """Queries without answers, such as those of yesterday, which show what items are near to any query.

    From an item's cosine half the mean of those to its ten nearest queries of the bank is taken: the item's
    side of cross-domain similarity local scaling [1]_, with a bank in place of the queries that are asked
    [2]_. The bank should hold what is asked: queries of the same language and kind.

    Parameters
    ----------
    vectors
        Shape (n, d), at least 10 unit rows, in the role ``query``.
    fingerprint
        Of the encoder.

    References
    ----------
    .. [1] Conneau et al., "Word Translation Without Parallel Data", ICLR 2018.
    .. [2] Bogolin et al., "Cross Modal Retrieval with Querybank Normalisation", CVPR 2022.
    """

    def __init__(self, vectors: Vectors, fingerprint: str) -> None:
        self.vectors = checks.vectors("vectors of the query bank", vectors, (None, None))
        self.fingerprint = fingerprint
        if len(self.vectors) < _N_NEAREST:
            raise InvalidInputError(
                f"expected at least {_N_NEAREST} distinct queries in a bank, got {len(self.vectors)}; "
                "give more, or leave it out"
            )

    @classmethod
    def fit(cls, encoder: Encoder, queries: Sequence[str | Item]) -> QueryBank:
        """Encode queries; of more than 1,000 distinct ones, that many at even distances are taken.

        Raises
        ------
        InvalidInputError
            If there are fewer than 10, or one is empty or of another type.
        """
        checked = check_queries(queries)
        contents = [content_of(query) for query in checked]
        distinct = list(dict(zip(content_keys(contents), contents, strict=True)).values())
        sample = distinct[:: max(1, -(-len(distinct) // _MOST_QUERIES))]
        return cls(encoder.encode(sample, role="query"), encoder.fingerprint)

    def check(self, encoder: Encoder) -> None:
        """Refuse a bank of another encoder."""
        if self.fingerprint != encoder.fingerprint:
            raise InvalidInputError(
                f"expected a query_bank of encoder {encoder.name!r} with fingerprint {encoder.fingerprint}, "
                f"got one of {self.fingerprint}; make it with QueryBank.fit"
            )


@dataclass(frozen=True)
class BankScores:
    """Scores of a version's items, less what a bank takes from them."""

    bank: QueryBank
    version: Collection

    def scaled(self, query: int, items: Sequence[Item], cosines: Floats) -> Floats:
        """Correct the cosines of items, shape (m,); all queries alike."""
        if not items:
            return cosines
        rows = self.version.item_vectors([item.id for item in items])
        return np.asarray(cosines - hubness(rows, self.bank.vectors))

    def of_result(self, found: SearchResult[Item]) -> SearchResult[Item]:
        """Correct what was found for each query; the order stays."""
        ids = list(dict.fromkeys(id_ for each in found.ids for id_ in each))
        if not ids:
            return found
        taken = hubness(self.version.item_vectors(ids), self.bank.vectors)
        by_id = dict(zip(ids, taken.tolist(), strict=True))
        pairs = zip(found.ids, found.scores, strict=True)
        return replace(found, scores=[each - np.array([by_id[id_] for id_ in own]) for own, each in pairs])


def hubness(rows: Vectors, bank: Vectors) -> Floats:
    """Half the mean cosine of each row (n, d) to its ten nearest of the bank (m, d), shape (n,)."""
    cosines = rows @ bank.T
    nearest = np.partition(cosines, -_N_NEAREST, axis=1)[:, -_N_NEAREST:]
    return np.asarray(nearest.mean(axis=1, dtype=np.float64) / 2)


def begin_bank_search(
    vectors: Vectors, top_k: int, filter: Filter | None, scores: BankScores
) -> Callable[[], SearchResult[Item]]:
    """Begin to find the `top_k` best items by corrected scores among the nearest ones and 100 more."""
    n_found = max(top_k, min(top_k + _N_MORE, _MOST_FOUND))
    begun = scores.version.begin_search(vectors, n_found, filter)
    return lambda: scores.of_result(begun()).best(top_k)
