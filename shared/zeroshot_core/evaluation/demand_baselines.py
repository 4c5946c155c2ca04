"""Baselines of a forecast for new items, from a constant to boosted trees.

Each takes the known items, their targets and the new items. It learns in log1p space, which is what RMSLE
asks for, and once more in units, whose mean is what a sum asks for; quantiles come with both.

TabICL, a network that is pretrained on tables, would be another; its weights are no part of its package, and
are not among what can be installed here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from zeroshot_core.errors import InvalidInputError, require

if TYPE_CHECKING:
    from zeroshot_core.datasets import Catalogue
    from zeroshot_core.types import Floats, Ints, Vectors

__all__ = [
    "BASELINES",
    "CATBOOST",
    "LEVELS",
    "LineFeatures",
    "LineForecast",
    "boosted_trees",
    "catboost",
    "catboost_text",
    "constant",
    "knn_vectors",
    "type_mean",
]

LEVELS = (0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95)
"""Probabilities of the quantiles by which whole distributions are compared."""
Baseline: TypeAlias = "Callable[[LineFeatures, Floats, LineFeatures], LineForecast]"
_N_FOLDS = 5
# Of CatBoost: words and pairs of words of at least two texts, the 300 most frequent ones.
_TEXT_PROCESSING = {
    "tokenizers": [{"tokenizer_id": "Space", "delimiter": " "}],
    "dictionaries": [
        {"dictionary_id": f"words {n}", "gram_order": str(n), "occurrence_lower_bound": "2"} for n in (1, 2)
    ],
    "feature_processing": {
        "default": [
            {
                "tokenizers_names": ["Space"],
                "dictionaries_names": ["words 1", "words 2"],
                "feature_calcers": ["BoW:top_tokens_count=300"],
            }
        ]
    },
}
_SHRINKAGE = 5.0
"""How many items of the wider group weigh as much as the group's own."""


@dataclass(frozen=True, kw_only=True)
class LineFeatures:
    """What is known of items before anything is known of their targets.

    Parameters
    ----------
    rows
        Categories of each item; a missing one counts as its own value ``""``.
    columns
        Those of the categories.
    vectors
        Vectors of the texts, shape (n, d), rows of unit length.
    texts
        Shape (n,), or none.
    numeric
        Shape (n, m), NaN where missing; None without any.
    nested
        A narrow and a wide column, over which `type_mean` averages.
    """

    rows: Sequence[Mapping[str, str]]
    columns: tuple[str, ...]
    vectors: Vectors
    texts: Sequence[str] = ()
    numeric: Floats | None = None
    nested: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        if len(self.rows) != len(self.vectors):
            raise InvalidInputError(
                f"expected one vector a row, got {len(self.vectors)} for {len(self.rows)}"
            )

    @classmethod
    def of(cls, catalogue: Catalogue, vectors: Vectors) -> LineFeatures:
        """Take those of a table whose texts have the vectors (n, d)."""
        found = [[item.metadata.get(name, np.nan) for name in catalogue.numeric] for item in catalogue.items]
        return cls(
            rows=catalogue.rows,
            columns=catalogue.graph_columns,
            vectors=vectors,
            texts=[item.text or "" for item in catalogue.items],
            numeric=np.asarray(found, dtype=np.float64).reshape(len(found), len(catalogue.numeric)),
            nested=catalogue.graph_edges[0] if catalogue.graph_edges else None,
        )

    def take(self, indices: Ints) -> LineFeatures:
        """Give the items at some positions."""
        return replace(
            self,
            rows=[self.rows[i] for i in indices],
            vectors=self.vectors[indices],
            texts=[self.texts[i] for i in indices] if self.texts else (),
            numeric=None if self.numeric is None else self.numeric[indices],
        )

    def column(self, name: str) -> list[str]:
        """Give one category of every item."""
        return [row.get(name, "") for row in self.rows]

    def table(self) -> Any:
        """All categories as strings, shape (n, c)."""
        cells = [[row.get(name, "") for name in self.columns] for row in self.rows]
        return np.array(cells, dtype=object).reshape(len(self.rows), len(self.columns))

    def numbers(self) -> Floats:
        """All numbers, shape (n, m); m is 0 without any."""
        return np.empty((len(self.rows), 0)) if self.numeric is None else self.numeric


@dataclass(frozen=True, kw_only=True)
class LineForecast:
    """Forecasts of n items, all >= 0.

    Parameters
    ----------
    mean
        Shape (n,), the mean on the scale of log1p, brought back to units: what RMSLE asks for.
    expectation
        Shape (n,), the mean in units: what a sum asks for.
    interval
        Shape (n, 2), which is to hold nine tenths of the targets.
    quantiles
        Shape (n, 8), at `LEVELS`.
    """

    mean: Floats
    expectation: Floats
    interval: Floats
    quantiles: Floats

    @property
    def quantile_90(self) -> Floats:
        """What nine tenths of the targets are to stay below, shape (n,)."""
        return np.asarray(self.quantiles[:, LEVELS.index(0.9)])


def constant(known: LineFeatures, units: Floats, new: LineFeatures) -> LineForecast:
    """Forecast the same for all: the mean of log1p, the mean and the quantiles of the known targets."""
    n = len(new.rows)
    quantiles = np.tile(np.quantile(units, LEVELS), (n, 1))
    mean = np.full(n, np.log1p(units).mean())
    return _forecast(mean, np.log1p(quantiles), np.full(n, units.mean()))


def type_mean(known: LineFeatures, units: Floats, new: LineFeatures) -> LineForecast:
    """Forecast the narrow group's mean of log1p, shrunk to the wide one's, which is shrunk to that of all.

    An item of a new narrow group gets the wide one's mean. Quantiles add those of the residuals out of fold.
    The groups are those of the first relation between columns: a type and its category.
    """
    from sklearn.model_selection import KFold

    logs = np.log1p(units)
    residuals = np.empty_like(logs)
    for inside, outside in KFold(_N_FOLDS, shuffle=True, random_state=0).split(logs):
        residuals[outside] = logs[outside] - _type_means(
            known.take(inside), logs[inside], known.take(outside)
        )
    means = _type_means(known, logs, new)
    quantiles = means[:, None] + np.quantile(residuals, LEVELS)
    return _forecast(means, quantiles, _type_means(known, units, new))


def knn_vectors(known: LineFeatures, units: Floats, new: LineFeatures, *, k: int = 50) -> LineForecast:
    """Forecast the means and the quantiles of the k items with the most similar texts (cosine)."""
    k = min(k, len(units))
    logs = np.log1p(units)
    near = np.concatenate(
        [
            _most_similar(known.vectors, block, k)
            for block in np.array_split(new.vectors, len(new.vectors) // 512 + 1)
        ]
    )
    quantiles = np.quantile(logs[near], LEVELS, axis=1).T
    return _forecast(logs[near].mean(axis=1), quantiles, units[near].mean(axis=1))


def boosted_trees(known: LineFeatures, units: Floats, new: LineFeatures) -> LineForecast:
    """Forecast with boosted trees on numbers and categories, these as their mean targets out of fold.

    A table without either is forecast as `constant` does.

    References
    ----------
    Micci-Barreca, "A preprocessing scheme for high-cardinality categorical attributes in classification and
    prediction problems", SIGKDD Explorations 3, 2001.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor

    logs = np.log1p(units)
    encoded = _target_encoded(known.table(), logs, new.table())
    x_known, x_new = (np.hstack(pair) for pair in zip(encoded, (known.numbers(), new.numbers()), strict=True))
    if not x_known.shape[1]:
        return constant(known, units, new)

    def fitted(targets: Floats, **loss: Any) -> Floats:
        model = HistGradientBoostingRegressor(random_state=0, **loss).fit(x_known, targets)
        return np.asarray(model.predict(x_new), dtype=np.float64)

    quantiles = [fitted(logs, loss="quantile", quantile=q) for q in LEVELS]
    return _forecast(fitted(logs), np.stack(quantiles, axis=1), fitted(units))


def catboost(
    known: LineFeatures,
    units: Floats,
    new: LineFeatures,
    *,
    n_trees: int = 800,
    reads_text: bool = False,
) -> LineForecast:
    """Forecast with CatBoost on trees of depth 8, from numbers and categories, and the text if asked for.

    With text they have depth 6, CatBoost's default, and see the most frequent words and pairs of words: with
    the 2,000 of each that it takes by default, and depth 8, quantiles of 2,400 texts take over an hour.
    A table without either is forecast as `constant` does unless its text is read.

    References
    ----------
    Prokhorenkova et al., "CatBoost: unbiased boosting with categorical features", NeurIPS 2018.
    """
    regressor = require("catboost", extra="demo").CatBoostRegressor
    pandas = require("pandas", extra="demo")
    x_known, x_new = (_catboost_frame(pandas, features, reads_text) for features in (known, new))
    logs = np.log1p(units)
    if not x_known.shape[1]:
        return constant(known, units, new)

    def fitted(loss: str, targets: Floats) -> Floats:
        model = regressor(
            iterations=n_trees,
            depth=6 if reads_text else 8,
            loss_function=loss,
            cat_features=list(known.columns),
            text_features=["text"] if reads_text else None,
            text_processing=_TEXT_PROCESSING if reads_text else None,
            random_seed=0,
            verbose=False,
            allow_writing_files=False,
        )
        return np.asarray(model.fit(x_known, targets).predict(x_new), dtype=np.float64)

    quantiles = fitted("MultiQuantile:alpha=" + ",".join(map(str, LEVELS)), logs)
    return _forecast(fitted("RMSE", logs), quantiles, fitted("RMSE", units))


def catboost_text(known: LineFeatures, units: Floats, new: LineFeatures) -> LineForecast:
    """Forecast as `catboost` does, from the text too, as its own text features see it."""
    return catboost(known, units, new, reads_text=True)


BASELINES: Mapping[str, Baseline] = {
    "constant": constant,
    "type_mean": type_mean,
    "knn_vectors": knn_vectors,
    "boosted_trees": boosted_trees,
}
"""Those that every evaluation runs; `type_mean` where the table's columns are nested."""
CATBOOST: Mapping[str, Baseline] = {"catboost": catboost, "catboost_text": catboost_text}
"""Those that cost more and need an extra."""


def _catboost_frame(pandas: Any, features: LineFeatures, reads_text: bool) -> Any:
    frame = pandas.DataFrame(features.table(), columns=list(features.columns))
    numbers = features.numbers()
    for place in range(numbers.shape[1]):
        frame[f"number {place}"] = numbers[:, place]
    return frame.assign(text=list(features.texts)) if reads_text else frame


def _forecast(log_mean: Floats, log_quantiles: Floats, expectation: Floats) -> LineForecast:
    """Leave log space; crossed quantiles are sorted and nothing falls below 0."""
    quantiles = np.maximum(np.expm1(np.sort(log_quantiles, axis=1)), 0)
    return LineForecast(
        mean=np.maximum(np.expm1(log_mean), 0),
        expectation=np.maximum(expectation, 0),
        interval=quantiles[:, [0, -1]],
        quantiles=quantiles,
    )


def _target_encoded(known: Any, logs: Floats, new: Any) -> tuple[Floats, Floats]:
    """Replace each category by its mean target: of the other folds for known items, of all for new ones."""
    from sklearn.model_selection import KFold
    from sklearn.preprocessing import TargetEncoder

    if not known.shape[1]:
        return np.empty(known.shape), np.empty(new.shape)
    encoder = TargetEncoder(target_type="continuous")
    encoded = np.empty(known.shape)
    for inside, outside in KFold(_N_FOLDS, shuffle=True, random_state=0).split(known):
        encoded[outside] = encoder.fit(known[inside], logs[inside]).transform(known[outside])
    return encoded, encoder.fit(known, logs).transform(new)


def _type_means(known: LineFeatures, values: Floats, new: LineFeatures) -> Floats:
    if known.nested is None:
        raise InvalidInputError("expected a narrow and a wide column in `nested`, got None")
    narrow, wide = known.nested
    overall = np.full(len(values), values.mean())
    inner = _shrunk_means(known.column(wide), values, overall, known.column(wide), overall)
    outer = np.full(len(new.rows), values.mean())
    outer = _shrunk_means(known.column(wide), values, overall, new.column(wide), outer)
    return _shrunk_means(known.column(narrow), values, inner, new.column(narrow), outer)


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
