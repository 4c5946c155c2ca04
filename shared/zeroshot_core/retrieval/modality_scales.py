"""One scale for the scores of texts and images, whose cosines to a query lie on scales of their own.

Encoders of both put texts to one side and images to the other (Liang et al. 2022, "Mind the Gap",
arXiv:2203.02053), so that a text would find all texts before any image.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.index.collection import SearchResult
from zeroshot_core.index.filters import AllOf
from zeroshot_core.index.schema import MODALITIES, of_modality
from zeroshot_core.types import Item

if TYPE_CHECKING:
    from zeroshot_core.index import Filter
    from zeroshot_core.index.collection import Collection
    from zeroshot_core.types import Floats, Vectors

__all__ = ["ModalityScales", "begin_scaled_search"]

# Fewer items of a modality say nothing of its scale.
_FEWEST = 3
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
    distribution, and is brought to the normal one [2]_. It counts as the cosine that stands as high among the
    items of the modality that most are of; these keep theirs, and nothing comes before the query itself.

    Parameters
    ----------
    counts, sums, squares
        Number of the items, and sum and sum of squares of their cosines, shape (q,), by modality.

    References
    ----------
    .. [1] Auckenthaler, Carey & Lloyd-Thomas, "Score Normalization for Text-Independent Speaker Verification
       Systems", Digital Signal Processing 10, 2000.
    .. [2] Wallace, "Bounds on Normal Approximations to Student's and the Chi-Square Distributions", Annals of
       Mathematical Statistics 30, 1959.
    """

    counts: Mapping[str, int]
    sums: Mapping[str, Floats]
    squares: Mapping[str, Floats]

    @classmethod
    def of(cls, samples: Mapping[str, Vectors], vectors: Vectors) -> ModalityScales | None:
        """Compare queries, shape (q, d), with vectors of items by modality; None with less than two of these.

        Modalities of fewer than three items keep their cosines.
        """
        cosines = {
            kind: (vectors @ rows.T).astype(np.float64)
            for kind, rows in samples.items()
            if len(rows) >= _FEWEST
        }
        if len(cosines) < 2:
            return None
        return cls(
            counts={kind: each.shape[1] for kind, each in cosines.items()},
            sums={kind: each.sum(axis=1) for kind, each in cosines.items()},
            squares={kind: (each**2).sum(axis=1) for kind, each in cosines.items()},
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

    def _spread(self, kind: str, query: int) -> tuple[float, float]:
        """Mean of the cosines, and the sum of the squares of what each differs by."""
        mean = self.sums[kind][query] / self.counts[kind]
        return mean, max(0.0, self.squares[kind][query] - self.counts[kind] * mean**2)

    def _standing(self, kind: str, query: int, cosines: Floats) -> Floats:
        """Bring cosines to normal scores, each against those of the other items: rising with the cosine."""
        n, (mean, squares) = self.counts[kind], self._spread(kind, query)
        own = (cosines - mean) ** 2 * n / (n - 1)
        others = np.maximum(0.0, squares - own) / (n - 2) + _LEAST_SPREAD**2
        freedom = n - 2
        size = _corrected(freedom) * np.sqrt(freedom * np.log1p(own / others / freedom))
        return np.asarray(np.copysign(size, cosines - mean))

    def _cosines_at(self, kind: str, query: int, standings: Floats) -> Floats:
        """Find the cosines that have these normal scores."""
        n, (mean, squares) = self.counts[kind], self._spread(kind, query)
        freedom = n - 2
        powers = (standings / _corrected(freedom)) ** 2 / freedom
        t_squared = freedom * np.expm1(np.minimum(powers, _LARGEST_POWER))
        own = t_squared / (freedom + t_squared) * (squares + freedom * _LEAST_SPREAD**2)
        return np.asarray(mean + np.copysign(np.sqrt(own * (n - 1) / n), standings))


def _corrected(freedom: int) -> float:
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
            scores = scales.scaled(query, items, cosines)
            best = sorted(range(len(items)), key=lambda at: (-scores[at], items[at].id))[:top_k]
            merged.ids.append([items[at].id for at in best])
            merged.scores.append(scores[best])
            merged.records.append([items[at] for at in best])
        return merged

    return answer
