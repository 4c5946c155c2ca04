"""Multinomial logistic regression over vectors: the linear head of every classifier of labels.

.. math:: P(c | v) = exp(w_c v + b_c) / sum_k exp(w_k v + b_k)

Scikit-learn finds the coefficients. `refit_row` is our own: no library learns one row while the others stay.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from zeroshot_core.types import Floats, Ints, Vectors

__all__ = ["fit_logistic", "refit_row"]

_INVERSE_REGULARISATION = 10.0
_MOST_STEPS = 1000


def fit_logistic(
    vectors: Vectors | Floats,
    codes: Ints,
    *,
    weights: Floats | None = None,
    rough_steps: int | None = None,
) -> tuple[Floats, Floats]:
    """Minimise ``sum_i g_i -log P(c_i | v_i) + |w|^2 / 20`` by L-BFGS.

    Parameters
    ----------
    vectors
        Shape (n, d); the coefficients have their precision.
    codes
        Number of each vector's label, shape (n,).
    weights
        How much each vector counts (g), shape (n,); None counts each once.
    rough_steps
        Steps after which a rough optimum will do. None goes on until the optimum is reached; scikit-learn
        warns if 1,000 steps do not lead there.

    Returns
    -------
    Floats, Floats
        Coefficients (c, d) and intercepts (c,), a row for each label that occurs, in the order of the
        numbers. A single label gets zeros; of two the first gets zeros and the second the log-odds.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    if len(np.unique(codes)) < 2:
        return np.zeros((1, vectors.shape[1])), np.zeros(1)
    model = LogisticRegression(C=_INVERSE_REGULARISATION, max_iter=rough_steps or _MOST_STEPS)
    with warnings.catch_warnings():
        # Few examples a label are the rule here, and no sign of a regression.
        warnings.filterwarnings("ignore", message="The number of unique classes is greater")
        if rough_steps is not None:
            warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(vectors, codes, sample_weight=weights)
    if len(model.coef_) > 1:
        return model.coef_, model.intercept_
    return np.vstack([np.zeros_like(model.coef_), model.coef_]), np.array([0.0, model.intercept_[0]])


def refit_row(coef: Floats, intercept: Floats, row: int, own: Floats, others: Floats) -> tuple[Floats, float]:
    """Learn one label's row anew, near where it was, while the rows of the other labels stay.

    Minimises the log loss of telling the label's vectors from the others plus ``|w - w_0|^2 / 20``.

    Parameters
    ----------
    coef, intercept
        Of all labels, shapes (c, d) and (c,).
    row
        Of the label.
    own, others
        Vectors with this label and with others, shapes (n, d) and (m, d).

    Returns
    -------
    Floats, float
        Coefficients (d,) and intercept of the label.
    """
    from scipy.optimize import minimize
    from scipy.special import expit, logsumexp

    vectors = np.vstack([own, others])
    is_own = np.arange(len(vectors)) < len(own)
    rest = logsumexp(vectors @ np.delete(coef, row, axis=0).T + np.delete(intercept, row), axis=1)
    before = coef[row]

    def loss(parameters: Floats) -> tuple[float, Floats]:
        moved = parameters[:-1] - before
        margins = vectors @ parameters[:-1] + parameters[-1] - rest
        slopes = expit(margins) - is_own
        value = np.logaddexp(0, margins).sum() - margins[is_own].sum()
        penalty = moved @ moved / (2 * _INVERSE_REGULARISATION)
        gradient = vectors.T @ slopes + moved / _INVERSE_REGULARISATION
        return float(value + penalty), np.append(gradient, slopes.sum())

    found = minimize(loss, np.append(before, intercept[row]), jac=True, method="L-BFGS-B").x
    return found[:-1], float(found[-1])
