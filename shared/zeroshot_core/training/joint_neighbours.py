"""What rounds learn from items without a label: mutual neighbours in the live index are alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

    from zeroshot_core.index import OpenVersion
    from zeroshot_core.types import Ints

__all__ = ["Neighbourhoods", "draw_pairs", "mine_neighbours", "neighbour_loss"]

# So many times as many near texts as count as neighbours may be alike or not.
_UNSURE = 4
_ANCHORS_PER_SEARCH = 4096


@dataclass(frozen=True, kw_only=True)
class Neighbourhoods:
    """Texts near each unlabelled one, as rows of a table of texts.

    Parameters
    ----------
    alike
        By row: the unlabelled texts that are among its nearest as it is among theirs.
    unsure
        By row: near texts, labelled or not, that may be alike or not.
    """

    alike: Mapping[int, frozenset[int]] = field(default_factory=dict)
    unsure: Mapping[int, frozenset[int]] = field(default_factory=dict)

    @property
    def n_pairs(self) -> int:
        """Number of pairs that are alike, each counted from both sides."""
        return sum(map(len, self.alike.values()))


def mine_neighbours(
    version: OpenVersion, ids: Sequence[str], row_of: Mapping[str, int], *, n_neighbours: int
) -> Neighbourhoods:
    """Search each unlabelled text's neighbourhood in the index.

    Two that are among each other's nearest are taken to be alike, as in [1]_; with its vectors they mostly
    are, while those somewhat farther away are neither pulled near nor pushed off.

    Parameters
    ----------
    ids
        Of the unlabelled items.
    row_of
        Row of each text in the table by the id of its item; items without one are passed over.
    n_neighbours
        How many nearest count, at least 1.

    References
    ----------
    .. [1] Zhang et al., "New Intent Discovery with Pre-training and Contrastive Learning", ACL 2022.
    """
    n_near = n_neighbours * (1 + _UNSURE)
    near: dict[int, list[int]] = {}
    for start in range(0, len(ids), _ANCHORS_PER_SEARCH):
        own = ids[start : start + _ANCHORS_PER_SEARCH]
        # One more, for a text finds itself.
        found = version.search_items(version.item_vectors(own), n_near + 1).ids
        for id_, others in zip(own, found, strict=True):
            near[row_of[id_]] = [row_of[other] for other in others if other != id_ and other in row_of]
    nearest = {row: frozenset(rows[:n_neighbours]) for row, rows in near.items()}
    alike = {
        row: frozenset(other for other in rows if row in nearest.get(other, ()))
        for row, rows in nearest.items()
    }
    unsure = {row: set(rows) for row, rows in near.items()}
    for row, rows in near.items():
        for other in rows:
            if other in unsure:
                unsure[other].add(row)
    return Neighbourhoods(
        alike=alike, unsure={row: frozenset(rows) - alike[row] for row, rows in unsure.items()}
    )


def draw_pairs(neighbourhoods: Neighbourhoods, n: int, rng: np.random.Generator) -> Ints:
    """Draw at most `n` distinct rows at random, each beside one that is alike; shape (m,)."""
    drawn: dict[int, None] = {}
    rows = [row for row, others in neighbourhoods.alike.items() if others]
    for place in rng.permutation(len(rows)).tolist():
        if len(drawn) >= n:
            break
        if rows[place] not in drawn:
            others = sorted(neighbourhoods.alike[rows[place]])
            drawn |= {rows[place]: None, others[int(rng.integers(len(others)))]: None}
    return np.array(list(drawn)[:n], dtype=np.int64)


def neighbour_loss(
    vectors: Tensor, rows: Ints, codes: Ints, neighbourhoods: Neighbourhoods, temperature: float
) -> Tensor:
    """Contrast as `supervised_contrastive_loss` does, where texts that are alike share a label too.

    Parameters
    ----------
    vectors
        Shape (n, d), unit rows, of these rows of the table.
    codes
        Number of the label of each, shape (n,); -1 without one.
    """
    import torch

    alike = (codes[:, None] == codes[None, :]) & (codes >= 0)[:, None]
    left_out = np.eye(len(rows), dtype=bool)
    for place, row in enumerate(rows.tolist()):
        if row in neighbourhoods.alike:
            alike[place] |= np.isin(rows, list(neighbourhoods.alike[row]))
            left_out[place] |= np.isin(rows, list(neighbourhoods.unsure[row]))
    alike &= ~np.eye(len(rows), dtype=bool)
    masked = torch.as_tensor((left_out | left_out.T) & ~alike, device=vectors.device)
    weights = torch.as_tensor(alike, device=vectors.device, dtype=vectors.dtype)
    totals = weights.sum(dim=1)
    kept = totals > 0
    if not kept.any():
        return vectors.sum() * 0.0
    similarities = (vectors @ vectors.T / temperature).masked_fill(masked, float("-inf"))
    logs = similarities.log_softmax(dim=1).masked_fill(masked, 0.0)
    return -((weights * logs).sum(dim=1)[kept] / totals[kept]).mean()
