"""Items as an encoder sees them that has not learned from their targets: what a head may learn from.

A tuned encoder places the items that it was tuned on better than it will place new ones. A head that learned
from those places would trust neighbours more than they deserve. So, while it learns, each item is seen
through an encoder that was tuned without it (cross-fitting, Chernozhukov et al. 2018).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core.encoders import TransformerEncoder
from zeroshot_core.errors import TooLittleError
from zeroshot_core.estimators.encoder_tuning import Tuning, tuned_encoder
from zeroshot_core.graph import concept_vectors
from zeroshot_core.regression.features import ConceptSpace
from zeroshot_core.regression.schemes import deal_folds
from zeroshot_core.types import Item

if TYPE_CHECKING:
    from zeroshot_core.encoders import Encoder
    from zeroshot_core.estimators.indexing import ModelIndex
    from zeroshot_core.types import Floats, Ints, Vectors

__all__ = ["View", "share", "tuned_views"]

_N_PARTS = 3


@dataclass(frozen=True, kw_only=True)
class View:
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


def share(budget_s: float | None) -> float | None:
    """Seconds for the tuning on all items, and for that of each view."""
    return None if budget_s is None else budget_s / (1 + _N_PARTS)


def tuned_views(
    encoder: Encoder,
    tuning: Tuning,
    items: Sequence[Item],
    targets: Floats,
    vectors: Vectors,
    space: ConceptSpace | None,
    *,
    groups: Sequence[Hashable] | None,
    model_index: ModelIndex,
) -> tuple[View, ...]:
    """Tune the encoder once for each of three parts of the items, on the others; a view for each part.

    Joint rounds would need an index for each part: plain tuning stands in for them. Where what is left
    without a part is too little to tune on, the part is seen through the encoder as it was, which knows no
    target.

    Parameters
    ----------
    encoder
        As it was before it was tuned.
    targets
        Shape (n, horizon), transformed.
    vectors, space
        Of the encoder tuned on all items; the views are turned so that they lie as these do.
    groups
        Shape (n,): what stays together in one part; None deals single items.
    """
    if tuning.method == "joint":
        tuning = replace(tuning, method="full" if isinstance(encoder, TransformerEncoder) else "head")
    parts = deal_folds(groups, len(items), _N_PARTS, np.random.default_rng(tuning.random_state))
    views = []
    for part in range(int(parts.max()) + 1):
        seen = np.flatnonzero(parts != part).tolist()
        other = _tuned_on(
            encoder,
            tuning,
            [items[row] for row in seen],
            targets[seen],
            groups=None if groups is None else [groups[row] for row in seen],
            model_index=model_index,
        )
        rows = np.flatnonzero(parts == part)
        views.append(_view(other, rows, items, vectors, space, tuning.show_progress))
    return tuple(views)


def _tuned_on(
    encoder: Encoder,
    tuning: Tuning,
    items: Sequence[Item],
    targets: Floats,
    *,
    groups: Sequence[Hashable] | None,
    model_index: ModelIndex,
) -> Encoder:
    try:
        return tuned_encoder(
            encoder, tuning, items, targets, graph=None, model_index=model_index, groups=groups
        )[0]
    except TooLittleError:
        return encoder


def _view(
    encoder: Encoder,
    rows: Ints,
    items: Sequence[Item],
    vectors: Vectors,
    space: ConceptSpace | None,
    show_progress: bool,
) -> View:
    from scipy.linalg import orthogonal_procrustes

    contents: Any = [item.content for item in items]
    own = encoder.encode(contents, show_progress=show_progress)
    # Each tuning ends in axes of its own. Turning them back leaves all cosines as they are.
    turn = orthogonal_procrustes(own, vectors)[0].astype(np.float32)
    if space is None:
        return View(rows=rows, vectors=own @ turn, space=None)
    concepts = concept_vectors(space.graph, encoder, show_progress=show_progress) @ turn
    return View(
        rows=rows,
        vectors=own @ turn,
        space=ConceptSpace(graph=space.graph, vectors=concepts, n_hops=space.n_hops),
    )
