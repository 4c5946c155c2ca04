"""Logistic regressions over unit vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from zeroshot_core.types import Floats

__all__ = ["coefficients"]


def coefficients(model: Any) -> tuple[Floats, Floats]:
    """Coefficients (c, d) and intercepts (c,) of a fitted logistic regression, for two labels as for more."""
    if len(model.coef_) > 1:
        return model.coef_, model.intercept_
    # Two labels get one row of coefficients, the log-odds of the second.
    return np.vstack([np.zeros_like(model.coef_), model.coef_]), np.array([0.0, model.intercept_[0]])
