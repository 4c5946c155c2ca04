"""Pseudo-labels: the surest guesses for texts without labels, as many of each, as examples for tuning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.classification.label_vectors import linked
from zeroshot_core.classification.transduction import assign_labels, expected_accuracy, neighbour_graph

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zeroshot_core.encoders import Encoder
    from zeroshot_core.estimators.indexing import ModelIndex
    from zeroshot_core.graph import KnowledgeGraph
    from zeroshot_core.types import Floats, Item, Vectors

__all__ = ["PseudoLabelledItems", "pseudo_labelled_items"]

# Of each label's fair share of the texts; and texts in all, since tuning reads each of them many times.
_SHARE = 0.5
_MOST_TEXTS = 2000


@dataclass(frozen=True, kw_only=True)
class PseudoLabelledItems:
    """Items whose pseudo-labels are the surest.

    Parameters
    ----------
    items, labels
        At most half of each label's fair share, and 2,000 in all; items are linked to their labels.
    accuracy
        To be expected of the pseudo-labels of all texts. An encoder tuned on them would agree with itself.
    """

    items: list[Item]
    labels: list[str]
    accuracy: float


def pseudo_labelled_items(
    items: Sequence[Item],
    labels: Vectors,
    names: Sequence[str],
    encoder: Encoder,
    graph: KnowledgeGraph,
    model_index: ModelIndex,
    random_state: int,
) -> PseudoLabelledItems:
    """Guess the labels of items as `assign_labels` does, and keep the surest of each label.

    Parameters
    ----------
    items
        Without labels; they are indexed for as long as this takes.
    labels, names
        Vectors (c, d) and ids of the labels.
    """
    version = model_index.build(items, encoder, graph, show_progress=False)
    ids = [item.id for item in items]
    vectors = version.item_vectors(ids)
    links = neighbour_graph(version, ids, vectors)
    if not version.info.is_live:
        model_index.index.drop(version.info.id)
    shares = assign_labels(labels, vectors, links)
    n_each = max(2, int(min(_SHARE * len(items), _MOST_TEXTS) / len(names)))
    rows, codes = _surest(shares, n_each)
    return PseudoLabelledItems(
        items=[linked(items[row], names[code]) for row, code in zip(rows, codes, strict=True)],
        labels=[names[code] for code in codes],
        accuracy=expected_accuracy(
            labels, vectors, links, np.full(len(items), -1), random_state=random_state
        ),
    )


def _surest(shares: Floats, n_each: int) -> tuple[list[int], list[int]]:
    """Rows of the surest texts of each label, by shares (n, c), and the numbers of their labels."""
    best, sure = shares.argmax(axis=1), shares.max(axis=1)
    rows, codes = [], []
    for code in range(shares.shape[1]):
        own = np.flatnonzero(best == code)
        kept = own[np.argsort(-sure[own], kind="stable")][:n_each].tolist()
        rows += kept
        codes += [code] * len(kept)
    return rows, codes
