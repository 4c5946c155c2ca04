"""One scale for the scores of texts and images, whose cosines to a query lie on scales of their own.

Encoders of both put texts to one side and images to the other (Liang et al. 2022, "Mind the Gap",
arXiv:2203.02053), so that a text would find all texts before any image.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.index.collection import SearchResult
from zeroshot_core.index.filters import AllOf
from zeroshot_core.index.schema import MODALITIES, of_modality
from zeroshot_core.types import Item

if TYPE_CHECKING:
    import numpy.typing as npt

    from zeroshot_core.index import Filter
    from zeroshot_core.index.collection import Collection
    from zeroshot_core.types import Floats, Vectors

__all__ = ["ModalityScales", "begin_scaled_search"]

# Fewer items of a modality say nothing of its scale.
_FEWEST = 3
# More items show themselves how far they spread.
_FEW = 20
_NO_SPREAD, _MOST_EXPECTED = 1e-12, 1e4
# What cosines spread beyond what is seen, so that those of equal items have a scale too.
_LEAST_SPREAD = 0.01
_LARGEST_POWER = 700.0
# From here on a cosine is that of the query itself.
_SAME = 0.9999


@dataclass(frozen=True, kw_only=True)
class ModalityScales:
    """Where the cosines of items to each of q queries lie, by modality, as some items of the index show it.

    A cosine is standardised by those of the other items of its modality, the item itself left out, as in the
    test normalisation of speaker verification [1]_. Where they are few the quotient has Student's
    distribution, and is brought to the normal one [2]_; and of at most 20, what they spread is taken in part
    from other queries, for which items of the index stand in (a moderated t [3]_). It counts as the cosine
    that stands as high among the items of the modality that most are of; these keep theirs, and nothing
    comes before the query itself.

    Parameters
    ----------
    counts, sums, squares
        Number of the items, and sum and sum of squares of their cosines, shape (q,), by modality.
    expected
        Of modalities of few items, the degrees of freedom that what is expected of them counts as, and the
        variance that is expected, shape (2, q).

    References
    ----------
    .. [1] Auckenthaler, Carey & Lloyd-Thomas, "Score Normalization for Text-Independent Speaker Verification
       Systems", Digital Signal Processing 10, 2000.
    .. [2] Wallace, "Bounds on Normal Approximations to Student's and the Chi-Square Distributions", Annals of
       Mathematical Statistics 30, 1959.
    .. [3] Smyth, "Linear Models and Empirical Bayes Methods for Assessing Differential Expression",
       Statistical Applications in Genetics and Molecular Biology 3, 2004.
    """

    counts: Mapping[str, int]
    sums: Mapping[str, Floats]
    squares: Mapping[str, Floats]
    expected: Mapping[str, Floats] = field(default_factory=dict)

    @classmethod
    def of(cls, samples: Mapping[str, Vectors], vectors: npt.ArrayLike) -> ModalityScales | None:
        """Compare queries, shape (q, d), with vectors of items by modality; None with less than two of these.

        Modalities of fewer than three items keep their cosines.
        """
        known = {kind: rows for kind, rows in samples.items() if len(rows) >= _FEWEST}
        if len(known) < 2:
            return None
        queries = np.asarray(vectors, dtype=np.float32)
        cosines = {kind: (queries @ rows.T).astype(np.float64) for kind, rows in known.items()}
        # A query is most like items of its own modality.
        asking = np.argmax([each.mean(axis=1) for each in cosines.values()], axis=0)
        return cls(
            counts={kind: each.shape[1] for kind, each in cosines.items()},
            sums={kind: each.sum(axis=1) for kind, each in cosines.items()},
            squares={kind: (each**2).sum(axis=1) for kind, each in cosines.items()},
            expected={
                kind: _expected_spreads([*known.values()], rows)[:, asking]
                for kind, rows in known.items()
                if len(rows) <= _FEW
            },
        )

    def scaled(self, query: int, items: Sequence[Item], cosines: Floats) -> Floats:
        """Put the cosines of items to one query, shape (m,), on one scale."""
        return self.scaled_by_kind(query, [item.modality for item in items], cosines)

    def scaled_by_kind(self, query: int, modalities: Sequence[str], cosines: Floats) -> Floats:
        """Put cosines to one query, shape (m,), on one scale, by the modality of what each is of."""
        kinds = np.array(modalities, dtype=object)
        scaled = np.array(cosines, dtype=np.float64)
        reference = max(self.counts, key=lambda kind: (self.counts[kind], self._spread(kind, query)[1]))
        for kind in self.counts.keys() - {reference}:
            own = kinds == kind
            scaled[own] = self._cosines_at(reference, query, self._standing(kind, query, scaled[own]))
        return np.where(cosines >= _SAME, np.maximum(scaled, cosines), np.minimum(scaled, _SAME))

    def of_result(self, found: SearchResult[Item]) -> SearchResult[Item]:
        """Put what was found for each query on one scale; the order stays."""
        pairs = enumerate(zip(found.records, found.scores, strict=True))
        return replace(found, scores=[self.scaled(query, items, each) for query, (items, each) in pairs])

    def _spread(self, kind: str, query: int) -> tuple[float, float, float]:
        """Mean of cosines, sum of the squares of what each differs by, and degrees of freedom without one.

        Of few items the last two hold what is expected of them too.
        """
        mean = self.sums[kind][query] / self.counts[kind]
        squares = max(0.0, self.squares[kind][query] - self.counts[kind] * mean**2)
        freedom, expected = self.counts[kind] - 2, self.expected.get(kind)
        if expected is None:
            return mean, squares, freedom
        more, variance = expected[:, query].tolist()
        return mean, squares + more * variance, freedom + more

    def _standing(self, kind: str, query: int, cosines: Floats) -> Floats:
        """Bring cosines to normal scores, each against those of the other items: rising with the cosine."""
        n, (mean, squares, freedom) = self.counts[kind], self._spread(kind, query)
        own = (cosines - mean) ** 2 * n / (n - 1)
        others = np.maximum(0.0, squares - own) / freedom + _LEAST_SPREAD**2
        size = _corrected(freedom) * np.sqrt(freedom * np.log1p(own / others / freedom))
        return np.asarray(np.copysign(size, cosines - mean))

    def _cosines_at(self, kind: str, query: int, standings: Floats) -> Floats:
        """Find the cosines that have these normal scores."""
        n, (mean, squares, freedom) = self.counts[kind], self._spread(kind, query)
        powers = (standings / _corrected(freedom)) ** 2 / freedom
        t_squared = freedom * np.expm1(np.minimum(powers, _LARGEST_POWER))
        own = t_squared / (freedom + t_squared) * (squares + freedom * _LEAST_SPREAD**2)
        return np.asarray(mean + np.copysign(np.sqrt(own * (n - 1) / n), standings))


def _expected_spreads(asking: Sequence[Vectors], rows: Vectors) -> Floats:
    """Find what cosines of queries of each modality to items, (n, d), spread as a rule: shape (2, kinds).

    The second row is their variance, the first says as how many degrees of freedom it counts, by how alike
    the variances of the queries are (Smyth 2004).
    """
    from scipy.special import digamma, polygamma

    spreads = []
    for queries in asking:
        cosines = queries[:_FEW].astype(np.float64) @ rows.T
        if queries is rows:  # no item is among its own neighbours
            cosines = cosines[~np.eye(len(rows), dtype=bool)].reshape(len(rows), -1)
        half = (cosines.shape[1] - 1) / 2
        logs = np.log(cosines.var(axis=1, ddof=1) + _NO_SPREAD) - digamma(half) + np.log(half)
        more = 2 * _inverse_trigamma(logs.var(ddof=1) - polygamma(1, half))
        spreads.append((more, np.exp(logs.mean() + digamma(more / 2) - np.log(more / 2))))
    told: Floats = np.array(spreads, dtype=np.float64).T
    return told


def _inverse_trigamma(value: float) -> float:
    """Find x of trigamma(x) = value by Newton's method; a large one where the value is next to nothing."""
    from scipy.special import polygamma

    if value <= 1 / _MOST_EXPECTED:
        return _MOST_EXPECTED
    x = 0.5 + 1 / value
    for _ in range(8):
        there = polygamma(1, x)
        x += there * (1 - there / value) / polygamma(2, x)
    return float(x)


def _corrected(freedom: float) -> float:
    """Factor of Wallace's approximation."""
    return (8 * freedom + 1) / (8 * freedom + 3)


def begin_scaled_search(
    version: Collection, vectors: Vectors, top_k: int, filter: Filter | None, scales: ModalityScales
) -> Callable[[], SearchResult[Item]]:
    """Begin to find the `top_k` best items on one scale: the nearest of each modality, merged."""
    each = [
        of_modality(kind) if filter is None else AllOf((of_modality(kind), filter)) for kind in MODALITIES
    ]
    begun = [version.begin_search(vectors, top_k, wanted) for wanted in each]

    def answer() -> SearchResult[Item]:
        found = [finish() for finish in begun]
        merged = SearchResult[Item](ids=[], scores=[], records=[])
        for query in range(len(vectors)):
            items = [item for part in found for item in part.records[query]]
            cosines = np.concatenate([part.scores[query] for part in found])
            merged.ids.append([item.id for item in items])
            merged.scores.append(scales.scaled(query, items, cosines))
            merged.records.append(items)
        return merged.best(top_k)

    return answer
