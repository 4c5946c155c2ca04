"""Networks beside the trees: they read the evidence and the whole vector, and are smooth where trees step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core.training.perceptrons import apply_networks, fit_networks

if TYPE_CHECKING:
    from zeroshot_core.types import Floats, Ints, Vectors

__all__ = ["NetworkHead", "fit_network_head"]

_N_NETWORKS = 10
_N_QUANTILES = 200
# Ranks beyond three standard deviations of a normal score.
_LOWEST_RANK = 0.00135
# Entries of a unit vector are small; so scaled they count about as much as a feature each.
_VECTOR_SCALE = 0.5


@dataclass(frozen=True, kw_only=True)
class NetworkHead:
    """Networks with what brings evidence into the form that they read.

    Parameters
    ----------
    scaler
        From a feature to its rank among the training items, between 0 and 1.
    gaps
        Columns that may be missing, each of which is flagged.
    weights
        See `NetworkFit`.
    """

    scaler: Any
    gaps: Ints
    weights: Mapping[str, Vectors]

    def level(self, features: Floats, vectors: Vectors) -> Floats:
        """Forecast of the transformed target, shape (q,)."""
        return apply_networks(self.weights, _inputs(self.scaler, self.gaps, features, vectors))


def fit_network_head(
    features: Floats, vectors: Vectors, targets: Floats, folds: Ints, random_state: int
) -> tuple[NetworkHead, Floats]:
    """Train networks, each without some folds; give also their forecasts of what they had not seen, (n,).

    Parameters
    ----------
    features, vectors, targets, folds
        Shapes (n, p), (n, d), (n,), (n,).
    """
    from sklearn.preprocessing import QuantileTransformer

    n_quantiles = min(_N_QUANTILES, len(features))
    scaler = QuantileTransformer(n_quantiles=n_quantiles, random_state=random_state).fit(features)
    gaps = np.flatnonzero(np.isnan(features).any(axis=0))
    parts = np.unique(folds % _N_NETWORKS, return_inverse=True)[1]
    fitted = fit_networks(_inputs(scaler, gaps, features, vectors), targets, parts, random_state)
    return NetworkHead(scaler=scaler, gaps=gaps, weights=fitted.weights), fitted.held_out


def _inputs(scaler: Any, gaps: Ints, features: Floats, vectors: Vectors) -> Vectors:
    from scipy.special import ndtri

    ranks = np.clip(scaler.transform(features), _LOWEST_RANK, 1.0 - _LOWEST_RANK)
    scaled = _VECTOR_SCALE * np.sqrt(vectors.shape[1]) * vectors
    return np.hstack([np.nan_to_num(ndtri(ranks)), np.isnan(features[:, gaps]), scaled]).astype(np.float32)
