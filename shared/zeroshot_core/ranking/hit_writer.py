"""Ranked candidates as hits that say what each finding contributed, and how it leads to the candidate."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.graph.hierarchy import information_content, way_up
from zeroshot_core.types import Hit, Relation

if TYPE_CHECKING:
    from zeroshot_core.ranking.annotations import Annotations
    from zeroshot_core.ranking.findings import Case
    from zeroshot_core.types import Floats, Ints

__all__ = ["HitWriter"]


class HitWriter:
    """Writes hits for the candidates of some annotations."""

    def __init__(self, annotations: Annotations) -> None:
        self._annotations = annotations
        self._content = information_content(annotations.hierarchy, annotations.frequencies)

    def hits(
        self,
        case: Case,
        logs: Floats,
        denied: Floats,
        ranked: Ints,
        top_k: int,
        *,
        with_paths: bool = True,
    ) -> list[Hit]:
        """Make hits of the best candidates, best first, ties in the order of their ids.

        Parameters
        ----------
        logs, denied
            Shapes (f, m), (e, m): what each finding, and each excluded one, says for each candidate.
        ranked
            Rows of the candidates that count.
        """
        totals = (logs.sum(axis=0) + denied.sum(axis=0))[ranked]
        shares = np.exp(totals - totals.max())
        shares /= shares.sum()
        kept = _best(totals, top_k)
        names = [*case.present, *(f"not {text}" for text in case.excluded)]
        said = np.vstack([logs, denied])[:, ranked[kept]]
        return [
            Hit(
                id=self._annotations.ids[row],
                kind="item",
                score=float(totals[place]),
                text=self._annotations.names[row],
                parts=dict(zip(names, said[:, rank].tolist(), strict=True)),
                path=self._path(case, int(said[: len(case.present), rank].argmax()), row)
                if with_paths
                else (),
                metadata={"probability": float(shares[place])},
            )
            for rank, (place, row) in enumerate(zip(kept.tolist(), ranked[kept].tolist(), strict=True))
        ]

    def _path(self, case: Case, finding: int, candidate: int) -> tuple[Relation, ...]:
        """From a finding up to what it has in common with one that the candidate shows, and down to that."""
        meant = case.meant[finding]
        asked = int(meant.indices[meant.data.argmax()])
        shown, frequencies = self._annotations.shown_by(candidate)
        common, nearest = self._common(asked, shown)
        ids, hierarchy = self._annotations.findings.concept_ids, self._annotations.hierarchy
        up, down = way_up(hierarchy, asked, common), way_up(hierarchy, int(shown[nearest]), common)
        return (
            Relation(head=case.id, type="finding", tail=ids[asked], weight=float(meant.data.max())),
            *self._steps(up),
            *reversed(self._steps(down)),
            Relation(
                head=self._annotations.ids[candidate],
                type=self._annotations.types.relation,
                tail=ids[int(shown[nearest])],
                weight=float(frequencies[nearest]),
            ),
        )

    def _common(self, asked: int, shown: Ints) -> tuple[int, int]:
        """Most specific concept above both the finding and one that is shown, and the place of that one.

        Where nothing is above both, it is the one that is shown.
        """
        closure = self._annotations.hierarchy.closure
        above = np.zeros(closure.shape[1])
        own = closure.indices[closure.indptr[asked] : closure.indptr[asked + 1]]
        # The finding itself before a wider one of the same content.
        above[own] = self._content[own] + 1.0
        above[asked] += 1e-6
        rows = closure[shown]
        values = above[rows.indices]
        best = int(values.argmax())
        place = int(np.searchsorted(rows.indptr, best, side="right") - 1)
        return int(rows.indices[best] if values[best] > 0 else shown[place]), place

    def _steps(self, way: Sequence[int]) -> list[Relation]:
        ids, type_ = self._annotations.findings.concept_ids, self._annotations.types.hierarchy or ""
        return [Relation(head=ids[head], type=type_, tail=ids[tail]) for head, tail in pairwise(way)]


def _best(totals: Floats, top_k: int) -> Ints:
    """Places of the largest totals, best first, the first of equal ones first."""
    if top_k < len(totals):
        least = np.partition(totals, len(totals) - top_k)[len(totals) - top_k]
        places = np.flatnonzero(totals >= least)
    else:
        places = np.arange(len(totals))
    return places[np.argsort(-totals[places], kind="stable")][:top_k]
