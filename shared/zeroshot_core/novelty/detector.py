"""Novelty detection: which texts are unlike all those that are known, without any labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin

from zeroshot_core.checks import whole
from zeroshot_core.dataframes import frame_of_columns
from zeroshot_core.estimators.base import FittedState, SavedModel
from zeroshot_core.estimators.indexing import ModelIndex, as_items, resolve_encoder
from zeroshot_core.estimators.model_inputs import read_fit, read_schema
from zeroshot_core.estimators.model_state import ModelState
from zeroshot_core.estimators.unfitted_error import UnfittedError
from zeroshot_core.novelty.scorer import (
    NoveltyScorer,
    check_enough_texts,
    check_false_alarm_rate,
    cluster_codes,
    cross_validated_scores,
    fit_novelty_scorer,
    nearest_similarities,
)
from zeroshot_core.retrieval import Retriever

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from zeroshot_core.encoders import Encoder
    from zeroshot_core.estimators.model_inputs import Entries
    from zeroshot_core.estimators.saving import ModelParts
    from zeroshot_core.frames.table_schema import SchemaColumns, TableSchema
    from zeroshot_core.index import OpenVersion, VectorIndex
    from zeroshot_core.types import Floats, Ints, Item, Vectors

__all__ = ["NoveltyDetector"]

_KNOWN, _NEW = 1, -1
_KNOWN_PREFIX = "known-"
_ROLES = ("text", "image", "id")


class NoveltyDetector(SavedModel, OutlierMixin, BaseEstimator):  # type: ignore[misc]
    """Tells texts that are unlike the known ones, of which nothing but the texts is known.

    Known texts are indexed in Milvus and put into about as many clusters as the root of their number, which
    stand in for labels; new texts are found by four out-of-distribution scores, weighed into one
    (`zeroshot_core.novelty.ood_scores`).

    Parameters
    ----------
    encoder
        An encoder, or a name for `load_encoder`; the default reads English.
    index
        An open `VectorIndex`, a URI, or None for a temporary Milvus Lite file.
    false_alarm_rate
        Share of texts such as the known ones that may be called new, above 0 and below 1; or ``"auto"``, the
        share at which clusters that are held out are detected best.
    random_state
        Seed of the clusters and folds; the same texts and seed give the same model.
    show_progress
        Whether to draw progress bars on standard error.
    """

    _kind: ClassVar[str] = "detector"
    _fitted: _DetectorState

    def __init__(
        self,
        encoder: str | Encoder = "all-MiniLM-L6-v2",
        *,
        index: VectorIndex | str | Path | None = None,
        false_alarm_rate: float | str = 0.05,
        random_state: int = 0,
        show_progress: bool = False,
    ) -> None:
        self.encoder = encoder
        self.index = index
        self.false_alarm_rate = false_alarm_rate
        self.random_state = random_state
        self.show_progress = show_progress

    def fit(
        self,
        X: Entries,
        y: Any = None,
        *,
        schema: TableSchema | None = None,
        **columns: Unpack[SchemaColumns],
    ) -> NoveltyDetector:
        """Learn what is in-distribution from known items or texts, or the rows of a table; `y` is ignored.

        Parameters
        ----------
        schema, columns
            Which columns of a table are its text and its id: a `TableSchema`, of which no more is read, or
            keywords such as ``text=["name"], id="sku"``.

        Raises
        ------
        InvalidInputError
            If there are fewer than 10, one is wrong, or a parameter is.
        """
        self._fit(X, read_schema("NoveltyDetector.fit", schema, columns, roles=_ROLES))
        return self

    def predict(self, X: Entries) -> Ints:
        """Give -1 for each item or text that is new and 1 for the others, shape (q,)."""
        fitted, vectors = self._asked(X)
        return self._signs(fitted, fitted.score(vectors))

    def fit_predict(
        self,
        X: Entries,
        y: Any = None,
        *,
        schema: TableSchema | None = None,
        **columns: Unpack[SchemaColumns],
    ) -> Ints:
        """Learn as `fit` does and tell which items are unlike the others, as `predict` does, shape (n,).

        Each is judged by what the others say is in-distribution: `fit` and `predict` would find it known to
        itself.
        """
        known = read_schema("NoveltyDetector.fit_predict", schema, columns, roles=_ROLES)
        fitted, items = self._fit(X, known)
        vectors = fitted.version.item_vectors([item.id for item in items])
        codes = cluster_codes(vectors, random_state=self.random_state)
        scores = cross_validated_scores(fitted.novelty, vectors, codes, random_state=self.random_state)
        return self._signs(fitted, scores)

    def novelty_score(self, X: Entries) -> Floats:
        """How new each item or text is, shape (q,).

        The higher, the newer; 0 is the mean known text, and 1 about a standard deviation above it.

        Raises
        ------
        NotFittedError
            Before `fit`.
        InvalidInputError
            If something is neither a text nor an item.
        """
        fitted, vectors = self._asked(X)
        return fitted.score(vectors)

    def predict_frame(self, X: Entries) -> Any:
        """How new each item is as a table, a row an item.

        Returns
        -------
        DataFrame
            Of the library of `X`; of pandas, or polars where that alone is installed, if `X` is no table. Its
            columns are ``id``, ``novelty`` and ``is_new``.
        """
        items = self.to_items(X)
        fitted, vectors = self._asked(items)
        scores = fitted.score(vectors)
        columns: dict[str, list[Any]] = {
            "id": [item.id for item in items],
            "novelty": scores.tolist(),
            "is_new": (self._signs(fitted, scores) == _NEW).tolist(),
        }
        return frame_of_columns(columns, like=X)

    @property
    def novelty_(self) -> NoveltyScorer:
        """What tells how new a text is."""
        return self._fitted.novelty

    @property
    def retriever_(self) -> Retriever:
        """What finds known texts."""
        return self._fitted.retriever

    def _fit(self, X: Any, schema: TableSchema | None) -> tuple[_DetectorState, list[Item]]:
        """Learn from items, and give what was learned with them."""
        self._parameters()
        given = read_fit(X, schema=schema, prefix=_KNOWN_PREFIX)
        items = as_items(given.X, prefix=_KNOWN_PREFIX)
        check_enough_texts(len(items))
        encoder = resolve_encoder(self.encoder)
        with self._turns:
            model_index = ModelIndex(self.index)
            version = model_index.build(items, encoder, None, show_progress=self.show_progress)
            model_index.publish(version)
            fitted = _fitted_state(model_index, version, encoder, self.random_state, given.schema)
            self._fitted = fitted
        return fitted, items

    def _asked(self, X: Any) -> tuple[_DetectorState, Vectors]:
        """Check what is asked for; what answers it from begin to end, and the vectors (q, d)."""
        self._check_fitted()
        fitted = self._fitted
        contents = [item.content for item in as_items(fitted.read(X), prefix="query-")]
        return fitted, fitted.encoder.encode(contents, role="query", show_progress=self.show_progress)

    def _signs(self, fitted: _DetectorState, scores: Floats) -> Ints:
        return np.where(scores > fitted.novelty.threshold(self.false_alarm_rate), _NEW, _KNOWN)

    def _parameters(self) -> dict[str, Any]:
        """Check the parameters that are saved, and give them as plain types."""
        return {
            "false_alarm_rate": check_false_alarm_rate(self.false_alarm_rate),
            "random_state": whole("random_state", self.random_state),
        }

    def _check_fitted(self) -> None:
        if not self._is_fitted:
            raise UnfittedError("expected a fitted detector, got one before fit; call fit(X)")

    def _state(self) -> ModelState:
        config = {"parameters": self._parameters()}
        return ModelState(kind=self._kind, config=config, arrays={})

    def _saved_graph(self) -> None:
        return None

    @classmethod
    def _restored(cls, state: ModelState, parts: ModelParts) -> NoveltyDetector:
        model = cls(parts.encoder, index=parts.model_index.index, **state.parameters(cls))
        model._parameters()
        model._fitted = _fitted_state(parts.model_index, parts.version, parts.encoder, model.random_state)
        return model


@dataclass(frozen=True, kw_only=True, eq=False)
class _DetectorState(FittedState):
    """What a detector has learned."""

    novelty: NoveltyScorer
    retriever: Retriever

    def score(self, vectors: Vectors) -> Floats:
        """Score vectors (q, d) by how new they are, shape (q,)."""
        return self.novelty.score(vectors, nearest_similarities(self.version, vectors))


def _fitted_state(
    model_index: ModelIndex,
    version: OpenVersion,
    encoder: Encoder,
    random_state: int,
    schema: TableSchema | None = None,
) -> _DetectorState:
    """Learn the scorer from the items of a version."""
    vectors = version.item_vectors(version.all_ids())
    return _DetectorState(
        encoder=encoder,
        model_index=model_index,
        version=version,
        schema=schema,
        novelty=fit_novelty_scorer(vectors, random_state=random_state),
        retriever=Retriever(version, encoder),
    )
