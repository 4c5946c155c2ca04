"""What the live version says of the training texts, and the batches and losses that are made of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.training.mining import ANCHORS_PER_SEARCH, mine_far_targets, mine_hard_negatives
from zeroshot_core.training.objectives import weighted_contrast

if TYPE_CHECKING:
    from torch import Tensor

    from zeroshot_core.index import OpenVersion
    from zeroshot_core.training.examples import Examples
    from zeroshot_core.training.joint.task import JointSettings, JointTask
    from zeroshot_core.types import Ints

__all__ = [
    "Mined",
    "Neighbourhoods",
    "draw_pairs",
    "hard_batches",
    "mine",
    "mine_negatives",
    "mine_neighbourhoods",
    "neighbour_loss",
]

_N_CANDIDATES, _MOST_CANDIDATES = 100, 1000
# So many times as many near texts as count as neighbours may be alike or not.
_UNSURE = 4


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


@dataclass(frozen=True, kw_only=True)
class Mined:
    """What the live version says of the training texts.

    Parameters
    ----------
    negatives
        For each training text, label texts left out, the places of its negatives, hardest first.
    neighbourhoods
        Of the texts without a label.
    """

    negatives: Sequence[Sequence[int]]
    neighbourhoods: Neighbourhoods


def mine(version: OpenVersion, task: JointTask, settings: JointSettings) -> Mined:
    """Ask a version for negatives and unlabelled neighbours."""
    return Mined(
        negatives=mine_negatives(version, task, settings),
        neighbourhoods=mine_neighbourhoods(version, task, settings.n_neighbours),
    )


def mine_negatives(version: OpenVersion, task: JointTask, settings: JointSettings) -> list[list[int]]:
    """For each training text the places of its negatives among the training texts, hardest first."""
    rows = task.rows.tolist()
    if not settings.n_negatives:
        return [[] for _ in rows]
    ids = [task.ids[row] for row in rows]
    vectors = version.item_vectors(ids)
    if task.examples.is_labelled:
        labels = [task.labels[row] for row in rows]
        # As many texts of its own label may be nearer than the first negative.
        most = int(np.bincount(task.examples.values.astype(np.int64)).max())
        mined = mine_hard_negatives(
            version,
            vectors,
            dict(zip(ids, labels, strict=True)),
            graph=task.graph,
            among=frozenset(ids),
            n_negatives=settings.n_negatives,
            n_candidates=min(_N_CANDIDATES + most, _MOST_CANDIDATES, len(task.items)),
            margin=settings.margin,
        )
    else:
        mined = mine_far_targets(
            version,
            vectors,
            {id_: task.examples.values[row] for id_, row in zip(ids, rows, strict=True)},
            n_negatives=settings.n_negatives,
            n_candidates=min(_N_CANDIDATES, len(task.items)),
        )
    place = {id_: number for number, id_ in enumerate(ids)}
    return [[place[id_] for id_ in found] for found in mined.ids]


def mine_neighbourhoods(version: OpenVersion, task: JointTask, n_neighbours: int) -> Neighbourhoods:
    """Search the neighbourhood of each unlabelled text; their rows come after those of `task.training`.

    Two that are among each other's nearest are taken to be alike, as in [1]_; with its vectors they mostly
    are, while those somewhat farther away are neither pulled near nor pushed off.

    Parameters
    ----------
    n_neighbours
        How many nearest count; with 0 nothing is searched.

    References
    ----------
    .. [1] Zhang et al., "New Intent Discovery with Pre-training and Contrastive Learning", ACL 2022.
    """
    if not n_neighbours or not task.others:
        return Neighbourhoods()
    row_of = {task.ids[row]: place for place, row in enumerate(task.rows.tolist())}
    start = len(task.training.texts)
    row_of |= {id_: start + place for place, id_ in enumerate(task.others)}
    near = _near_rows(version, list(task.others), row_of, n_neighbours * (1 + _UNSURE))
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


def _near_rows(
    version: OpenVersion, ids: Sequence[str], row_of: Mapping[str, int], n_near: int
) -> dict[int, list[int]]:
    """By row, the rows of the nearest items of each; items without a row are passed over."""
    near = {}
    for start in range(0, len(ids), ANCHORS_PER_SEARCH):
        own = ids[start : start + ANCHORS_PER_SEARCH]
        # One more, for a text finds itself.
        found = version.search_items(version.item_vectors(own), n_near + 1).ids
        for id_, others in zip(own, found, strict=True):
            near[row_of[id_]] = [row_of[other] for other in others if other != id_ and other in row_of]
    return near


def hard_batches(
    training: Examples, negatives: Sequence[Sequence[int]], batch_size: int, rng: np.random.Generator
) -> Iterator[Ints]:
    """Cut texts into batches so that many of a text's negatives are in its own batch.

    Texts are dealt as units: two of one label side by side, or single ones with targets. A random unit comes
    first, then the units of its negatives, hardest first, as far as they have not been dealt yet, then the
    next random unit. So an epoch costs what it costs with random batches, each text is encoded once, and the
    order goes over into a random one as negatives run out (global selection of batches, [1]_, made greedy).

    Parameters
    ----------
    negatives
        For each text the places of its negatives, hardest first.

    References
    ----------
    .. [1] Sachidananda et al., "Global Selection of Contrastive Batches via Optimization on Sample
       Permutations", ICML 2023.
    """
    order = np.concatenate(_chain(_units(training, rng), negatives, len(training.texts)))
    for start in range(0, len(order), batch_size):
        # One text alone has nothing to be compared with.
        if len(order) - start > 1:
            yield order[start : start + batch_size]


def _units(training: Examples, rng: np.random.Generator) -> list[Ints]:
    """Texts in random order, two of a label in one unit where there are two left."""
    order = rng.permutation(len(training.texts))
    if not training.is_labelled:
        return np.split(order, len(order))
    of_label: dict[int, list[int]] = {}
    for row in order.tolist():
        of_label.setdefault(int(training.values[row]), []).append(row)
    units = [
        np.array(rows[start : start + 2], dtype=np.int64)
        for rows in of_label.values()
        for start in range(0, len(rows), 2)
    ]
    return [units[place] for place in rng.permutation(len(units)).tolist()]


def _chain(units: list[Ints], negatives: Sequence[Sequence[int]], n_texts: int) -> list[Ints]:
    """Put behind each unit those of its negatives, each unit once."""
    unit_of = np.empty(n_texts, dtype=np.int64)
    for place, unit in enumerate(units):
        unit_of[unit] = place
    is_dealt = np.zeros(len(units), dtype=bool)
    dealt = []
    for place, unit in enumerate(units):
        near = [int(unit_of[other]) for row in unit.tolist() for other in negatives[row]]
        for each in (place, *near) if not is_dealt[place] else ():
            if not is_dealt[each]:
                is_dealt[each] = True
                dealt.append(units[each])
    return dealt


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
    unsure = np.zeros_like(alike)
    for place, row in enumerate(rows.tolist()):
        if row in neighbourhoods.alike:
            alike[place] |= np.isin(rows, list(neighbourhoods.alike[row]))
            unsure[place] |= np.isin(rows, list(neighbourhoods.unsure[row]))
    left_out = torch.as_tensor((unsure | unsure.T) & ~alike, device=vectors.device)
    weights = torch.as_tensor(alike, device=vectors.device, dtype=vectors.dtype)
    return weighted_contrast(vectors, weights, temperature, left_out)
