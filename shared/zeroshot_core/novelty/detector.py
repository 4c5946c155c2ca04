"""Anomaly detection: which texts are unlike all those that are known, without any labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin

from zeroshot_core.errors import InvalidInputError, NotFittedError
from zeroshot_core.estimators.base import SavedModel
from zeroshot_core.estimators.indexing import ModelIndex, as_items, resolve_encoder
from zeroshot_core.estimators.saving import ModelState
from zeroshot_core.novelty.novelty_fitting import cluster_codes, fit_novelty, held_out_scores
from zeroshot_core.novelty.rejection import novelty_scores
from zeroshot_core.novelty.scores import FEWEST_TEXTS, check_false_alarm_rate
from zeroshot_core.retrieval import Retriever

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zeroshot_core.encoders import Encoder
    from zeroshot_core.estimators.saving import ModelParts
    from zeroshot_core.index import OpenVersion, VectorIndex
    from zeroshot_core.types import Floats, Ints, Item

__all__ = ["NoveltyDetector"]

_PARAMETERS = ("false_alarm_rate", "random_state", "show_progress")
_KNOWN, _NEW = 1, -1


class NoveltyDetector(SavedModel, OutlierMixin, BaseEstimator):  # type: ignore[misc]
    """Tells texts that are unlike the known ones, of which nothing but the texts is known.

    Known texts are indexed in Milvus and put into about as many clusters as the root of their number, which
    stand in for labels; the evidence is that of `zeroshot_core.novelty.scores`.

    Parameters
    ----------
    encoder
        An encoder, or a name for `load_encoder`.
    index
        An open `VectorIndex`, a URI, or None for a temporary Milvus Lite file.
    false_alarm_rate
        Share of texts such as the known ones that may be called new, above 0 and below 1; or ``"auto"``, the
        share at which clusters that are held out are told best.
    random_state
        Seed of the clusters and folds; the same texts and seed give the same model.
    show_progress
        Whether to draw progress bars on standard error.
    """

    _kind: ClassVar[str] = "detector"

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

    def fit(self, X: Sequence[Item | str], y: Any = None) -> NoveltyDetector:
        """Learn what is usual from known items or texts, shape (n,); `y` is ignored.

        Raises
        ------
        InvalidInputError
            If there are fewer than 10, one is wrong, or `false_alarm_rate` is no such rate.
        """
        items = as_items(X, prefix="known-")
        check_false_alarm_rate(self.false_alarm_rate)
        if len(items) < FEWEST_TEXTS:
            raise InvalidInputError(
                f"expected at least {FEWEST_TEXTS} texts to learn what is usual from, got {len(items)}; "
                "give more"
            )
        encoder, model_index = resolve_encoder(self.encoder), ModelIndex(self.index)
        version = model_index.build(items, encoder, None, show_progress=self.show_progress)
        model_index.publish(version)
        self._adopt(model_index, version, encoder)
        return self

    def novelty_score(self, X: Sequence[Item | str]) -> Floats:
        """How new each item or text is, shape (q,).

        The higher, the newer; 0 is usual, and 1 about a standard deviation above it.

        Raises
        ------
        NotFittedError
            Before `fit`.
        InvalidInputError
            If something is neither a text nor an item.
        """
        self._check_fitted()
        contents = [item.content for item in as_items(X, prefix="query-")]
        vectors = self.encoder_.encode(contents, role="query", show_progress=self.show_progress)
        return novelty_scores(self.novelty_, self.version_, vectors)

    def predict(self, X: Sequence[Item | str]) -> Ints:
        """Give -1 for each item or text that is new and 1 for the others, shape (q,)."""
        return self._told(self.novelty_score(X))

    def fit_predict(self, X: Sequence[Item | str], y: Any = None) -> Ints:
        """Learn from items or texts and tell which of them are unlike the others, as `predict` does, (n,).

        Each is judged by what the others say is usual: `fit` and `predict` would find it known to itself.
        """
        self.fit(X)
        ids = [item.id for item in as_items(X, prefix="known-")]
        vectors = self.version_.item_vectors(ids)
        codes = cluster_codes(vectors, random_state=self.random_state)
        return self._told(held_out_scores(self.novelty_, vectors, codes, random_state=self.random_state))

    def _told(self, scores: Floats) -> Ints:
        return np.where(scores > self.novelty_.threshold(self.false_alarm_rate), _NEW, _KNOWN)

    def _adopt(self, model_index: ModelIndex, version: OpenVersion, encoder: Encoder) -> None:
        vectors = version.item_vectors(version.all_ids())
        self.novelty_ = fit_novelty(vectors, random_state=self.random_state)
        self.retriever_ = Retriever(version, encoder)
        self.model_index_, self.version_, self.encoder_ = model_index, version, encoder

    def _check_fitted(self) -> None:
        if not hasattr(self, "novelty_"):
            raise NotFittedError("expected a fitted detector, got one before fit; call fit(X)")

    def _state(self) -> ModelState:
        parameters = {name: getattr(self, name) for name in _PARAMETERS}
        return ModelState(kind=self._kind, config={"parameters": parameters}, arrays={}, estimators={})

    def _saved_graph(self) -> None:
        return None

    @classmethod
    def _restored(cls, state: ModelState, parts: ModelParts) -> NoveltyDetector:
        model = cls(parts.encoder, index=parts.model_index.index, **state.config["parameters"])
        # What is usual is in the index, and is learned from it again.
        model._adopt(parts.model_index, parts.version, parts.encoder)
        return model
