"""What speaks for a label: its own vector, its nearest example, their mean, and what examples teach."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.prediction.stacking import Stacking, fit_stacking, hold_out_labels

if TYPE_CHECKING:
    import numpy.typing as npt

    from zeroshot_core.types import Floats, Ints, Vectors

__all__ = ["fit_label_stacking", "label_evidence"]

_N_KINDS = 4
_INVERSE_REGULARISATION = 10.0
_TOLERANCE, _MOST_STEPS = 1e-3, 100
_QUERIES_PER_BLOCK = 256
# Held-out texts of a fold that are asked; more teach a few weights nothing.
_MOST_ASKED = 1000


def label_evidence(vectors: Vectors, labels: Vectors, examples: Vectors, codes: Ints) -> Floats:
    """Compare vectors (q, d) with c labels, shape (q, c, 4).

    The kinds are the cosine to the label's vector, to its nearest example and to the mean of its examples,
    and the score of a logistic regression on the examples; the last three are 0 for a label without examples.

    Parameters
    ----------
    labels
        Shape (c, d), unit rows.
    examples, codes
        Shapes (n, d), unit rows, and (n,): rows of their labels in `labels`.
    """
    found = np.zeros((len(vectors), len(labels), _N_KINDS))
    found[:, :, 0] = vectors @ labels.T
    if len(codes):
        order = np.argsort(codes, kind="stable")
        seen, starts = np.unique(codes[order], return_index=True)
        for block in _blocks(len(vectors)):
            near = np.maximum.reduceat(vectors[block] @ examples[order].T, starts, axis=1)
            found[block, seen, 1] = near
        sums = np.add.reduceat(examples[order], starts, axis=0)
        found[:, seen, 2] = vectors @ (sums / np.linalg.norm(sums, axis=1, keepdims=True)).T
        found[:, seen, 3] = _log_odds(vectors, examples, codes)
    return found


def fit_label_stacking(labels: Vectors, examples: Vectors, codes: Ints, *, random_state: int) -> Stacking:
    """Learn to weigh the evidence from examples, of which labels are held out in turn.

    Parameters
    ----------
    labels
        Shape (c, d), unit rows; those without examples stand among the choices of every held-out text.
    examples, codes
        Shapes (n, d) and (n,).

    Raises
    ------
    InvalidInputError
        If fewer than two labels have two examples.
    """
    if (np.bincount(codes) > 1).sum() < 2:
        raise InvalidInputError(
            f"expected at least 2 labels with 2 examples to learn stacking from, got {len(codes)} examples; "
            "give more"
        )
    rng = np.random.default_rng(random_state)
    evidence, asked, seen = [], [], []
    for training, held in hold_out_labels(codes, random_state=random_state):
        held_rows = rng.permutation(np.flatnonzero(held))[:_MOST_ASKED]
        known: npt.NDArray[np.bool_] = np.isin(np.arange(len(labels)), codes[training])
        evidence.append(label_evidence(examples[held_rows], labels, examples[training], codes[training]))
        asked.append(codes[held_rows])
        seen.append(np.broadcast_to(known, (len(held_rows), len(labels))))
    return fit_stacking(np.concatenate(evidence), np.concatenate(asked), np.concatenate(seen))


def _log_odds(vectors: Vectors, examples: Vectors, codes: Ints) -> Floats:
    """Scores of a logistic regression for each label that occurs, shape (q, m)."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=_INVERSE_REGULARISATION, tol=_TOLERANCE, max_iter=_MOST_STEPS)
    with warnings.catch_warnings():
        # Few examples a label are the rule here, and a rough optimum will do.
        warnings.simplefilter("ignore")
        odds = model.fit(examples, codes).decision_function(vectors)
    return np.stack([-odds, odds], axis=1) if odds.ndim == 1 else np.asarray(odds)


def _blocks(n: int) -> list[slice]:
    return [slice(start, start + _QUERIES_PER_BLOCK) for start in range(0, n, _QUERIES_PER_BLOCK)]
