"""Baselines of a new product's demand, from a constant to boosted trees.

Each takes the known lines, their units and the new lines, and gives a point forecast (the mean in log1p
space, which is what RMSLE asks for), the .9 quantile, and the interval from the .05 to the .95 quantile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from zeroshot_core.datasets.complete_journey import ATTRIBUTES
from zeroshot_core.errors import InvalidInputError, require

if TYPE_CHECKING:
    from zeroshot_core.types import Floats, Ints, Vectors

__all__ = [
    "BASELINES",
    "LineFeatures",
    "LineForecast",
    "boosted_trees",
    "catboost",
    "constant",
    "knn_vectors",
    "type_mean",
]

QUANTILES = (0.05, 0.9, 0.95)
Baseline: TypeAlias = "Callable[[LineFeatures, Floats, LineFeatures], LineForecast]"
_N_FOLDS = 5
_SHRINKAGE = 5.0
"""How many lines of the wider group weigh as much as the group's own."""


@dataclass(frozen=True, kw_only=True)
class LineFeatures:
    """What is known of lines before they sell.

    Parameters
    ----------
    rows
        Attributes of each line; a missing one counts as its own value ``""``.
    vectors
        Vectors of the texts, shape (n, d), rows of unit length.
    """

    rows: Sequence[Mapping[str, str]]
    vectors: Vectors

    def __post_init__(self) -> None:
        if len(self.rows) != len(self.vectors):
            raise InvalidInputError(
                f"expected one vector a row, got {len(self.vectors)} for {len(self.rows)}"
            )

    def take(self, indices: Ints) -> LineFeatures:
        """Give the lines at some positions."""
        return LineFeatures(rows=[self.rows[i] for i in indices], vectors=self.vectors[indices])

    def column(self, name: str) -> list[str]:
        """Give one attribute of every line."""
        return [row.get(name, "") for row in self.rows]

    def table(self) -> Any:
        """All attributes as strings, shape (n, 6)."""
        return np.array([self.column(name) for name in ATTRIBUTES], dtype=object).T


@dataclass(frozen=True, kw_only=True)
class LineForecast:
    """Forecasts of n lines: `mean` (n,), `quantile_90` (n,), and the 90% `interval` (n, 2), all >= 0."""

    mean: Floats
    quantile_90: Floats
    interval: Floats


def constant(known: LineFeatures, units: Floats, new: LineFeatures) -> LineForecast:
    """Forecast the same for all: the mean of log1p and the quantiles of the known units."""
    n = len(new.rows)
    quantiles = np.tile(np.quantile(units, QUANTILES), (n, 1))
    return _forecast(np.full(n, np.log1p(units).mean()), np.log1p(quantiles))


def type_mean(known: LineFeatures, units: Floats, new: LineFeatures) -> LineForecast:
    """Forecast the type's mean of log1p, shrunk to its category's, which is shrunk to the mean of all.

    A type that was never sold gets its category's mean. Quantiles add those of the residuals out of fold.
    """
    from sklearn.model_selection import KFold

    logs = np.log1p(units)
    residuals = np.empty_like(logs)
    for inside, outside in KFold(_N_FOLDS, shuffle=True, random_state=0).split(logs):
        residuals[outside] = logs[outside] - _type_means(
            known.take(inside), logs[inside], known.take(outside)
        )
    means = _type_means(known, logs, new)
    return _forecast(means, means[:, None] + np.quantile(residuals, QUANTILES))


def knn_vectors(known: LineFeatures, units: Floats, new: LineFeatures, *, k: int = 50) -> LineForecast:
    """Forecast the mean of log1p and the quantiles of the k lines with the most similar texts (cosine)."""
    k = min(k, len(units))
    logs = np.log1p(units)
    near = np.concatenate(
        [
            _most_similar(known.vectors, block, k)
            for block in np.array_split(new.vectors, len(new.vectors) // 512 + 1)
        ]
    )
    return _forecast(logs[near].mean(axis=1), np.quantile(logs[near], QUANTILES, axis=1).T)


def boosted_trees(known: LineFeatures, units: Floats, new: LineFeatures) -> LineForecast:
    """Forecast with boosted trees on the attributes, each encoded by its mean target out of fold.

    References
    ----------
    Micci-Barreca, "A preprocessing scheme for high-cardinality categorical attributes in classification and
    prediction problems", SIGKDD Explorations 3, 2001.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor

    logs = np.log1p(units)
    x_known, x_new = _target_encoded(known.table(), logs, new.table())

    def fitted(**loss: Any) -> Floats:
        model = HistGradientBoostingRegressor(random_state=0, **loss).fit(x_known, logs)
        return np.asarray(model.predict(x_new), dtype=np.float64)

    quantiles = [fitted(loss="quantile", quantile=q) for q in QUANTILES]
    return _forecast(fitted(), np.stack(quantiles, axis=1))


def catboost(known: LineFeatures, units: Floats, new: LineFeatures, *, n_trees: int = 800) -> LineForecast:
    """Forecast with CatBoost on trees of depth 8, the six attributes as categories.

    References
    ----------
    Prokhorenkova et al., "CatBoost: unbiased boosting with categorical features", NeurIPS 2018.
    """
    regressor = require("catboost", extra="demo").CatBoostRegressor
    logs = np.log1p(units)

    def fitted(loss: str) -> Floats:
        model = regressor(
            iterations=n_trees,
            depth=8,
            loss_function=loss,
            cat_features=list(range(len(ATTRIBUTES))),
            random_seed=0,
            verbose=False,
            allow_writing_files=False,
        )
        return np.asarray(model.fit(known.table(), logs).predict(new.table()), dtype=np.float64)

    return _forecast(fitted("RMSE"), fitted("MultiQuantile:alpha=" + ",".join(map(str, QUANTILES))))


BASELINES: Mapping[str, Baseline] = {
    "constant": constant,
    "type_mean": type_mean,
    "knn_vectors": knn_vectors,
    "boosted_trees": boosted_trees,
}
"""Those that every evaluation runs; `catboost` costs more and needs an extra."""


def _forecast(log_mean: Floats, log_quantiles: Floats) -> LineForecast:
    """Leave log space; crossed quantiles are sorted and nothing falls below 0."""
    low, ninety, high = np.maximum(np.expm1(np.sort(log_quantiles, axis=1)), 0).T
    return LineForecast(
        mean=np.maximum(np.expm1(log_mean), 0), quantile_90=ninety, interval=np.stack([low, high], axis=1)
    )


def _target_encoded(known: Any, logs: Floats, new: Any) -> tuple[Floats, Floats]:
    """Replace each attribute by its mean target: of the other folds for known lines, of all for new ones."""
    from sklearn.model_selection import KFold
    from sklearn.preprocessing import TargetEncoder

    encoder = TargetEncoder(target_type="continuous")
    encoded = np.empty(known.shape)
    for inside, outside in KFold(_N_FOLDS, shuffle=True, random_state=0).split(known):
        encoded[outside] = encoder.fit(known[inside], logs[inside]).transform(known[outside])
    return encoded, encoder.fit(known, logs).transform(new)


def _type_means(known: LineFeatures, logs: Floats, new: LineFeatures) -> Floats:
    categories, types = (known.column(name) for name in ("product_category", "product_type"))
    overall = np.full(len(logs), logs.mean())
    inner = _shrunk_means(categories, logs, overall, categories, overall)
    outer = np.full(len(new.rows), logs.mean())
    outer = _shrunk_means(categories, logs, overall, new.column("product_category"), outer)
    return _shrunk_means(types, logs, inner, new.column("product_type"), outer)


def _shrunk_means(
    labels: Sequence[str], values: Floats, prior: Floats, new_labels: Sequence[str], new_prior: Floats
) -> Floats:
    """Give (sum of the label's values + s · prior) / (count + s), or the prior where the label is new."""
    groups, codes = np.unique(np.asarray(labels), return_inverse=True)
    counts = np.bincount(codes)
    sums, priors = np.bincount(codes, values), np.bincount(codes, prior) / counts
    means = dict(zip(groups.tolist(), (sums + _SHRINKAGE * priors) / (counts + _SHRINKAGE), strict=True))
    return np.array([means.get(label, prior) for label, prior in zip(new_labels, new_prior, strict=True)])


def _most_similar(known: Vectors, block: Vectors, k: int) -> Ints:
    similarity = block @ known.T
    return np.argpartition(-similarity, k - 1, axis=1)[:, :k]
