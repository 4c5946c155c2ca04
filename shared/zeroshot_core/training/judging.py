"""Whether what was trained serves held-out texts better than the base, and why not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.training.probing import part_scores, probe, spread

if TYPE_CHECKING:
    import numpy.typing as npt

    from zeroshot_core.training.examples import Examples
    from zeroshot_core.types import Vectors

__all__ = ["Judge"]

_MOST_PROBED = 5_000
# Vectors have collapsed if their spread falls below this share of the base's.
_COLLAPSED = 0.1


class Judge:
    """Compares vectors of the examples, or of a sample of them where they are many.

    Parameters
    ----------
    held_out
        Of the examples and label texts, shape (n,).
    """

    def __init__(self, examples: Examples, held_out: npt.NDArray[np.bool_], random_state: int) -> None:
        rng = np.random.default_rng(random_state)
        chosen = rng.permutation(examples.n_examples)[:_MOST_PROBED]
        self.rows = np.r_[np.sort(chosen), np.arange(examples.n_examples, len(examples.texts))]
        self._examples = replace(examples.take(self.rows), n_label_texts=examples.n_label_texts)
        self._held_out = held_out[self.rows]

    def score(self, vectors: Vectors) -> float:
        """How well they order the held-out texts; see `probe`."""
        return probe(vectors, self._examples, self._held_out)

    def unseen(self, base: Vectors, after: Vectors) -> tuple[float, float] | None:
        """Scores of the labels held out as a whole, before and after; None without any."""
        before, now = (part_scores(each, self._examples, self._held_out)[1] for each in (base, after))
        return None if before is None or now is None else (before, now)

    def collapse(self, base: Vectors, after: Vectors) -> str:
        """Why vectors are of no use, or nothing."""
        if spread(after) < _COLLAPSED * spread(base):
            return (
                "base kept: vectors collapsed, their spread fell "
                f"from {spread(base):.3g} to {spread(after):.3g}"
            )
        return ""

    def verdict(self, base: Vectors, after: Vectors) -> str:
        """Why the base is kept, or nothing."""
        before, now = self.score(base), self.score(after)
        if not now > before:
            return f"base kept: held-out texts do not gain, {before:.3f} before and {now:.3f} after"
        return self.collapse(base, after)
