"""Networks beside the trees: they read the evidence and the whole vector, and are smooth where trees step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.training.perceptrons import apply_networks, fit_networks

if TYPE_CHECKING:
    from zeroshot_core.estimators.model_state import ModelState
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
    quantiles, references
        Shapes (r, p) and (r,): values of each feature among the training items, and their ranks, between 0
        and 1.
    gaps
        Columns that may be missing, each of which is flagged.
    weights
        See `NetworkFit`.
    """

    quantiles: Floats
    references: Floats
    gaps: Ints
    weights: Mapping[str, Vectors]

    def arrays(self, place: int) -> dict[str, Any]:
        """Give the parts to be saved, by name and the number of the head."""
        weights = {f"network.{place}.{name}": value for name, value in self.weights.items()}
        return weights | {
            f"gaps.{place}": self.gaps,
            f"scaler-{place}.quantiles": self.quantiles,
            f"scaler-{place}.references": self.references,
        }

    @classmethod
    def restored(cls, state: ModelState, place: int, n_features: int, dimension: int) -> NetworkHead | None:
        """Put together again what `arrays` took apart; None if the head has no networks.

        Raises
        ------
        InvalidInputError
            If a part is missing, or does not fit so many features and vectors of this dimension.
        """
        if f"gaps.{place}" not in state.arrays:
            return None
        gaps = state.array(f"gaps.{place}", np.int64, (None,))
        # A feature that no training item has has no quantiles.
        quantiles = state.array(f"scaler-{place}.quantiles", np.float64, (None, n_features), is_finite=False)
        references = state.array(f"scaler-{place}.references", np.float64, (len(quantiles),))
        is_rising = not (np.diff(quantiles, axis=0) < 0).any() and not (np.diff(references) < 0).any()
        if not is_rising or not len(references) or np.isinf(quantiles).any():
            raise InvalidInputError(f"expected rising quantiles of features in head {place}, got others")
        if len(gaps) and not (gaps.min() >= 0 and gaps.max() < n_features):
            raise InvalidInputError(f"expected gaps among {n_features} features in head {place}, got others")
        start = f"network.{place}."
        n_networks, _, n_hidden = state.array(f"{start}weight.0", np.float32, (None, None, None)).shape
        sizes = (n_features + len(gaps) + dimension, n_hidden, n_hidden, 1)
        weights = {}
        for layer in range(3):
            n_in, n_out = sizes[layer], sizes[layer + 1]
            for name, shape in (("weight", (n_networks, n_in, n_out)), ("bias", (n_networks, 1, n_out))):
                weights[f"{name}.{layer}"] = state.array(f"{start}{name}.{layer}", np.float32, shape)
        if not n_networks:
            raise InvalidInputError(f"expected networks in head {place}, got none")
        return cls(quantiles=quantiles, references=references, gaps=gaps, weights=weights)

    @cached_property
    def scaler(self) -> Any:
        """From a feature to its rank among the training items."""
        from sklearn.preprocessing import QuantileTransformer

        scaler = QuantileTransformer(n_quantiles=len(self.references))
        scaler.n_quantiles_, scaler.n_features_in_ = self.quantiles.shape
        scaler.quantiles_, scaler.references_ = self.quantiles, self.references
        return scaler

    def level(self, features: Floats, vectors: Vectors) -> Floats:
        """Forecast of the transformed target, shape (q,)."""
        return apply_networks(self.weights, _inputs(self.scaler, self.gaps, features, vectors))


def fit_network_head(
    features: Floats,
    vectors: Vectors,
    targets: Floats,
    folds: Ints,
    random_state: int,
    on_epoch: Callable[[], object] = lambda: None,
) -> tuple[NetworkHead, Floats]:
    """Train networks, each without some folds; give also their forecasts of what they had not seen, (n,).

    Parameters
    ----------
    features, vectors, targets, folds
        Shapes (n, p), (n, d), (n,), (n,).
    on_epoch
        As of `fit_networks`.
    """
    from sklearn.preprocessing import QuantileTransformer

    n_quantiles = min(_N_QUANTILES, len(features))
    scaler = QuantileTransformer(n_quantiles=n_quantiles, random_state=random_state).fit(features)
    gaps = np.flatnonzero(np.isnan(features).any(axis=0))
    parts = np.unique(folds % _N_NETWORKS, return_inverse=True)[1]
    fitted = fit_networks(_inputs(scaler, gaps, features, vectors), targets, parts, random_state, on_epoch)
    head = NetworkHead(
        quantiles=scaler.quantiles_, references=scaler.references_, gaps=gaps, weights=fitted.weights
    )
    return head, fitted.held_out


def _inputs(scaler: Any, gaps: Ints, features: Floats, vectors: Vectors) -> Vectors:
    from scipy.special import ndtri

    ranks = np.clip(scaler.transform(features), _LOWEST_RANK, 1.0 - _LOWEST_RANK)
    scaled = _VECTOR_SCALE * np.sqrt(vectors.shape[1]) * vectors
    return np.hstack([np.nan_to_num(ndtri(ranks)), np.isnan(features[:, gaps]), scaled]).astype(np.float32)
