"""Items as an encoder sees them that has not learned from their targets: what a head may learn from.

A tuned encoder places the items that it was tuned on better than it will place new ones. A head that learned
from those places would trust neighbours more than they deserve. So, while it learns, each item is seen
through an encoder that was tuned without it (cross-fitting, Chernozhukov et al. 2018).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.errors import TooLittleError
from zeroshot_core.graph import concept_vectors
from zeroshot_core.regression.features import ConceptSpace
from zeroshot_core.regression.scenarios import deal_folds
from zeroshot_core.types import Item

if TYPE_CHECKING:
    from zeroshot_core.encoders import Encoder
    from zeroshot_core.types import Ints, Vectors

__all__ = ["N_VIEWS", "EncoderView", "cross_fitted_views"]

N_VIEWS = 3


@dataclass(frozen=True, kw_only=True)
class EncoderView:
    """All items and concepts as one encoder sees them.

    Parameters
    ----------
    rows
        Shape (m,), ascending: the items whose targets the encoder has not learned from.
    vectors
        Shape (n, d), of all items.
    space
        None without a graph.
    """

    rows: Ints
    vectors: Vectors
    space: ConceptSpace | None


def cross_fitted_views(
    tuned_on: Callable[[Ints], Encoder],
    base: Encoder,
    items: Sequence[Item],
    final: EncoderView,
    groups: Sequence[Hashable] | None,
    *,
    random_state: int,
    show_progress: bool,
) -> tuple[EncoderView, ...]:
    """Tune an encoder without each of three parts of the items; a view by it for each part.

    Where what is left without a part is too little to tune on, the part is seen through the encoder as it
    was, which knows no target.

    Parameters
    ----------
    tuned_on
        Tunes an encoder on the items of some rows.
    base
        The encoder before it was tuned.
    final
        By the encoder tuned on all items; the views are turned so that they lie as this one does.
    groups
        Shape (n,): what stays together in one part; None deals single items.
    """
    parts = deal_folds(groups, len(items), N_VIEWS, np.random.default_rng(random_state))
    views = []
    for part in range(int(parts.max()) + 1):
        try:
            encoder = tuned_on(np.flatnonzero(parts != part))
        except TooLittleError:
            encoder = base
        views.append(_turned_view(encoder, np.flatnonzero(parts == part), items, final, show_progress))
    return tuple(views)


def _turned_view(
    encoder: Encoder, rows: Ints, items: Sequence[Item], final: EncoderView, show_progress: bool
) -> EncoderView:
    from scipy.linalg import orthogonal_procrustes

    own = encoder.encode([item.content for item in items], show_progress=show_progress)
    # Each tuning ends in axes of its own. Turning them back leaves all cosines as they are.
    turn = orthogonal_procrustes(own, final.vectors)[0].astype(np.float32)
    space = final.space
    if space is not None:
        concepts = concept_vectors(space.graph, encoder, show_progress=show_progress) @ turn
        space = ConceptSpace(graph=space.graph, vectors=concepts, n_hops=space.n_hops)
    return EncoderView(rows=rows, vectors=own @ turn, space=space)
